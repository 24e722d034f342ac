"""The server's own configuration in PostgreSQL, for several servers that are one.

The rule: as in ``sqlite_store``: a row for each revision, a connection for each call, in a schema
of its own. The number is the key, so of two who apply at once only one succeeds. Needs the extra
``xgate[postgres]``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import errors

from xgate.errors import Fault
from xgate.serverconf.conninfo import check_conninfo
from xgate.serverconf.store import Revision

__all__ = ["PostgresConfigurationStore"]

_SCHEMA = "xgate_serverconf"
_TABLES = f"""
CREATE SCHEMA IF NOT EXISTS {_SCHEMA};
CREATE TABLE IF NOT EXISTS {_SCHEMA}.revision(
    number integer PRIMARY KEY, time timestamptz NOT NULL, author text NOT NULL,
    document bytea NOT NULL
);
"""
_SECONDS = 5
_NEWEST = "SELECT coalesce(max(number), 0) FROM revision"
_ALL = "SELECT number, time, author, document FROM revision"


class PostgresConfigurationStore:
    """A ``ConfigurationStore`` in the database that ``conninfo`` names (libpq's form)."""

    def __init__(self, conninfo: str) -> None:
        """:raises Fault: ``database_error`` when the tables are not there and cannot be made, or
        nobody can tell from ``conninfo`` where.
        """
        check_conninfo(conninfo)
        self._conninfo = conninfo
        with self._connected() as db:
            known = db.execute(
                "SELECT FROM pg_tables WHERE schemaname=%s AND tablename='revision'", (_SCHEMA,)
            )
            if not known.rowcount:
                db.execute(_TABLES.encode())

    def newest(self) -> int:
        """See ``ConfigurationStore.newest``."""
        return int(self._ask(_NEWEST)[0][0])

    def read(self, number: int) -> Revision | None:
        """See ``ConfigurationStore.read``."""
        rows = self._ask(f"{_ALL} WHERE number=%s", (number,))
        return next((Revision(*row) for row in rows), None)

    def history(self, most: int) -> Sequence[Revision]:
        """See ``ConfigurationStore.history``."""
        rows = self._ask(f"{_ALL} ORDER BY number DESC LIMIT %s", (most,))
        return [Revision(*row) for row in rows]

    def put(self, revision: Revision) -> None:
        """See ``ConfigurationStore.put``."""
        values = (revision.number, revision.time, revision.author, revision.document)
        with self._connected() as db:
            (newest,) = db.execute(_NEWEST).fetchall()[0]
            if newest == revision.number - 1:
                try:
                    db.execute("INSERT INTO revision VALUES(%s, %s, %s, %s)", values)
                except errors.UniqueViolation:
                    newest = revision.number
        if newest != revision.number - 1:
            raise Fault(
                "configuration_changed", f"Revision {newest} was applied meanwhile; look again"
            )

    def close(self) -> None:
        """Nothing is held."""

    def _ask(self, text: str, values: Sequence[object] = ()) -> list[Any]:
        with self._connected() as db:
            return db.execute(text.encode(), values, binary=True).fetchall()

    @contextmanager
    def _connected(self) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
        try:
            options = f"-c statement_timeout={_SECONDS}s -c search_path={_SCHEMA}"
            with psycopg.connect(self._conninfo, connect_timeout=_SECONDS, options=options) as db:
                yield db
        except (psycopg.Error, UnicodeError) as error:
            said = " ".join(str(error).split())
            raise Fault("database_error", f"The server's configuration: {said}") from error
