"""The message log in one SQLite file: the default store.

Tables: ``record`` (one row per message), ``evidence`` (a signature and its chain result, shared by
all messages of a batch), ``attachment``, ``stamp`` (a token and its chain result, shared likewise).

The rule: write-ahead log with ``synchronous=FULL``: a committed batch has been flushed to the disk
before ``append`` returns. One connection writes, under a lock; each reading thread has its own.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from xgate.algorithms import SHA512
from xgate.errors import Fault
from xgate.ids import ClientId, parse_client
from xgate.messagelog.record import LoggedRecord, Record, Stamp
from xgate.trust.verify import Evidence

__all__ = ["SqliteStore"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS evidence(
    id INTEGER PRIMARY KEY, sha512 BLOB NOT NULL UNIQUE, signature BLOB NOT NULL, chain_result BLOB
) STRICT;
CREATE TABLE IF NOT EXISTS stamp(
    id INTEGER PRIMARY KEY, token BLOB NOT NULL, chain_result BLOB
) STRICT;
CREATE TABLE IF NOT EXISTS record(
    id INTEGER PRIMARY KEY AUTOINCREMENT, time_us INTEGER NOT NULL, owner TEXT NOT NULL,
    query_id TEXT NOT NULL, request_id TEXT NOT NULL, response INTEGER NOT NULL,
    message BLOB NOT NULL, attachments INTEGER NOT NULL,
    evidence_id INTEGER NOT NULL REFERENCES evidence, chain BLOB,
    stamp_id INTEGER REFERENCES stamp, stamp_chain BLOB
) STRICT;
CREATE TABLE IF NOT EXISTS attachment(
    record_id INTEGER NOT NULL REFERENCES record, number INTEGER NOT NULL, octets BLOB NOT NULL,
    PRIMARY KEY(record_id, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS record_query ON record(query_id, owner);
CREATE INDEX IF NOT EXISTS record_unstamped ON record(id) WHERE stamp_id IS NULL;
"""
_APPLICATION = 0x78676C31  # "xgl1": a file of another program is never written to
_FIND = """
SELECT r.id, r.time_us, r.owner, r.query_id, r.request_id, r.response, r.message, r.attachments,
    e.signature, e.chain_result, r.chain, s.token, s.chain_result, r.stamp_chain
FROM record r JOIN evidence e ON e.id = r.evidence_id LEFT JOIN stamp s ON s.id = r.stamp_id
WHERE (?1 IS NULL OR r.query_id = ?1) AND (?2 IS NULL OR r.owner = ?2)
    AND (?3 IS NULL OR r.response = ?3)
ORDER BY r.id
"""


class SqliteStore:
    """A ``LogStore`` in the file ``path``, made if it does not exist (mode 0600)."""

    def __init__(self, path: Path) -> None:
        """:raises Fault: ``logging_failed`` when the file cannot be opened or is another's."""
        self._path = path
        self._lock = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.touch(mode=0o600)
            self._writer = self._connect()
            self._prepare()
        except (OSError, sqlite3.Error) as error:
            raise Fault("logging_failed", f"Cannot open the message log {path}: {error}") from None

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, isolation_level=None, check_same_thread=False, timeout=5.0
        )
        connection.execute("PRAGMA foreign_keys=ON")
        return connection

    def _prepare(self) -> None:
        (application,) = self._writer.execute("PRAGMA application_id").fetchone()
        (tables,) = self._writer.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if application not in (0, _APPLICATION) or (application == 0 and tables):
            raise sqlite3.DatabaseError("the file belongs to another program")
        self._writer.execute("PRAGMA journal_mode=WAL")
        self._writer.execute("PRAGMA synchronous=FULL")
        self._writer.executescript(_SCHEMA)
        self._writer.execute(f"PRAGMA application_id={_APPLICATION}")

    def append(self, records: Sequence[Record]) -> Sequence[int]:
        """Keep all records durably (``LogStore.append``)."""
        with self._transaction() as db:
            return [_insert(db, record) for record in records]

    def unstamped(self, limit: int) -> Sequence[tuple[int, bytes]]:
        """The oldest records without a timestamp (``LogStore.unstamped``)."""
        with self._reader() as db:
            return db.execute(
                "SELECT r.id, e.signature FROM record r JOIN evidence e ON e.id = r.evidence_id "
                "WHERE r.stamp_id IS NULL ORDER BY r.id LIMIT ?",
                (limit,),
            ).fetchall()

    def stamp(self, stamps: Mapping[int, Stamp], documents: Mapping[int, bytes]) -> None:
        """Attach timestamps (``LogStore.stamp``)."""
        tokens: dict[tuple[bytes, bytes | None], int] = {}
        with self._transaction() as db:
            for number, stamp in stamps.items():
                key = (stamp.token, stamp.chain_result)
                if key not in tokens:
                    tokens[key] = _inserted(
                        db.execute("INSERT INTO stamp(token, chain_result) VALUES(?, ?)", key)
                    )
                db.execute(
                    "UPDATE record SET stamp_id=?, stamp_chain=? WHERE id=? AND stamp_id IS NULL",
                    (tokens[key], stamp.chain, number),
                )
            for number, document in documents.items():
                _replace_signature(db, number, document)

    def find(
        self,
        *,
        query_id: str | None = None,
        owner: ClientId | None = None,
        response: bool | None = None,
    ) -> Iterator[LoggedRecord]:
        """Records that match, oldest first (``LogStore.find``)."""
        wanted = (query_id, None if owner is None else owner.url, response)
        with self._reader() as db:
            for row in db.execute(_FIND, wanted):
                yield _logged(db, row)

    def close(self) -> None:
        """Close the writing connection."""
        self._writer.close()

    def _transaction(self) -> _Transaction:
        return _Transaction(self._writer, self._lock)

    def _reader(self) -> _Reader:
        return _Reader(self._connect())


class _Transaction:
    """All or nothing on the one writing connection; sqlite's errors become the log's refusal."""

    def __init__(self, db: sqlite3.Connection, lock: threading.Lock) -> None:
        self._db = db
        self._lock = lock

    def __enter__(self) -> sqlite3.Connection:
        self._lock.acquire()
        try:
            self._db.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            self._lock.release()
            raise Fault("logging_failed.database_error", f"The message log: {error}") from None
        return self._db

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        try:
            self._db.execute("COMMIT" if error is None else "ROLLBACK")
        except sqlite3.Error as failure:
            # A COMMIT that failed (disk full) leaves the transaction open: nothing of it may stay.
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            if error is None:
                error = failure
        finally:
            self._lock.release()
        if isinstance(error, sqlite3.Error):
            raise Fault("logging_failed.database_error", f"The message log: {error}") from None


class _Reader:
    """A connection for one reading; closed after it."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> sqlite3.Connection:
        return self._db

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._db.close()


def _insert(db: sqlite3.Connection, record: Record) -> int:
    number = _inserted(
        db.execute(
            "INSERT INTO record(time_us, owner, query_id, request_id, response, message, "
            "attachments, evidence_id, chain) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                _microseconds(record.time),
                record.owner.url,
                record.query_id,
                record.request_id,
                record.response,
                record.message,
                len(record.attachments),
                _evidence(db, record.evidence.signature, record.evidence.chain_result),
                record.evidence.chain,
            ),
        )
    )
    db.executemany(
        "INSERT INTO attachment(record_id, number, octets) VALUES(?, ?, ?)",
        (
            (number, index, octets)
            for index, octets in enumerate(record.attachments, start=1)
            if octets is not None
        ),
    )
    return number


def _evidence(db: sqlite3.Connection, signature: bytes, chain_result: bytes | None) -> int:
    name = SHA512.of(signature)
    row = db.execute("SELECT id FROM evidence WHERE sha512=?", (name,)).fetchone()
    if row is not None:
        return int(row[0])
    return _inserted(
        db.execute(
            "INSERT INTO evidence(sha512, signature, chain_result) VALUES(?, ?, ?)",
            (name, signature, chain_result),
        )
    )


def _replace_signature(db: sqlite3.Connection, number: int, document: bytes) -> None:
    (chain_result,) = db.execute(
        "SELECT e.chain_result FROM record r JOIN evidence e ON e.id = r.evidence_id WHERE r.id=?",
        (number,),
    ).fetchone()
    evidence = _evidence(db, document, chain_result)
    db.execute("UPDATE record SET evidence_id=? WHERE id=?", (evidence, number))


def _logged(db: sqlite3.Connection, row: tuple[object, ...]) -> LoggedRecord:
    number, time_us, owner, query_id, request_id, response, message, count = row[:8]
    signature, chain_result, chain, token, stamp_result, stamp_chain = row[8:]
    kept = dict(
        db.execute("SELECT number, octets FROM attachment WHERE record_id=?", (number,)).fetchall()
    )
    record = Record(
        time=datetime.fromtimestamp(int(str(time_us)) / 1e6, UTC),
        owner=parse_client(str(owner)),
        query_id=str(query_id),
        request_id=str(request_id),
        response=bool(response),
        message=_blob(message) or b"",
        attachments=tuple(kept.get(index) for index in range(1, int(str(count)) + 1)),
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


def _microseconds(time: datetime) -> int:
    return int(time.timestamp() * 1e6)
