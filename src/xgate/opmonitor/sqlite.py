"""Operational records in one SQLite file.

The rule: a record is one row, its JSON with the columns that are searched by beside it. Committed
without waiting for the disk: a crash of the program loses nothing, one of the machine the last
moments, and the file stays whole.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from xgate.ids import ClientId
from xgate.net.room import free_octets
from xgate.opmonitor.record import OperationalRecord, read_record, write_record
from xgate.opmonitor.store import Stored

__all__ = ["SqliteOperationalStore"]

_APPLICATION = 0x78676F31  # "xgo1"
_TABLES = f"""
PRAGMA application_id={_APPLICATION};
PRAGMA user_version=1;
CREATE TABLE operational(
    id INTEGER PRIMARY KEY, time INTEGER NOT NULL, client TEXT, provider TEXT, record BLOB NOT NULL
) STRICT;
CREATE INDEX operational_time ON operational(time);
"""
_ALL = "SELECT time, record FROM operational WHERE time BETWEEN ? AND ?"
_ONE = f"{_ALL} AND ? IN (client, provider)"


class SqliteOperationalStore:
    """An ``OperationalStore`` in the file ``path``, made if it does not exist (mode 0600)."""

    def __init__(self, path: Path, *, read_only: bool = False, spare: int = 0) -> None:
        """:param read_only: for other processes than the server: makes and changes nothing.
        :param spare: octets of the file system that are left to others: anybody can bring records
            about, and the message log may be beside them.
        :raises OSError: the file cannot be opened, or is another program's.
        """
        self._path = path
        self._spare = spare
        self._lock = threading.Lock()
        with _as_os_errors(path):
            if not read_only:
                path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            self._db = _connect(path, write=not read_only)
            try:
                _prepare(self._db, write=not read_only)
            except BaseException:
                self._db.close()
                raise

    def append(self, records: Sequence[OperationalRecord], time: int) -> None:
        """Keep all or none (``OperationalStore.append``)."""
        if self._spare and (free := free_octets(self._path.parent)) < self._spare:
            text = f"{free} octets are free beside {self._path}, and {self._spare} must be left"
            raise OSError(errno.ENOSPC, f"{text} ([opmonitor] free-bytes)")
        with _as_os_errors(self._path), self._lock, self._db:
            self._db.executemany(
                "INSERT INTO operational(time, client, provider, record) VALUES(?, ?, ?, ?)",
                [(time, _client(r), _provider(r), write_record(r)) for r in records],
            )

    def find(self, since: int, until: int, client: ClientId | None = None) -> Iterator[Stored]:
        """What was stored between (``OperationalStore.find``)."""
        text = f"{_ALL if client is None else _ONE} ORDER BY time, id"
        values = (since, until) if client is None else (since, until, client.url)
        with _as_os_errors(self._path), closing(_connect(self._path, write=False)) as db:
            for time, octets in db.execute(text, values):
                yield Stored(time, read_record(octets))

    def clean(self, before: int) -> int:
        """Delete what is older (``OperationalStore.clean``)."""
        with _as_os_errors(self._path), self._lock, self._db:
            return self._db.execute("DELETE FROM operational WHERE time < ?", (before,)).rowcount

    def close(self) -> None:
        """Close the writing connection."""
        self._db.close()


def _connect(path: Path, *, write: bool) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode={'rw' if write else 'ro'}"
    return sqlite3.connect(uri, uri=True, check_same_thread=False, timeout=5.0)


def _prepare(db: sqlite3.Connection, *, write: bool) -> None:
    (application,) = db.execute("PRAGMA application_id").fetchone()
    (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application != _APPLICATION:
        if tables or not write:
            raise sqlite3.DatabaseError("the file belongs to another program")
        db.execute("PRAGMA journal_mode=WAL")
        db.executescript(f"BEGIN IMMEDIATE;{_TABLES}COMMIT;")
    if write:
        db.execute("PRAGMA synchronous=NORMAL")


def _client(record: OperationalRecord) -> str | None:
    return _url(
        record.client_x_road_instance,
        record.client_member_class,
        record.client_member_code,
        record.client_subsystem_code,
    )


def _provider(record: OperationalRecord) -> str | None:
    return _url(
        record.service_x_road_instance,
        record.service_member_class,
        record.service_member_code,
        record.service_subsystem_code,
    )


def _url(
    instance: str | None, member_class: str | None, code: str | None, subsystem: str | None
) -> str | None:
    if not instance or not member_class or not code:
        return None
    return ClientId(instance, member_class, code, subsystem).url


@contextmanager
def _as_os_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, UnicodeError, OverflowError) as error:
        raise OSError(f"the operational records in {path}: {error}") from error
