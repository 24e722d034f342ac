"""The server's own configuration in one SQLite file.

The rule: a row for each revision; a row is on the disk when ``put`` returns. Each call has a
connection of its own: they are few, and this way nothing is held between them.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from xgate.errors import Fault
from xgate.owner import find_owner, make_folder, open_or_make
from xgate.serverconf.store import Revision

__all__ = ["SqliteConfigurationStore"]

_APPLICATION = 0x78677331  # "xgs1"
_TABLE = f"""
BEGIN IMMEDIATE;
PRAGMA application_id={_APPLICATION};
PRAGMA user_version=1;
CREATE TABLE IF NOT EXISTS revision(
    number INTEGER PRIMARY KEY, time_us INTEGER NOT NULL, author TEXT NOT NULL,
    document BLOB NOT NULL
) STRICT;
COMMIT;
"""
_GREATEST = (1 << 63) - 1
_COLUMNS = "number, time_us, author, document"


class SqliteConfigurationStore:
    """A ``ConfigurationStore`` in the file ``path``, made if it does not exist (mode 0600)."""

    def __init__(self, path: Path) -> None:
        """:raises Fault: ``database_error`` when the file cannot be used, or is another's."""
        self._path = path
        try:
            make_folder(path.parent, 0o700)
            os.close(open_or_make(path, find_owner(path), 0o600))
        except OSError as error:
            raise Fault("database_error", f"{path}: {error.strerror}") from None
        with self._connected() as db:
            (application,) = db.execute("PRAGMA application_id").fetchone()
            (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
            if application != _APPLICATION:
                if tables:
                    raise sqlite3.DatabaseError("the file belongs to another program")
                db.executescript(_TABLE)

    def newest(self) -> int:
        """See ``ConfigurationStore.newest``."""
        with self._connected() as db:
            (number,) = db.execute("SELECT max(number) FROM revision").fetchone()
        return int(number or 0)

    def read(self, number: int) -> Revision | None:
        """See ``ConfigurationStore.read``."""
        if abs(number) > _GREATEST:
            return None  # SQLite has no such number
        with self._connected() as db:
            text = f"SELECT {_COLUMNS} FROM revision WHERE number=?"  # noqa: S608  names from here
            row = db.execute(text, (number,)).fetchone()
        return None if row is None else _revision(row)

    def history(self, most: int) -> Sequence[Revision]:
        """See ``ConfigurationStore.history``."""
        with self._connected() as db:
            text = f"SELECT {_COLUMNS} FROM revision ORDER BY number DESC LIMIT ?"  # noqa: S608
            return [_revision(row) for row in db.execute(text, (most,))]

    def put(self, revision: Revision) -> None:
        """See ``ConfigurationStore.put``."""
        with self._connected() as db:
            db.execute("BEGIN IMMEDIATE")
            (newest,) = db.execute("SELECT coalesce(max(number), 0) FROM revision").fetchone()
            if newest != revision.number - 1:
                raise Fault(
                    "configuration_changed", f"Revision {newest} was applied meanwhile; look again"
                )
            values = (
                revision.number,
                round(revision.time.timestamp() * 1_000_000),
                revision.author,
                revision.document,
            )
            db.execute("INSERT INTO revision VALUES(?, ?, ?, ?)", values)
            db.execute("COMMIT")

    def close(self) -> None:
        """Nothing is held."""

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        uri = f"{self._path.absolute().as_uri()}?mode=rw"
        try:
            with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as db:
                db.execute("PRAGMA synchronous=FULL")
                yield db
        except (sqlite3.Error, UnicodeError) as error:
            text = f"The server's configuration in {self._path}: {error}"
            raise Fault("database_error", text) from error


def _revision(row: tuple[int, int, str, bytes]) -> Revision:
    number, microseconds, author, document = row
    time = datetime.fromtimestamp(microseconds / 1_000_000, UTC)
    return Revision(number, time, author, document)
