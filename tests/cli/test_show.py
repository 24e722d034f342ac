"""Names and times as people read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from cryptography import x509
from cryptography.x509.oid import NameOID

from xgate.cli.show import name_text, show_certificate, time_text
from xgate.testing.authority import Authority
from xgate.trust.name import Name


def name(*attributes: tuple[x509.ObjectIdentifier, str]) -> Name:
    return Name.load(x509.Name([x509.NameAttribute(*a) for a in attributes]).public_bytes())


def test_a_name_has_words_for_what_x_road_uses() -> None:
    subject = name(
        (NameOID.COUNTRY_NAME, "FI"),
        (NameOID.ORGANIZATION_NAME, "A, B"),
        (NameOID.COMMON_NAME, "ss0"),
        (NameOID.SERIAL_NUMBER, "DEV/SS0/COM"),
    )
    assert name_text(subject) == "serialNumber=DEV/SS0/COM, CN=ss0, O=A\\, B, C=FI"


def test_an_unknown_kind_keeps_its_number() -> None:
    assert name_text(name((x509.ObjectIdentifier("1.2.3.4"), "x"))) == "1.2.3.4=#0c0178"


def test_times_are_told_in_utc() -> None:
    moment = datetime(2026, 1, 31, 12, tzinfo=timezone(timedelta(hours=2)))
    assert time_text(moment) == "2026-01-31 10:00:00 UTC"


def test_what_is_shown_of_a_certificate() -> None:
    certificate = Authority().ca.certificate
    shown = show_certificate(certificate)
    assert shown.subject == shown.issuer == name_text(certificate.subject)
    assert shown.serial == str(certificate.serial)
    assert shown.sha256 == certificate.sha256.hex()
    assert shown.not_before.tzinfo is UTC
