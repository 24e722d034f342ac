"""A server's keys on a hardware token: made there, certified, and registered for its signer."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from xgate.sandbox.country import Country, found_country
from xgate.securityserver.keys import open_tokens
from xgate.securityserver.settings import load_settings
from xgate.testing.softhsm import SoftHsm

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


@pytest.fixture
def equipped(softhsm: SoftHsm, tmp_path: Path) -> Country:
    folder = tmp_path / "country"
    folder.mkdir()
    return found_country(folder, NOW, kind="P-256", hsm=softhsm.library)


def test_a_server_opens_its_token_and_finds_its_keys(
    equipped: Country, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in equipped.places:
        assert place.hardware is not None
        for name, value in place.hardware.environment.items():
            monkeypatch.setenv(name, value)
        settings = load_settings(place.settings)
        tokens = open_tokens(settings.keys, place.folder, pytest.fail)  # type: ignore[arg-type]
        try:
            ring = tokens.keyring()
            (sign,), (auth,) = ring.signing, ring.authentication
            assert sign.member == place.client.member
            assert sign.token.id == place.hardware.token
            assert sign.certificate == place.hardware.sign.certificate
            assert auth.certificate == place.hardware.auth.certificate == place.auth_certificate
            assert not tokens.software.keys()
        finally:
            tokens.close()


def test_certificates_are_those_of_software_keys_but_for_the_key(equipped: Country) -> None:
    for place in equipped.places:
        assert place.hardware is not None
        for made, twin in ((place.hardware.sign, place.sign), (place.hardware.auth, place.auth)):
            here = x509.load_der_x509_certificate(made.certificate.der)
            there = x509.load_der_x509_certificate(twin.certificate.der)
            assert here.subject == there.subject
            assert here.serial_number != there.serial_number
            public = here.public_key()
            assert isinstance(public, ec.EllipticCurvePublicKey)
            assert public != there.public_key()
            here.verify_directly_issued_by(
                x509.load_der_x509_certificate(equipped.ca.certificate.der)
            )


def test_pins_are_their_owners_alone_and_nowhere_else(equipped: Country) -> None:
    place = equipped.consumer
    pin_file = place.folder / "pin"
    assert pin_file.stat().st_mode & 0o077 == 0
    pins = [line.split(":")[1] for line in pin_file.read_text().splitlines()]
    assert len(set(pins)) == 2
    for file in place.folder.rglob("*"):
        if file.is_file() and file != pin_file:
            assert not any(pin.encode() in file.read_bytes() for pin in pins), file
    assert "SOFTHSM2_CONF" in os.environ  # of the test's own store, as it was before
    assert str(place.folder) not in os.environ["SOFTHSM2_CONF"]
