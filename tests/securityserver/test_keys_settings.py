"""The section of keys and tokens."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from xgate.securityserver.keys_settings import KeysSettings, pin_source
from xgate.securityserver.section import SettingsError
from xgate.signer.pins import PinSource
from xgate.signer.token import KeyParameters


def test_what_holds_without_a_word() -> None:
    settings = KeysSettings()
    assert settings.store == "keys.xgate"
    assert settings.parameters == KeyParameters(2048, "secp256r1")
    assert pin_source(settings, Path("/etc")) is None


def test_one_source_of_a_pin() -> None:
    folder = Path("/etc/xgate")
    for said, source in (
        ({"pin-file": "pin"}, PinSource(folder / "pin")),
        ({"pin-env": "XGATE_PIN"}, PinSource(env="XGATE_PIN")),
        ({"pin-command": ["pass", "xgate"]}, PinSource(command=("pass", "xgate"))),
    ):
        assert pin_source(msgspec.convert(said, KeysSettings), folder) == source
    two = KeysSettings(pin_file="pin", pin_env="XGATE_PIN")
    with pytest.raises(SettingsError, match="more than one of pin-file"):
        pin_source(two, folder)


def test_weak_keys_cannot_be_set() -> None:
    for said in ({"rsa-bits": 1024}, {"curve": "secp192r1"}, {"csr-digest": "SHA-1"}):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(said, KeysSettings)
