"""The message log that a command is about: the one of a server's settings, or a file by its name.

The rule: opened for reading only, so a server that is running is not disturbed and nothing is ever
made or changed. What the arguments name and cannot be used is told as such, and ends with 2.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from xgate.cli.output import Unusable, path_text
from xgate.errors import Fault
from xgate.messagelog.record_keys import RecordKeys
from xgate.messagelog.sealed import SealedStore
from xgate.messagelog.sqlite import SqliteStore
from xgate.messagelog.store import LogStore
from xgate.securityserver import log_store
from xgate.securityserver.settings import Settings, SettingsError, load_settings

__all__ = ["open_log", "read_settings"]


@contextmanager
def open_log(config: Path | None, store: Path | None) -> Iterator[LogStore]:
    """The log, while the block lasts.

    :param config: a server's settings file. :param store: the log's own file (SQLite).
    :raises Unusable: not exactly one of them is given, or there is no log that can be read.
    """
    if (config is None) == (store is None):
        raise Unusable("Say which log: --config with a server's settings file, or --store")
    try:
        opened = _of_settings(config) if config is not None else _of_file(store or Path())
    except Fault as fault:
        raise Unusable(fault.text) from None
    try:
        yield opened
    finally:
        opened.close()


def read_settings(config: Path) -> Settings:
    """A server's settings. :raises Unusable: they cannot be used."""
    try:
        return load_settings(config)
    except SettingsError as error:
        raise Unusable(str(error)) from None


def _of_settings(config: Path) -> LogStore:
    settings = read_settings(config)
    try:
        return log_store.open_log(settings.messagelog, config.resolve().parent, read_only=True)
    except SettingsError as error:
        raise Unusable(str(error)) from None


def _of_file(path: Path) -> LogStore:
    """What is encrypted in it cannot be opened: its keys stand in the settings."""
    if not path.is_file():
        raise Unusable(f"There is no message log {path_text(path)}")
    return SealedStore(SqliteStore(path, read_only=True), RecordKeys({}))
