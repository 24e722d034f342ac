"""Alternative names as people read them, those of the reference's certificates among them."""

from __future__ import annotations

import ipaddress
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from xgate.testing.network import make_identity
from xgate.testing.pki import make_ca
from xgate.trust.alternative_names import alternative_names
from xgate.trust.certificate import Certificate, Extension

BARE = make_ca("nobody else").certificate


def test_names_are_told_in_their_order() -> None:
    names = [
        x509.DNSName("b.example"),
        x509.IPAddress(ipaddress.ip_address("2001:db8::1")),
        x509.DNSName("a.example"),
    ]
    certificate = Certificate.load(make_identity("x", names=names).chain[0])
    assert alternative_names(certificate) == (
        "DNS:b.example",
        "IP Address:2001:db8::1",
        "DNS:a.example",
    )
    assert alternative_names(BARE) == ()


@given(st.binary(max_size=60))
def test_what_cannot_be_read_is_no_name(value: bytes) -> None:
    extension = Extension("2.5.29.17", False, value)
    odd = msgspec.structs.replace(BARE, extensions=(extension,))
    with suppress(UnicodeEncodeError):
        assert all(isinstance(name, str) for name in alternative_names(odd))


@pytest.mark.reference
@pytest.mark.parametrize(
    ("file", "names"),
    [
        ("cert_simple.pem", "DNS:*.example.org"),
        ("cert_empty.pem", ""),
        (
            "cert_multi.pem",
            "email:my@example.org, URI:http://example.org/, "
            "DirName:CN=My Name,OU=My Unit,O=My Organization,C=UK, DNS:*.example.org, "
            "othername:<unsupported>, Registered ID:1.2.3.4, IP Address:192.168.7.1",
        ),
    ],
)
def test_the_references_certificates(golden: Path, file: str, names: str) -> None:
    certificate = Certificate.load((golden / "tls" / file).read_bytes())
    assert ", ".join(alternative_names(certificate)) == names
