"""Where keys are, by the settings."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from xgate.clock import SystemClock
from xgate.errors import Fault
from xgate.sandbox.country import found_country
from xgate.sandbox.lines import Lines
from xgate.securityserver.journal import Journal
from xgate.securityserver.key_holder import open_key_holder, open_keys, signer_socket
from xgate.securityserver.settings import KeysSettings, SettingsError
from xgate.signer.holder import LocalKeys
from xgate.signer.remote import RemoteKeys


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of a server with a key store whose PIN is in a file."""
    return found_country(tmp_path, datetime.now(UTC), kind="P-256").consumer.folder


def test_without_a_signer_the_keys_are_opened_here(folder: Path) -> None:
    settings = KeysSettings(pin_file="pin")
    journal = Journal(SystemClock(), Lines().write)
    holder = open_key_holder(settings, folder, SystemClock(), journal)
    assert isinstance(holder, LocalKeys)
    assert len(holder.ring.value.certificates()) == 2


def test_with_a_signer_nothing_is_opened_here(folder: Path) -> None:
    settings = KeysSettings(signer="run/signer.sock", pin_env="NOT_SET_HERE")
    journal = Journal(SystemClock(), Lines().write)
    (folder / "keys.xgate").unlink()
    holder = open_key_holder(settings, folder, SystemClock(), journal)
    assert isinstance(holder, RemoteKeys)
    assert holder.ring.value.certificates() == ()
    assert "is xgate signer running?" in holder.ring.value.absent
    with pytest.raises(Fault, match="No signer answers at"):
        open_keys(settings, folder)


def test_the_socket_counts_from_the_settings_folder(tmp_path: Path) -> None:
    assert signer_socket(KeysSettings(), tmp_path) is None
    assert signer_socket(KeysSettings(signer="run/s"), tmp_path) == tmp_path / "run" / "s"
    assert signer_socket(KeysSettings(signer="/run/s"), tmp_path) == Path("/run/s")


def test_a_pin_that_is_not_there_or_wrong(folder: Path) -> None:
    with pytest.raises(SettingsError, match="needs pin-file, pin-env or pin-command"):
        open_keys(KeysSettings(), folder)
    with pytest.raises(SettingsError, match="NOT_SET_HERE"):
        open_keys(KeysSettings(pin_env="NOT_SET_HERE"), folder)
    with pytest.raises(SettingsError, match="several lines"):
        open_keys(KeysSettings(pin_file="xgate.toml"), folder)
    with pytest.raises(Fault, match="pin_incorrect"):
        open_keys(KeysSettings(pin_command=("echo", "Geheim999")), folder)
