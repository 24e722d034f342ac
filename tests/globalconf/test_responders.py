"""Which responder first: by cost as the operator wants, and what a certificate names itself."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

from xgate.globalconf.responders import OcspOrder, named_responders, order_responders
from xgate.globalconf.shared import OcspInfo
from xgate.trust.certificate import Certificate

LISTED = (
    OcspInfo("unknown"),
    OcspInfo("paid", cost_type="PAID"),
    OcspInfo("free", cost_type="FREE"),
    OcspInfo("undefined", cost_type="UNDEFINED"),
    OcspInfo("paid 2", cost_type="PAID"),
)


@pytest.mark.parametrize(
    ("order", "urls"),
    [
        ("none", ["unknown", "paid", "free", "undefined", "paid 2"]),
        ("free-first", ["free", "paid", "paid 2", "unknown", "undefined"]),
        ("paid-first", ["paid", "paid 2", "free", "unknown", "undefined"]),
        ("only-free", ["free"]),
        ("only-paid", ["paid", "paid 2"]),
    ],
)
def test_order(order: OcspOrder, urls: list[str]) -> None:
    assert [info.url for info in order_responders(LISTED, order)] == urls


def certificate(extension: x509.ExtensionType | None) -> Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2030, 1, 1, tzinfo=UTC))
    )
    if extension is not None:
        builder = builder.add_extension(extension, critical=False)
    return Certificate.load(builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER))


def access(method: x509.ObjectIdentifier, url: str) -> x509.AccessDescription:
    return x509.AccessDescription(method, x509.UniformResourceIdentifier(url))


def test_a_certificate_may_name_one_itself() -> None:
    issuers = access(AuthorityInformationAccessOID.CA_ISSUERS, "http://ca")
    first, second = (access(AuthorityInformationAccessOID.OCSP, f"http://o{n}") for n in (1, 2))
    named = x509.AuthorityInformationAccess([issuers, first, second])
    assert named_responders(certificate(named)) == ("http://o1",)
    assert named_responders(certificate(x509.AuthorityInformationAccess([issuers]))) == ()
    assert named_responders(certificate(None)) == ()


@pytest.mark.parametrize("octets", [b"", b"\x30\x05", b"\x30\x02\x30\x00", b"\x04\x01x"])
def test_what_cannot_be_read_names_none(octets: bytes) -> None:
    oid = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.1")
    assert named_responders(certificate(x509.UnrecognizedExtension(oid, octets))) == ()
