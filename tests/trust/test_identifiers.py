from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from hypothesis import given
from hypothesis import strategies as st

from xgate.algorithms import DIGESTS, SHA512, Digest
from xgate.testing.pki import make_ec_key, make_rsa_key
from xgate.trust import der
from xgate.trust.identifiers import (
    SHA1,
    is_strong,
    read_digest,
    signature_holds,
    write_digest,
    write_signature,
)

DATA = b"what was signed"
RSA = make_rsa_key("identifiers")
EC = make_ec_key("identifiers", "P-384")
RSA_ENCRYPTION = der.encode(
    der.SEQUENCE, der.write_oid("1.2.840.113549.1.1.1"), der.encode(der.NULL)
)
EC_KEY = der.encode(der.SEQUENCE, der.write_oid("1.2.840.10045.2.1"))
MD5_RSA = der.encode(der.SEQUENCE, der.write_oid("1.2.840.113549.1.1.4"), der.encode(der.NULL))


@pytest.mark.parametrize("digest", DIGESTS, ids=lambda d: d.name)
def test_digests_have_one_identifier_with_an_explicit_null(digest: Digest) -> None:
    written = write_digest(digest)
    assert read_digest(written) == digest
    assert written.endswith(b"\x05\x00")
    assert read_digest(der.encode(der.SEQUENCE, written[2:-2])) == digest
    assert is_strong(digest) == (digest != SHA1)


def test_an_unknown_digest_is_none() -> None:
    assert read_digest(der.encode(der.SEQUENCE, der.write_oid("1.2.840.113549.2.5"))) is None
    assert not is_strong(None)


@pytest.mark.parametrize("digest", DIGESTS, ids=lambda d: d.name)
def test_signatures_hold_by_the_algorithm_that_made_them(digest: Digest) -> None:
    by_rsa = RSA.sign(DATA, padding.PKCS1v15(), digest.primitive)
    by_ec = EC.sign(DATA, ec.ECDSA(digest.primitive))
    wrong = next(d for d in DIGESTS if d != digest)
    made = (("rsa", RSA.public_key(), by_rsa), ("ecdsa", EC.public_key(), by_ec))
    for kind, key, signature in made:
        identifier = write_signature(kind, digest)
        assert signature_holds(identifier, key, signature, DATA)
        assert not signature_holds(identifier, key, signature, DATA + b"!")
        assert not signature_holds(identifier, key, signature[:-1], DATA)
        assert not signature_holds(write_signature(kind, wrong), key, signature, DATA)
        assert not signature_holds(identifier, key, signature, DATA, digest=wrong)


def pss(digest: Digest, mask: Digest, salt: int) -> bytes:
    mask_function = der.encode(
        der.SEQUENCE, der.write_oid("1.2.840.113549.1.1.8"), write_digest(mask)
    )
    parameters = der.encode(
        der.SEQUENCE,
        der.encode(der.context(0), write_digest(digest)),
        der.encode(der.context(1), mask_function),
        der.encode(der.context(2), der.write_integer(salt)),
    )
    return der.encode(der.SEQUENCE, der.write_oid("1.2.840.113549.1.1.10"), parameters)


def test_pss_holds_with_the_salt_and_mask_it_names() -> None:
    signature = RSA.sign(DATA, padding.PSS(padding.MGF1(hashes.SHA512()), 40), hashes.SHA512())
    key = RSA.public_key()
    assert signature_holds(pss(SHA512, SHA512, 40), key, signature, DATA)
    assert not signature_holds(pss(SHA512, SHA512, 64), key, signature, DATA)
    assert not signature_holds(pss(SHA512, SHA1, 40), key, signature, DATA)


def test_pss_without_parameters_means_sha_1() -> None:
    signature = RSA.sign(DATA, padding.PSS(padding.MGF1(hashes.SHA1()), 20), hashes.SHA1())
    bare = der.encode(
        der.SEQUENCE, der.write_oid("1.2.840.113549.1.1.10"), der.encode(der.SEQUENCE)
    )
    assert signature_holds(bare, RSA.public_key(), signature, DATA)


@pytest.mark.parametrize(("identifier", "key"), [(RSA_ENCRYPTION, RSA), (EC_KEY, EC)])
def test_a_kind_alone_needs_the_digest_from_around_it(
    identifier: bytes, key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
) -> None:
    if isinstance(key, rsa.RSAPrivateKey):
        signature = key.sign(DATA, padding.PKCS1v15(), hashes.SHA512())
    else:
        signature = key.sign(DATA, ec.ECDSA(hashes.SHA512()))
    assert signature_holds(identifier, key.public_key(), signature, DATA, digest=SHA512)
    assert not signature_holds(identifier, key.public_key(), signature, DATA)


def test_md5_and_small_keys_prove_nothing() -> None:
    signature = RSA.sign(DATA, padding.PKCS1v15(), hashes.MD5())
    assert not signature_holds(MD5_RSA, RSA.public_key(), signature, DATA)
    small = ec.generate_private_key(ec.SECP192R1())
    by_small = small.sign(DATA, ec.ECDSA(hashes.SHA512()))
    identifier = write_signature("ecdsa", SHA512)
    assert not signature_holds(identifier, small.public_key(), by_small, DATA)


def test_an_identifier_of_the_other_kind_of_key_is_a_plain_no() -> None:
    signature = EC.sign(DATA, ec.ECDSA(hashes.SHA512()))
    assert not signature_holds(write_signature("rsa", SHA512), EC.public_key(), signature, DATA)
    assert not signature_holds(b"\x30\x00", EC.public_key(), signature, DATA)


@given(at=st.integers(0, 20), octets=st.binary(max_size=4), cut=st.integers(0, 4))
def test_a_changed_identifier_is_known_unknown_or_malformed(
    at: int, octets: bytes, cut: int
) -> None:
    whole = write_digest(SHA512)
    try:
        found = read_digest(whole[:at] + octets + whole[at + cut :])
    except der.DerError:
        return
    assert found is None or found in (*DIGESTS, SHA1)
