"""The message log in PostgreSQL, for servers that are many or already have one.

The rule: every piece of work is one transaction that may be done twice: records are known by their
keys, stamps and marks by what they would change. So a connection that was lost, even in the moment
of its commit, is replaced and the work done again, once; then it is a refusal, and the next call
tries anew. Numbers come from one sequence for all servers. Needs the extra ``xgate[postgres]``.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from typing import Any, TypeVar

import psycopg
from psycopg import errors

from xgate.errors import Fault
from xgate.messagelog import postgres_work as work
from xgate.messagelog import rows
from xgate.messagelog.postgres_pool import Connection, Pool
from xgate.messagelog.postgres_tables import MIGRATION_LOCK, SCHEMA, STEPS, TASK_LOCKS
from xgate.messagelog.record import LoggedRecord, Outline, Record, Stamp
from xgate.messagelog.relational import RelationalReader
from xgate.messagelog.store import Task
from xgate.serverconf.conninfo import check_conninfo
from xgate.trust.linking import Link

__all__ = ["PostgresStore"]

T = TypeVar("T")
_CROSSED = (
    errors.UniqueViolation,
    errors.ForeignKeyViolation,
    errors.DeadlockDetected,
    errors.SerializationFailure,
)
"""Two servers' work has crossed; done again, it finds what the other did."""
_TRIES = 4
_NEXT_ROWS = b"FETCH 64 FROM found"  # of a search, without their messages
_PIECE = 1 << 20  # octets of a part that are asked for at once
_PART_SIZE = "SELECT length(octets) FROM part WHERE record_id = ? AND number = ?"
_PART_PIECE = "SELECT substr(octets, ?, ?) FROM part WHERE record_id = ? AND number = ?"
# Whoever reads may think about a record for as long: an archiver writes, a person reads on.
_READING_TIME = b"SET LOCAL idle_in_transaction_session_timeout = '1h'"


class PostgresStore(RelationalReader):
    """A ``LogStore`` in the database that ``conninfo`` names (libpq's form)."""

    def __init__(
        self,
        conninfo: str,
        *,
        read_only: bool = False,
        connect_seconds: int = 5,
        answer_seconds: float = 10.0,
    ) -> None:
        """A database that is not there yet is no error: it is asked for again at every call.

        :param connect_seconds: within which a connection must stand, at least 2.
        :param answer_seconds: within which the database must have answered each statement.
        :raises Fault: ``logging_failed`` when its tables are a later version's, or cannot be made;
            ``database_error`` when ``conninfo`` cannot be read.
        """
        check_conninfo(conninfo)
        self._read_only = read_only
        self._prepared = False
        self._pool = Pool(
            conninfo,
            connect_seconds=connect_seconds,
            answer_seconds=answer_seconds,
            read_only=read_only,
            begin=self._begin,
        )
        try:
            with self._pool.borrow():
                pass
        except psycopg.OperationalError:
            return
        except psycopg.Error as error:
            raise Fault("logging_failed", f"Cannot use the message log: {error}") from None

    def append(self, records: Sequence[Record]) -> Sequence[int]:
        """Keep all records durably (``LogStore.append``)."""
        if not records:
            return []
        again = all(record.key for record in records)
        return self._run(lambda db: work.append(db, records), again=again)

    def check_writable(self) -> None:
        """Commit a transaction that has a number (``LogStore.check_writable``).

        A number is given only where rows may be written, and its commit is flushed to the disk.
        """
        self._run(lambda db: db.execute("SELECT txid_current()"))

    def stamp(self, stamps: Mapping[int, Stamp], documents: Mapping[int, bytes]) -> None:
        """Attach timestamps (``LogStore.stamp``)."""
        self._run(lambda db: work.stamp(db, stamps, documents))

    def links(self) -> Mapping[str | None, Link]:
        """The last links of the archives (``LogStore.links``)."""
        return self._run(work.read_links)

    def archived(self, numbers: Sequence[int], links: Mapping[str | None, Link]) -> None:
        """Mark as archived, and put the links (``LogStore.archived``)."""
        self._run(lambda db: work.archive(db, numbers, links))

    def clean(self, before: datetime, limit: int) -> int:
        """Delete old archived records (``LogStore.clean``)."""
        return self._run(lambda db: work.clean(db, before, limit))

    @contextmanager
    def alone(self, task: Task) -> Iterator[bool]:
        """Whether this process may do ``task`` now, among all servers (``LogStore.alone``)."""
        lock = TASK_LOCKS[task]
        with _log_faults(), self._pool.borrow(fresh=True) as db:
            (mine,) = db.execute("SELECT pg_try_advisory_lock(%s, %s)", lock).fetchall()[0]
            try:
                yield bool(mine)
            finally:
                if mine and not db.closed:
                    _unlock(db, lock)

    def close(self) -> None:
        """Close the idle connections."""
        self._pool.close()

    def _begin(self, db: Connection) -> None:
        """Know or make the tables, on the first connection of this process."""
        if self._prepared:
            return
        with db.transaction():
            if self._read_only:
                version = _version(db)
                if version < len(STEPS):
                    raise errors.UndefinedTable(
                        f"its tables are of version {version}; a server makes them at start"
                    )
            else:
                _migrate(db)
        self._prepared = True

    def _run(self, job: Callable[[Connection], T], *, again: bool = True) -> T:
        """One transaction; once more when it was lost, and more often when it was crossed.

        :param again: whether the work may be done twice.
        """
        with _log_faults():
            for tries in range(1, _TRIES):
                db = None
                try:
                    with self._pool.borrow() as db, db.transaction():
                        return job(db)
                except _CROSSED:
                    continue
                except psycopg.OperationalError:
                    lost = db is not None and db.closed
                    if not (lost and again and tries == 1):
                        raise
            with self._pool.borrow() as db, db.transaction():
                return job(db)

    def _ask(self, text: str, values: Sequence[object] = ()) -> list[Any]:
        return self._run(lambda db: db.execute(work.marked(text), values, binary=True).fetchall())

    def _records(self, text: str, values: Sequence[object]) -> Iterator[LoggedRecord]:
        with closing(self._found(text, values, rows.PARTS)) as found:
            for row, parts in found:
                yield rows.read_record(row, parts)

    def _outlines(self, text: str, values: Sequence[object]) -> Iterator[Outline]:
        with closing(self._found(text, values, rows.SIZES)) as found:
            for row, sizes in found:
                yield rows.read_outline(row, sizes)

    def _part(self, number: int, place: int) -> Iterator[bytes]:
        found = self._ask(_PART_SIZE, (number, place))
        if not found:
            raise rows.not_there(number, place)
        for position in range(0, found[0][0], _PIECE):
            piece = self._ask(_PART_PIECE, (position + 1, _PIECE, number, place))
            if not piece:
                raise rows.not_there(number, place)
            yield piece[0][0]

    def _found(
        self, text: str, values: Sequence[object], of_parts: str
    ) -> Generator[tuple[Any, dict[int, Any]], None, None]:
        """Each row of the answer, and what is asked of the parts of its record."""
        with _log_faults(), self._pool.borrow() as db, db.transaction():
            db.execute(_READING_TIME)
            db.execute(b"DECLARE found NO SCROLL CURSOR FOR " + work.marked(text), values)
            while page := db.execute(_NEXT_ROWS, binary=True).fetchall():
                for row in page:
                    parts = db.execute(work.marked(of_parts), row[:1], binary=True).fetchall()
                    yield row, dict(parts)


@contextmanager
def _log_faults() -> Iterator[None]:
    """PostgreSQL's errors, and what it cannot hold or we not read, as the log's refusal."""
    try:
        yield
    except (psycopg.Error, UnicodeError, OverflowError, OSError) as error:
        said = " ".join(str(error).split())
        raise Fault("logging_failed.database_error", f"The message log: {said}") from error


def _version(db: Connection) -> int:
    """The version of the tables that are there; 0 for none.

    :raises psycopg.Error: they are a later program's.
    """
    # A search of the catalogue, not to_regclass: that may remember what another has made since.
    if not db.execute(
        "SELECT FROM pg_tables WHERE schemaname = %s AND tablename = 'version'", (SCHEMA,)
    ).rowcount:
        return 0
    (version,) = db.execute("SELECT max(number) FROM version").fetchall()[0]
    if version > len(STEPS):
        raise psycopg.NotSupportedError(
            f"its tables are of version {version}, and this program knows {len(STEPS)}"
        )
    return int(version)


def _migrate(db: Connection) -> None:
    if _version(db) == len(STEPS):
        return
    db.execute("SELECT pg_advisory_xact_lock(%s, %s)", MIGRATION_LOCK)
    version = _version(db)  # another server may have been first
    if version == 0:
        # It is made by us, unless it was made for us.
        if not db.execute("SELECT FROM pg_namespace WHERE nspname = %s", (SCHEMA,)).rowcount:
            db.execute(f"CREATE SCHEMA {SCHEMA}".encode())
        db.execute(b"CREATE TABLE version(number integer PRIMARY KEY, since timestamptz NOT NULL)")
    for number, step in enumerate(STEPS[version:], start=version + 1):
        db.execute(step.encode())
        db.execute("INSERT INTO version VALUES(%s, now())", (number,))


def _unlock(db: Connection, lock: tuple[int, int]) -> None:
    try:
        db.execute("SELECT pg_advisory_unlock(%s, %s)", lock)
    except psycopg.Error:
        db.close()  # a lock that cannot be given back goes with its connection
