"""The message log in one SQLite file: the default store.

Tables: ``record`` (one small row per message), ``part`` (its octets: number 0 is the message, then
its attachments), ``evidence`` (a signature and its chain result, shared by all messages of a
batch), ``stamp`` (a token and its chain result, shared likewise). Octets stand apart from the
record because SQLite writes a row anew when a column changes, and every record is stamped later.

The rule: write-ahead log with ``synchronous=FULL``: a committed batch has been flushed to the disk
before ``append`` returns. One connection writes, under a lock; each reading has its own. The file
names its program and the version of its tables, so no other program's file is touched and a later
version knows what it finds.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from xgate.algorithms import SHA512
from xgate.errors import Fault
from xgate.ids import ClientId, parse_client
from xgate.messagelog.record import LoggedRecord, Record, Stamp
from xgate.messagelog.store import Waiting
from xgate.trust.verify import Evidence

__all__ = ["SqliteStore"]

_APPLICATION = 0x78676C31  # "xgl1"
_VERSION = 1
_TABLES = (
    """CREATE TABLE evidence(
    id INTEGER PRIMARY KEY, sha512 BLOB NOT NULL, signature BLOB NOT NULL, chain_result BLOB
) STRICT""",
    """CREATE TABLE stamp(
    id INTEGER PRIMARY KEY, token BLOB NOT NULL, chain_result BLOB
) STRICT""",
    # AUTOINCREMENT: the number of a deleted record never comes back (messagelog trap 11).
    """CREATE TABLE record(
    id INTEGER PRIMARY KEY AUTOINCREMENT, time_us INTEGER NOT NULL, owner TEXT NOT NULL,
    query_id TEXT NOT NULL, request_id TEXT NOT NULL, response INTEGER NOT NULL,
    attachments INTEGER NOT NULL, evidence_id INTEGER NOT NULL REFERENCES evidence, chain BLOB,
    stamp_id INTEGER REFERENCES stamp, stamp_chain BLOB
) STRICT""",
    """CREATE TABLE part(
    record_id INTEGER NOT NULL REFERENCES record, number INTEGER NOT NULL, octets BLOB NOT NULL,
    PRIMARY KEY(record_id, number)
) STRICT""",
    "CREATE INDEX evidence_sha512 ON evidence(sha512)",
    "CREATE INDEX record_evidence ON record(evidence_id)",
    "CREATE INDEX record_query ON record(query_id, owner)",
    "CREATE INDEX record_unstamped ON record(id) WHERE stamp_id IS NULL",
    f"PRAGMA application_id={_APPLICATION}",
    f"PRAGMA user_version={_VERSION}",
)
_WAL_BYTES = 64 << 20  # what a burst may leave behind of the write-ahead log
_BUSY_SECONDS = 5.0
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class SqliteStore:
    """A ``LogStore`` in the file ``path``, made if it does not exist (mode 0600)."""

    def __init__(self, path: Path) -> None:
        """:raises Fault: ``logging_failed`` when the file cannot be opened or is another's."""
        self._uri = f"{path.absolute().as_uri()}?mode=rw"  # a file that has gone is not made anew
        self._lock = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))  # SQLite's -wal, -shm follow it
            self._writer = self._connect()
            try:
                self._prepare()
            except BaseException:
                self._writer.close()
                raise
        except (OSError, sqlite3.Error) as error:
            raise Fault("logging_failed", f"Cannot open the message log {path}: {error}") from None

    def append(self, records: Sequence[Record]) -> Sequence[int]:
        """Keep all records durably (``LogStore.append``)."""
        with _log_faults(), self._transaction() as db:
            return [_insert(db, record) for record in records]

    def unstamped(self, limit: int) -> Sequence[Waiting]:
        """The oldest records without a timestamp (``LogStore.unstamped``)."""
        with _log_faults(), closing(self._reader()) as db:
            return db.execute(
                "SELECT r.id, e.sha512 FROM record r JOIN evidence e ON e.id = r.evidence_id "
                "WHERE r.stamp_id IS NULL ORDER BY r.id LIMIT ?",
                (limit,),
            ).fetchall()

    def stamp(self, stamps: Mapping[int, Stamp], documents: Mapping[int, bytes]) -> None:
        """Attach timestamps (``LogStore.stamp``)."""
        tokens: dict[tuple[bytes, bytes | None], int] = {}
        with _log_faults(), self._transaction() as db:
            for number, stamp in stamps.items():
                if not _is_unstamped(db, number):
                    continue
                key = (stamp.token, stamp.chain_result)
                if key not in tokens:
                    tokens[key] = _inserted(
                        db.execute("INSERT INTO stamp(token, chain_result) VALUES(?, ?)", key)
                    )
                db.execute(
                    "UPDATE record SET stamp_id=?, stamp_chain=? WHERE id=?",
                    (tokens[key], stamp.chain, number),
                )
                if number in documents:
                    _replace_signature(db, number, documents[number])

    def find(
        self,
        *,
        number: int | None = None,
        query_id: str | None = None,
        owner: ClientId | None = None,
        response: bool | None = None,
    ) -> Iterator[LoggedRecord]:
        """Records that match, oldest first (``LogStore.find``)."""
        wanted = {
            "r.id": number,
            "r.query_id": query_id,
            "r.owner": None if owner is None else owner.url,
            "r.response": response,
        }
        given = {column: value for column, value in wanted.items() if value is not None}
        with _log_faults(), closing(self._reader()) as db:
            for row in db.execute(_find(given), tuple(given.values())):
                yield _logged(db, row)

    def close(self) -> None:
        """Close the writing connection."""
        self._writer.close()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._uri,
            uri=True,
            isolation_level=None,
            check_same_thread=False,
            timeout=_BUSY_SECONDS,
        )
        connection.execute("PRAGMA foreign_keys=ON")
        return connection

    def _reader(self) -> sqlite3.Connection:
        connection = self._connect()
        connection.execute("PRAGMA query_only=ON")
        return connection

    def _prepare(self) -> None:
        """Make the tables, in one transaction with the file's name, or know them."""
        if not self._is_ours():
            self._writer.execute("PRAGMA journal_mode=WAL")
            with self._transaction() as db:
                if not self._is_ours():  # another process may have been first
                    for statement in _TABLES:
                        db.execute(statement)
        self._writer.execute("PRAGMA journal_mode=WAL")
        self._writer.execute("PRAGMA synchronous=FULL")
        self._writer.execute(f"PRAGMA journal_size_limit={_WAL_BYTES}")

    def _is_ours(self) -> bool:
        """Whether the tables are there; False for an empty file.

        :raises sqlite3.DatabaseError: the file is another program's, or a later version's.
        """
        (application,) = self._writer.execute("PRAGMA application_id").fetchone()
        (version,) = self._writer.execute("PRAGMA user_version").fetchone()
        (tables,) = self._writer.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if (application, version, tables) == (0, 0, 0):
            return False
        if application != _APPLICATION:
            raise sqlite3.DatabaseError("the file belongs to another program")
        if version != _VERSION:
            raise sqlite3.DatabaseError(
                f"its tables are of version {version}, and this program knows {_VERSION}"
            )
        return True

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing on the one writing connection, durable at its end.

        :raises sqlite3.Error: nothing of it was kept.
        """
        with self._lock:
            self._roll_back()  # what an earlier failure may have left open
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
                self._writer.execute("COMMIT")
            except BaseException:
                # A COMMIT that failed (disk full) leaves the transaction open, or has ended it.
                self._roll_back()
                raise

    def _roll_back(self) -> None:
        if self._writer.in_transaction:
            self._writer.execute("ROLLBACK")


@contextmanager
def _log_faults() -> Iterator[None]:
    """SQLite's errors, and text it cannot hold, as the log's refusal."""
    try:
        yield
    except (sqlite3.Error, UnicodeError, OverflowError) as error:
        raise Fault("logging_failed.database_error", f"The message log: {error}") from error


def _insert(db: sqlite3.Connection, record: Record) -> int:
    evidence = record.evidence
    cursor = db.execute(
        "INSERT INTO record(time_us, owner, query_id, request_id, response, attachments, "
        "evidence_id, chain) VALUES(?, ?, ?, ?, ?, ?, ?, ?)",
        (
            (record.time - _EPOCH) // _MICROSECOND,
            record.owner.url,
            record.query_id,
            record.request_id,
            record.response,
            len(record.attachments),
            _evidence(db, evidence.signature, evidence.chain_result),
            evidence.chain,
        ),
    )
    number = _inserted(cursor)
    db.executemany(
        "INSERT INTO part(record_id, number, octets) VALUES(?, ?, ?)",
        (
            (number, index, octets)
            for index, octets in enumerate((record.message, *record.attachments))
            if octets is not None
        ),
    )
    return number


def _evidence(db: sqlite3.Connection, signature: bytes, chain_result: bytes | None) -> int:
    """The row of this evidence, made if there is none.

    Both halves count: what came beside a signature that does not refer to it proves nothing, and
    must not become part of another message's evidence.
    """
    name = SHA512.of(signature)
    row = db.execute(
        "SELECT id FROM evidence WHERE sha512=? AND chain_result IS ?", (name, chain_result)
    ).fetchone()
    if row is not None:
        return int(row[0])
    return _inserted(
        db.execute(
            "INSERT INTO evidence(sha512, signature, chain_result) VALUES(?, ?, ?)",
            (name, signature, chain_result),
        )
    )


def _is_unstamped(db: sqlite3.Connection, number: int) -> bool:
    row = db.execute("SELECT 1 FROM record WHERE id=? AND stamp_id IS NULL", (number,)).fetchone()
    return row is not None


def _replace_signature(db: sqlite3.Connection, number: int, document: bytes) -> None:
    """Give one record a document of its own; the old one goes when nobody shares it."""
    old, chain_result = db.execute(
        "SELECT e.id, e.chain_result FROM record r JOIN evidence e ON e.id = r.evidence_id "
        "WHERE r.id=?",
        (number,),
    ).fetchone()
    new = _evidence(db, document, chain_result)
    db.execute("UPDATE record SET evidence_id=? WHERE id=?", (new, number))
    db.execute(
        "DELETE FROM evidence WHERE id=?1 "
        "AND NOT EXISTS(SELECT 1 FROM record WHERE evidence_id=?1)",
        (old,),
    )


def _find(columns: Iterable[str]) -> str:
    """The query for these conditions: only those given, so that each can use its index."""
    conditions = " AND ".join(f"{column}=?" for column in columns) or "1"
    return (
        "SELECT r.id, r.time_us, r.owner, r.query_id, r.request_id, r.response, r.attachments, "  # noqa: S608  the columns are named in this file
        "e.signature, e.chain_result, r.chain, s.token, s.chain_result, r.stamp_chain "
        "FROM record r JOIN evidence e ON e.id = r.evidence_id "
        f"LEFT JOIN stamp s ON s.id = r.stamp_id WHERE {conditions} ORDER BY r.id"
    )


def _logged(db: sqlite3.Connection, row: tuple[object, ...]) -> LoggedRecord:
    number, time_us, owner, query_id, request_id, response, count = row[:7]
    signature, chain_result, chain, token, stamp_result, stamp_chain = row[7:]
    parts = dict(
        db.execute("SELECT number, octets FROM part WHERE record_id=?", (number,)).fetchall()
    )
    record = Record(
        time=_EPOCH + int(str(time_us)) * _MICROSECOND,
        owner=parse_client(str(owner)),
        query_id=str(query_id),
        request_id=str(request_id),
        response=bool(response),
        message=parts[0],
        attachments=tuple(parts.get(index) for index in range(1, int(str(count)) + 1)),
        evidence=Evidence(_blob(signature) or b"", _blob(chain_result), _blob(chain)),
    )
    found = _blob(token)
    stamp = None if found is None else Stamp(found, _blob(stamp_result), _blob(stamp_chain))
    return LoggedRecord(int(str(number)), record, stamp)


def _blob(value: object) -> bytes | None:
    return value if isinstance(value, bytes) else None


def _inserted(cursor: sqlite3.Cursor) -> int:
    if cursor.lastrowid is None:
        raise sqlite3.DatabaseError("an INSERT gave no row id")
    return cursor.lastrowid
