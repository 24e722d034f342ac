"""Tokens as the settings name them: a wrong PIN of the software token stops the start."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from xgate.errors import Fault
from xgate.securityserver import keys as module
from xgate.securityserver.keys import open_tokens
from xgate.securityserver.keys_settings import KeysSettings
from xgate.securityserver.section import SettingsError
from xgate.signer.sealed_token import SealedToken
from xgate.signer.store import change_pin
from xgate.signer.token import KeyParameters, ManagedToken
from xgate.testing.softhsm import SoftHsm

PIN = "Secret1234"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    change_pin(tmp_path / "keys.xgate", None, PIN)
    (tmp_path / "pin").write_text(PIN)
    return tmp_path


def settings(**said: Any) -> KeysSettings:
    return msgspec.convert({key.replace("_", "-"): v for key, v in said.items()}, KeysSettings)


def refused(whose: str, fault: Fault) -> None:
    pytest.fail(f"{whose}: {fault}")


@pytest.mark.parametrize(
    "said",
    [
        {"pin_file": "pin"},
        {"pin_env": "A_PIN"},
        {"pin_command": [sys.executable, "-c", f"print({PIN!r})"]},
        {"pins": {"0": {"pin-file": "pin"}}},
    ],
)
def test_the_software_token_opens_by_any_source(
    folder: Path, monkeypatch: pytest.MonkeyPatch, said: dict[str, Any]
) -> None:
    monkeypatch.setenv("A_PIN", PIN)
    tokens = open_tokens(settings(**said), folder, refused)
    assert tokens.software.state().active
    tokens.close()


def test_a_command_for_one_pin_inherits_no_other(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CARD_PIN", "Card999")
    told = f"import os; print({PIN!r} if 'CARD_PIN' not in os.environ else 'inherited')"
    command = [sys.executable, "-c", told]
    both = settings(pin_command=command, pins={"6b": {"pin-env": "CARD_PIN"}})
    tokens = open_tokens(both, folder, refused)
    assert tokens.software.state().active
    tokens.close()


def test_what_stops_the_start(folder: Path) -> None:
    (folder / "wrong").write_text("Geheim999")
    for said, error, text in (
        ({"pin_file": "wrong"}, Fault, "PIN of the key store is not correct"),
        ({"pin_file": "none"}, SettingsError, "No such file"),
        ({"pin_env": "A", "pin_file": "pin"}, SettingsError, "more than one of"),
        ({}, SettingsError, "needs pin-file, pin-env or pin-command"),
        ({"pin_file": "pin", "store": "gone"}, Fault, "There is no key store at"),
        ({"pin_file": "pin", "modules": {"x": {}}}, SettingsError, "none is installed"),
    ):
        with pytest.raises(error, match=text) as caught:
            open_tokens(settings(**said), folder, refused)
        assert "Geheim999" not in str(caught.value)


class Second(SealedToken):
    id = "second"


class Module:
    """A module of another package with one token, real and sealed as ours is."""

    def __init__(self, options: dict[str, Any], folder: Path, _: KeyParameters) -> None:
        self._token = Second(folder / options["file"])

    def tokens(self) -> Sequence[ManagedToken]:
        return [self._token]

    def refresh(self) -> None:
        pass

    def close(self) -> None:
        self._token.logout()


def test_another_token_that_refuses_is_reported_and_tried_no_more(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "find_module", {"third": Module}.get)
    change_pin(folder / "second.xgate", None, "Other PIN 2")
    (folder / "pins").write_text(f"0:{PIN}\nsecond:Geheim999\n")
    said: dict[str, Any] = {"pin_file": "pins", "modules": {"third": {"file": "second.xgate"}}}
    faults: list[tuple[str, str]] = []
    tokens = open_tokens(settings(**said), folder, lambda *w: faults.append((w[0], w[1].code)))
    tokens.refresh()
    assert faults == [("second", "pin_incorrect")]
    assert [token.state().active for token in tokens.all()] == [True, False]
    tokens.close()
    monkeypatch.setenv("SECOND_PIN", "Other PIN 2")
    said["pins"] = {"second": {"pin-env": "SECOND_PIN"}}
    tokens = open_tokens(settings(**said), folder, refused)
    assert [token.state().active for token in tokens.all()] == [True, True]
    tokens.close()


def test_tokens_of_devices_ini_are_there_and_log_in_by_their_pin(
    folder: Path, softhsm: SoftHsm
) -> None:
    softhsm.make_token("card", "4321", "123456")
    text = f"[hsm]\nlibrary = {softhsm.library}\ntoken_id_format = {{label}}\nslots = 1\n"
    (folder / "devices.ini").write_text(text)
    (folder / "pins").write_text(f"0:{PIN}\n{b'card'.hex()}:4321\n")
    told: list[str] = []
    tokens = open_tokens(
        settings(pin_file="pins", devices="devices.ini", rsa_bits=3072),
        folder,
        lambda whose, fault: told.append(f"{whose}: {fault.text}"),
    )
    try:
        card = tokens.check(b"card".hex())
        assert card.state().active
        assert len(card.generate("rsa", "k").public_key) > 400  # of 3072 bits
    finally:
        tokens.close()
    assert told == [
        f"module: {folder}/devices.ini: [hsm] has no key 'slots'; did you mean 'slot_ids'?"
    ]


def test_devices_that_cannot_be_read_stop_the_start(folder: Path) -> None:
    with pytest.raises(SettingsError, match=r"\[keys\] devices: Cannot read .*devices\.ini"):
        open_tokens(settings(pin_file="pin", devices="devices.ini"), folder, refused)
