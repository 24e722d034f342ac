from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from xgate.errors import Fault
from xgate.ids import ClientId
from xgate.testing.pki import (
    NOT_BEFORE,
    Credential,
    FixedTrust,
    certify,
    issue,
    issue_auth,
    issue_ocsp,
    issue_sign,
    issue_tsa,
    make_ca,
    make_ec_key,
    make_key,
    make_rsa_key,
)
from xgate.trust.anchors import ApprovedCa
from xgate.trust.certificate import check_sign_certificate, is_auth_certificate, member_of

CA = make_ca("PKI tests")
INNER = make_ca("PKI tests, inner", issuer=CA, path_length=0)
MEMBER = ClientId("DEV", "COM", "1234", "Sub")


def test_keys_are_made_once() -> None:
    assert make_key("one") is make_key("one") is make_ec_key("one") is make_ec_key("one", "P-256")
    assert make_key("one") is not make_key("two")
    assert make_ec_key("one", "P-384").curve.name == "secp384r1"
    assert isinstance(make_rsa_key("one"), rsa.RSAPrivateKey)


def test_a_signing_certificate_names_its_member() -> None:
    made = issue_sign(CA, MEMBER)
    check_sign_certificate(made.certificate)
    assert member_of(made.certificate, "Basic", MEMBER) == MEMBER.member
    assert not is_auth_certificate(made.certificate)


def test_an_auth_certificate_may_stand_for_a_server() -> None:
    assert is_auth_certificate(issue_auth(CA, "ss.example").certificate)


def test_serial_numbers_tell_certificates_apart_and_stay() -> None:
    made = [
        issue_auth(CA, "one.example"),
        issue_auth(CA, "two.example"),
        issue_auth(CA, "one.example", not_before=datetime(2026, 1, 1, tzinfo=UTC)),
    ]
    assert len({credential.certificate.serial for credential in made}) == 3
    again = issue_auth(CA, "one.example").certificate
    assert again.serial == made[0].certificate.serial
    assert again.not_before == NOT_BEFORE
    name = [(NameOID.COMMON_NAME, "numbered")]
    assert issue(CA, name, make_key("numbered"), serial=5).certificate.serial == 5


@pytest.mark.parametrize(
    ("credential", "purpose"),
    [
        (issue_auth(INNER, "ss.example"), "sslclient"),
        (issue_auth(INNER, "ss.example"), "sslserver"),
        (issue_ocsp(INNER), "ocsphelper"),
        (issue_tsa(INNER), "timestampsign"),
        (issue_sign(INNER, MEMBER), "any"),
    ],
    ids=["client", "server", "ocsp", "tsa", "sign"],
)
def test_openssl_accepts_every_certificate(
    tmp_path: Path, credential: Credential, purpose: str
) -> None:
    for name, certificate in (
        ("ca", CA.certificate),
        ("inner", INNER.certificate),
        ("leaf", credential.certificate),
    ):
        pem = x509.load_der_x509_certificate(certificate.der).public_bytes(Encoding.PEM)
        (tmp_path / name).write_bytes(pem)
    said = subprocess.run(
        [
            *("openssl", "verify", "-x509_strict", "-purpose", purpose),
            *("-CAfile", str(tmp_path / "ca"), "-untrusted", str(tmp_path / "inner")),
            str(tmp_path / "leaf"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == 0, said.stderr


def test_a_fixed_trust_knows_its_instances() -> None:
    approved = ApprovedCa("DEV", CA.certificate, "Basic")
    trust = FixedTrust((approved,))
    assert trust.find_cas("DEV", CA.certificate.subject) == [approved]
    assert trust.find_cas("DEV", INNER.certificate.subject) == []
    with pytest.raises(Fault, match="'NONE' is not known"):
        trust.find_cas("NONE", CA.certificate.subject)


def test_a_key_that_is_elsewhere_gets_the_certificate_of_its_twin() -> None:
    twin, other = issue_sign(INNER, MEMBER), make_rsa_key("elsewhere").public_key()
    octets = other.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    made = certify(INNER, twin.certificate, octets)
    assert made.public_key == other
    assert made.subject == twin.certificate.subject
    check_sign_certificate(made)
    assert made.serial != twin.certificate.serial
    ours, theirs = (x509.load_der_x509_certificate(c.der) for c in (made, twin.certificate))
    ours.verify_directly_issued_by(x509.load_der_x509_certificate(INNER.certificate.der))
    assert [e.oid for e in ours.extensions] == [e.oid for e in theirs.extensions]
    key_id = x509.SubjectKeyIdentifier.from_public_key(other)
    assert ours.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value == key_id
