"""Keys, certificates and requests towards information systems, as others read them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from xgate.errors import Fault
from xgate.securityserver.internal_certificate import (
    certificate_request,
    choose_chain,
    key_pem,
    new_key,
    read_key,
    read_name,
    self_signed,
)
from xgate.testing.clock import FakeClock
from xgate.trust.certificate import Certificate

NOW = FakeClock().now()
KEY = new_key("ec")
NAMES = ("ss1.example.com", "192.0.2.7", "2001:db8::7")


def test_keys_are_long_enough_and_come_back_from_pem() -> None:
    assert isinstance(KEY, ec.EllipticCurvePrivateKey)
    long = new_key("rsa")
    assert isinstance(long, rsa.RSAPrivateKey)
    assert long.key_size == 3072
    for key in (KEY, long):
        assert read_key(key_pem(key)).public_key() == key.public_key()


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"no key",
        KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")),
        KEY.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()),
        ed25519.Ed25519PrivateKey.generate().private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        ),
    ],
)
def test_what_is_no_key_for_a_server(octets: bytes) -> None:
    with pytest.raises(Fault) as caught:
        read_key(octets)
    assert caught.value.code == "key_not_found"


def test_a_certificate_vouches_for_itself_and_its_names() -> None:
    made = self_signed(KEY, NAMES, NOW, timedelta(days=30))
    made.verify_directly_issued_by(made)
    read = Certificate.load(made.public_bytes(Encoding.DER))
    assert read.not_before == NOW - timedelta(days=1)
    assert read.not_after == NOW + timedelta(days=30)
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["ss1.example.com"]
    assert [str(a) for a in names.get_values_for_type(x509.IPAddress)] == list(NAMES[1:])


def test_a_name_too_long_for_a_subject_is_only_an_alternative_one() -> None:
    long = "a" * 60 + ".example.com"
    made = self_signed(KEY, [long], NOW, timedelta(days=1))
    assert made.subject.rfc4514_string() == "CN=xgate"
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [long]


@pytest.mark.parametrize("name", ["", "two words", "http://x", "öäü.example.com", "a@b"])
def test_a_name_that_is_none(name: str) -> None:
    with pytest.raises(Fault, match="no host name and no IP address"):
        certificate_request(KEY, read_name("CN=x"), [name])


def test_a_request_says_what_was_asked() -> None:
    made = certificate_request(KEY, read_name("CN=ss1,O=Exämple,C=FI"), NAMES[:1])
    assert made.is_signature_valid
    assert made.subject.rfc4514_string() == "CN=ss1,O=Exämple,C=FI"
    assert len(made.extensions) == 1
    assert len(certificate_request(KEY, read_name("CN=ss1"), []).extensions) == 0


@pytest.mark.parametrize("text", ["", "ss1", "CN=", "C=Finland", "=x", "XX=1"])
def test_a_subject_that_is_none(text: str) -> None:
    with pytest.raises(Fault) as caught:
        read_name(text)
    assert caught.value.code == "invalid_request"


def test_the_keys_certificate_comes_first_whatever_the_order() -> None:
    mine = self_signed(KEY, ["a"], NOW, timedelta(days=1))
    above = self_signed(new_key("ec"), ["above"], NOW, timedelta(days=1))
    octets = above.public_bytes(Encoding.PEM) + mine.public_bytes(Encoding.PEM)
    assert choose_chain(octets, KEY) == [mine, above]
    assert choose_chain(mine.public_bytes(Encoding.DER), KEY) == [mine]


@pytest.mark.parametrize(
    ("octets", "said"),
    [
        (b"", "no certificate"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "no certificate"),
        (
            self_signed(new_key("ec"), ["b"], NOW, timedelta(days=1)).public_bytes(Encoding.PEM),
            "of another key",
        ),
    ],
)
def test_what_is_no_certificate_of_the_key(octets: bytes, said: str) -> None:
    with pytest.raises(Fault, match=said) as caught:
        choose_chain(octets, KEY)
    assert caught.value.code == "incorrect_certificate"
