"""Where a server's keys are, by its settings: opened here, or in the signer's process.

The rule: with ``[keys] signer`` this process opens no key and reads no PIN, whether the signer is
there or not; without it the key store is opened now or the server does not start.
"""

from __future__ import annotations

import os
from pathlib import Path

from xgate.cell import Cell
from xgate.clock import Clock
from xgate.securityserver.journal import Journal
from xgate.securityserver.settings import KeysSettings, SettingsError
from xgate.signer.holder import KeyHolder, LocalKeys
from xgate.signer.keyring import Keyring, read_keyring
from xgate.signer.remote import RemoteKeys
from xgate.signer.signer import Signer
from xgate.signer.store import read_store

__all__ = ["open_key_holder", "open_keys", "signer_socket"]


def signer_socket(settings: KeysSettings, folder: Path) -> Path | None:
    """The socket of the signer's process, or None: there is none.

    :param folder: where relative paths of the settings count from.
    """
    return (folder / settings.signer).absolute() if settings.signer else None


def open_key_holder(
    settings: KeysSettings, folder: Path, clock: Clock, journal: Journal
) -> KeyHolder:
    """Who signs for the server.

    :param folder: where relative paths of the settings count from.
    :raises SettingsError: the settings say not where the PIN is.
    :raises Fault: the key store does not open.
    """
    path = signer_socket(settings, folder)
    if path is not None:
        return RemoteKeys(path, journal.event)
    return LocalKeys(Cell(open_keys(settings, folder)), Signer(clock))


def open_keys(settings: KeysSettings, folder: Path) -> Keyring:
    """Every usable key, opened in this process; errors as ``open_key_holder``."""
    if settings.pin_file:
        try:
            pin = (folder / settings.pin_file).read_text().split("\n", 1)[0]
        except OSError as error:
            raise SettingsError(f"pin-file {settings.pin_file}: {error.strerror}") from None
    elif settings.pin_env in os.environ:
        pin = os.environ[settings.pin_env]
    else:
        raise SettingsError(
            f"the environment variable {settings.pin_env} (pin-env) is not set"
            if settings.pin_env
            else "[keys] needs pin-file or pin-env"
        )
    return read_keyring(read_store(folder / settings.store).unlock(pin))
