"""Requests as pyca reads them."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtensionOID

from xgate.algorithms import SIGNATURES, digest_named, signature_padding, signature_uri
from xgate.signer.software import PrivateKey, public_octets
from xgate.trust.certificate_request import request_pem, write_request, write_request_info
from xgate.trust.profile_fields import write_subject

RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC = ec.generate_private_key(ec.SECP384R1())
SUBJECT = write_subject([("C", "FI"), ("CN", 'Näme, + = "')])


def signed(key: PrivateKey, kind: str, name: str, info: bytes) -> bytes:
    digest = digest_named(name)
    assert digest is not None
    algorithm = SIGNATURES[signature_uri(kind, digest)]
    if isinstance(key, rsa.RSAPrivateKey):
        value = key.sign(info, signature_padding(algorithm), digest.primitive)
    else:
        value = key.sign(info, ec.ECDSA(digest.primitive))
    return write_request(info, kind, digest, value)


@pytest.mark.parametrize("name", ["SHA-256", "SHA-384", "SHA-512"])
@pytest.mark.parametrize(("key", "kind"), [(RSA, "rsa"), (RSA, "pss"), (EC, "ecdsa")])
def test_the_signature_holds(key: PrivateKey, kind: str, name: str) -> None:
    info = write_request_info(SUBJECT, public_octets(key), "SIGNING")
    request = x509.load_pem_x509_csr(request_pem(signed(key, kind, name, info)))
    assert request.is_signature_valid
    assert request.subject.public_bytes() == SUBJECT
    assert request.signature_hash_algorithm is not None
    assert request.signature_hash_algorithm.name == name.replace("-", "").lower()
    damaged = signed(key, kind, name, info[:-1] + bytes([info[-1] ^ 1]))
    broken = damaged.replace(info[:-1] + bytes([info[-1] ^ 1]), info)
    assert not x509.load_der_x509_csr(broken).is_signature_valid


def test_what_is_asked_for_beside_the_name() -> None:
    public = public_octets(EC)
    for usage, alternative, bits in (
        ("SIGNING", None, {"content_commitment", "key_cert_sign"}),
        (
            "AUTHENTICATION",
            "ss1.example.com",
            {"digital_signature", "key_encipherment", "data_encipherment"},
        ),
    ):
        info = write_request_info(SUBJECT, public, usage, alternative)  # type: ignore[arg-type]  # a usage
        extensions = x509.load_der_x509_csr(signed(EC, "ecdsa", "SHA-256", info)).extensions
        assert not any(extension.critical for extension in extensions)
        oids = [extension.oid for extension in extensions]
        assert oids[-1] == ExtensionOID.KEY_USAGE
        key_usage = extensions[-1].value
        assert isinstance(key_usage, x509.KeyUsage)
        asked = {
            name
            for name in vars(x509.KeyUsage)
            if isinstance(getattr(x509.KeyUsage, name), property)
            and name not in ("encipher_only", "decipher_only")
            and getattr(key_usage, name)
        }
        assert asked == bits
        assert len(oids) == 1 + (alternative is not None)
        if alternative is not None:
            names = extensions[0].value
            assert isinstance(names, x509.SubjectAlternativeName)
            assert names.get_values_for_type(x509.DNSName) == [alternative]
