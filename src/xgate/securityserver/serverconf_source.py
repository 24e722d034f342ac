"""This server's own configuration, wherever it is kept, and what has become of it.

The rule: read whole, and given out as the same value for as long as it is the same revision; one
that cannot be used leaves the one before it in place. Nothing here waits for the event loop.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import msgspec

from xgate.errors import Fault
from xgate.securityserver.client_settings import Document
from xgate.securityserver.registry import read_document, read_serverconf
from xgate.securityserver.section import SettingsError
from xgate.securityserver.serverconf_settings import ServerconfSettings
from xgate.securityserver.settings import Settings
from xgate.serverconf.model import ServerConf
from xgate.serverconf.sqlite_store import SqliteConfigurationStore
from xgate.serverconf.store import ConfigurationStore, Revision

__all__ = ["open_configuration", "open_store", "read_revision"]


def open_configuration(settings: Settings, folder: Path) -> Callable[[], ServerConf]:
    """What gives the configuration of now, the same value as long as it is the same.

    :raises SettingsError: the settings cannot be used, or name clients beside a store.
    :raises Fault: the store cannot be opened.
    """
    if settings.serverconf.use == "settings":
        conf = read_serverconf(settings, folder)
        return lambda: conf
    if settings.client:
        raise SettingsError(
            f"[[client]] stands in the settings, and [serverconf] use = "
            f"'{settings.serverconf.use}': put the clients into a file, and run xgate apply"
        )
    return _Stored(open_store(settings.serverconf, folder), settings, folder)


def open_store(settings: ServerconfSettings, folder: Path) -> ConfigurationStore:
    """The store that the settings name.

    :raises SettingsError: they name none. :raises Fault: ``database_error``.
    """
    if settings.use == "settings":
        raise SettingsError(
            "[serverconf] use is 'settings': the clients stand in the settings file itself; "
            "say use = 'sqlite' or 'postgres' to keep them in a store"
        )
    if settings.use == "sqlite":
        return SqliteConfigurationStore(folder / settings.path)
    if not settings.conninfo:
        raise SettingsError("[serverconf] use = 'postgres' needs conninfo")
    try:
        from xgate.serverconf.postgres_store import PostgresConfigurationStore
    except ImportError as error:
        text = f"[serverconf] use = 'postgres' needs the extra xgate[postgres]: {error}"
        raise SettingsError(text) from None
    return PostgresConfigurationStore(settings.conninfo)


def read_revision(revision: Revision) -> Document:
    """The document of a revision.

    :raises Fault: ``malformed_server_conf``: it is of a later program, or damaged.
    """
    try:
        return msgspec.json.decode(revision.document, type=Document)
    except msgspec.MsgspecError as error:
        text = f"Revision {revision.number} of the server's configuration: {error}"
        raise Fault("malformed_server_conf", text) from None


class _Stored:
    """The newest revision of a store as a configuration; threads wait for each other, so that
    nobody who began with an older revision puts it back in place of a newer one.
    """

    def __init__(self, store: ConfigurationStore, settings: Settings, folder: Path) -> None:
        self._store = store
        self._server = settings.server_id
        self._folder = folder
        self._busy = threading.Lock()
        self._number = 0
        self._conf = ServerConf(self._server)  # of nobody, until something is applied

    def __call__(self) -> ServerConf:
        with self._busy:
            newest = self._store.newest()
            if newest != self._number:
                revision = self._store.read(newest)
                if revision is not None:
                    document = read_revision(revision)
                    self._conf = read_document(document, self._server, self._folder)
                self._number = newest
            return self._conf
