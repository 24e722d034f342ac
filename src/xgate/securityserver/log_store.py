"""From the settings to the message log, for the server and for those who read beside it.

The rule: the chosen store, with the keys in front of it, also when none of them is current: what
was encrypted once is opened or refused, never handed out as it lies there.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from xgate.messagelog.choose import find_store, known_stores
from xgate.messagelog.record_keys import read_keys
from xgate.messagelog.sealed import SealedStore
from xgate.messagelog.store import LogStore
from xgate.securityserver.settings import MessagelogSettings, SettingsError

__all__ = ["open_log"]


def open_log(settings: MessagelogSettings, folder: Path, *, read_only: bool = False) -> LogStore:
    """The message log of these settings.

    :param folder: where relative paths of the settings count from.
    :param read_only: for another process than the server: nothing is made or changed.
    :raises SettingsError: the settings name no store that there is.
    :raises Fault: ``logging_failed``: the store or a key cannot be opened.
    """
    open_store = find_store(settings.use)
    if open_store is None:
        known = ", ".join(known_stores())
        raise SettingsError(f"[messagelog] use = '{settings.use}' is no log store; known: {known}")
    encryption = settings.encryption
    files = {key_id: folder / file for key_id, file in encryption.keys.items()}
    keys = read_keys(files, encryption.current)
    return SealedStore(open_store(_options(settings), folder, read_only=read_only), keys)


def _options(settings: MessagelogSettings) -> dict[str, object]:
    """The section of the store in use; one of another package has ``[messagelog.options]``."""
    sections: dict[str, object] = {"sqlite": settings.sqlite, "postgres": settings.postgres}
    if settings.use == "postgres" and not settings.postgres.conninfo:
        raise SettingsError("[messagelog.postgres] needs conninfo")
    found: dict[str, object] = msgspec.to_builtins(sections.get(settings.use, settings.options))
    return found
