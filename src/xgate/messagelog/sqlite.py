"""The message log in one SQLite file: the default store.

The rule: a committed batch has been flushed to the disk before ``append`` returns. One connection
writes, under a lock; each reading has its own, and sees one moment. The tables are described in
``sqlite_file``, what is asked of them in ``rows``.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from xgate.algorithms import SHA512
from xgate.errors import Fault
from xgate.messagelog import rows
from xgate.messagelog.record import Body, LoggedRecord, Outline, Record, Stamp, pieces_of, whole
from xgate.messagelog.relational import RelationalReader
from xgate.messagelog.sqlite_file import STEPS, connect, make_file, prepare, version_of
from xgate.messagelog.store import Task
from xgate.trust.linking import Link

__all__ = ["SqliteStore"]

_PIECE = 1 << 18  # octets of a part that are written at once; smaller ones are read by the query
_PARTS = (
    "SELECT number, rowid, CASE WHEN length(octets) > ? THEN NULL ELSE octets END "
    "FROM part WHERE record_id = ?"
)
_PART_PLACE = "SELECT rowid FROM part WHERE record_id = ? AND number = ?"
_INSERT = (
    f"INSERT INTO record({rows.OWN_COLUMNS}, evidence_id) "
    f"VALUES({'?, ' * len(rows.OWN_COLUMNS.split(','))}?)"
)
# The plus: by time, and then in order of numbers; not through all numbers from the first.
_CLEANABLE = (
    "SELECT id, evidence_id, stamp_id FROM record WHERE archived AND time_us < ? "
    "ORDER BY +id LIMIT ?"
)


class SqliteStore(RelationalReader):
    """A ``LogStore`` in the file ``path``, made if it does not exist (mode 0600)."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        """:param read_only: for other processes than the server: makes and changes nothing.
        :raises Fault: ``logging_failed`` when the file cannot be opened or is another's.
        """
        self._path = path
        self._lock = threading.Lock()
        try:
            if not read_only:
                make_file(path)
            self._writer = connect(path, write=not read_only)
            try:
                (_check_current if read_only else prepare)(self._writer)
            except BaseException:
                self._writer.close()
                raise
        except (OSError, sqlite3.Error) as error:
            raise Fault("logging_failed", f"Cannot open the message log {path}: {error}") from None

    def append(self, records: Sequence[Record]) -> Sequence[int]:
        """Keep all records durably (``LogStore.append``)."""
        with _log_faults(), self._transaction() as db:
            return [_insert(db, record) for record in records]

    def check_writable(self) -> None:
        """Write the version of the tables once more (``LogStore.check_writable``)."""
        with _log_faults(), self._transaction() as db:
            db.execute(f"PRAGMA user_version={len(STEPS)}")

    def stamp(self, stamps: Mapping[int, Stamp], documents: Mapping[int, bytes]) -> None:
        """Attach timestamps (``LogStore.stamp``)."""
        tokens: dict[tuple[bytes, bytes | None], int] = {}
        with _log_faults(), self._transaction() as db:
            for number, stamp in stamps.items():
                if not _is_unstamped(db, number):
                    continue
                key = (stamp.token, stamp.chain_result)
                if key not in tokens:
                    tokens[key] = _stamp_row(db, key)
                db.execute(
                    "UPDATE record SET stamp_id=?, stamp_chain=? WHERE id=?",
                    (tokens[key], stamp.chain, number),
                )
                if number in documents:
                    _replace_signature(db, number, documents[number])

    def links(self) -> Mapping[str | None, Link]:
        """The last links of the archives (``LogStore.links``)."""
        found = self._ask("SELECT group_name, digest, file_name FROM link")
        return {group: Link(digest, file_name) for group, digest, file_name in found}

    def archived(self, numbers: Sequence[int], links: Mapping[str | None, Link]) -> None:
        """Mark as archived, and put the links (``LogStore.archived``)."""
        with _log_faults(), self._transaction() as db:
            marked = db.executemany(
                "UPDATE record SET archived=1 WHERE id=? AND NOT archived AND stamp_id IS NOT NULL",
                [(number,) for number in numbers],
            ).rowcount
            if numbers and marked != len(numbers):
                _check_repeated(db, numbers, links, marked)
                return
            for group, link in links.items():
                db.execute("DELETE FROM link WHERE group_name IS ?", (group,))
                db.execute(
                    "INSERT INTO link(group_name, digest, file_name) VALUES(?, ?, ?)",
                    (group, link.digest, link.file_name),
                )

    def clean(self, before: datetime, limit: int) -> int:
        """Delete old archived records (``LogStore.clean``)."""
        with _log_faults(), self._transaction() as db:
            found = db.execute(_CLEANABLE, (rows.microseconds(before), limit)).fetchall()
            for table, column in (("part", "record_id"), ("record", "id")):
                db.executemany(
                    f"DELETE FROM {table} WHERE {column}=?",  # noqa: S608  names from this line
                    [(number,) for number, _, _ in found],
                )
            for evidence in sorted({evidence for _, evidence, _ in found}):
                _drop_unshared(db, "evidence", evidence)
            for stamp in sorted({stamp for _, _, stamp in found}):
                _drop_unshared(db, "stamp", stamp)
            return len(found)

    @contextmanager
    def alone(self, task: Task) -> Iterator[bool]:
        """Whether this process may do ``task`` now (``LogStore.alone``)."""
        with _log_faults():
            lock = os.open(f"{self._path}.{task}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            yield _locked(lock)
        finally:
            os.close(lock)

    def close(self) -> None:
        """Close the writing connection."""
        self._writer.close()

    def _ask(self, text: str, values: Sequence[object] = ()) -> list[Any]:
        with _log_faults(), closing(connect(self._path, write=False)) as db:
            return db.execute(text, values).fetchall()

    def _records(self, text: str, values: Sequence[object]) -> Iterator[LoggedRecord]:
        with _log_faults(), closing(connect(self._path, write=False)) as db:
            for row in db.execute(text, values):
                yield rows.read_record(row, _read_parts(db, row[0]))

    def _outlines(self, text: str, values: Sequence[object]) -> Iterator[Outline]:
        with _log_faults(), closing(connect(self._path, write=False)) as db:
            for row in db.execute(text, values):
                yield rows.read_outline(row, dict(db.execute(rows.SIZES, row[:1])))

    def _part(self, number: int, place: int) -> Iterator[bytes]:
        with _log_faults(), closing(connect(self._path, write=False)) as db:
            row = db.execute(_PART_PLACE, (number, place)).fetchone()
            if row is None:
                raise rows.not_there(number, place)
            with db.blobopen("part", "octets", row[0], readonly=True) as blob:
                while piece := blob.read(_PIECE):
                    yield piece

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
    except (sqlite3.Error, UnicodeError, OverflowError, OSError) as error:
        raise Fault("logging_failed.database_error", f"The message log: {error}") from error


def _check_current(db: sqlite3.Connection) -> None:
    version = version_of(db)
    if version < len(STEPS):
        raise sqlite3.DatabaseError(
            f"its tables are of version {version}; a server brings them to {len(STEPS)} at start"
        )


def _insert(db: sqlite3.Connection, record: Record) -> int:
    if record.key:
        known = db.execute("SELECT id FROM record WHERE key=?", (record.key,)).fetchone()
        if known is not None:
            return int(known[0])
    evidence = record.evidence
    shared = _evidence(db, evidence.signature, evidence.chain_result)
    number = _inserted(db.execute(_INSERT, (*rows.own_values(record), shared)))
    for index, part in rows.parts_of(record):
        _insert_part(db, number, index, part)
    return number


def _read_parts(db: sqlite3.Connection, record: int) -> dict[int, bytes]:
    return {
        number: _read_part(db, place) if octets is None else octets
        for number, place, octets in db.execute(_PARTS, (_PIECE, record))
    }


def _read_part(db: sqlite3.Connection, place: int) -> bytes:
    with db.blobopen("part", "octets", place, readonly=True) as blob:
        return blob.read()


def _insert_part(db: sqlite3.Connection, record: int, number: int, part: bytes | Body) -> None:
    if len(part) <= _PIECE:
        db.execute("INSERT INTO part VALUES(?, ?, ?)", (record, number, whole(part)))
        return
    # A large value would be copied twice on its way; pieces of it are not.
    room = db.execute("INSERT INTO part VALUES(?, ?, zeroblob(?))", (record, number, len(part)))
    with db.blobopen("part", "octets", _inserted(room)) as blob:
        for piece in pieces_of(part, _PIECE):
            blob.write(piece)


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


def _stamp_row(db: sqlite3.Connection, key: tuple[bytes, bytes | None]) -> int:
    """The row of this token: kept once, also when a batch comes in slices."""
    newest = db.execute(rows.NEWEST_STAMP).fetchone()
    if newest is not None and newest[1:] == key:
        return int(newest[0])
    return _inserted(db.execute("INSERT INTO stamp(token, chain_result) VALUES(?, ?)", key))


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
    _drop_unshared(db, "evidence", old)


def _drop_unshared(db: sqlite3.Connection, table: str, number: int) -> None:
    """Delete a row that no record holds any more."""
    db.execute(
        f"DELETE FROM {table} WHERE id=?1 "  # noqa: S608  one of two names of this file
        f"AND NOT EXISTS(SELECT 1 FROM record WHERE {table}_id=?1)",
        (number,),
    )


def _check_repeated(
    db: sqlite3.Connection, numbers: Sequence[int], links: Mapping[str | None, Link], marked: int
) -> None:
    """Whether this very call has been done before; else somebody else was here."""
    there = [
        db.execute("SELECT 1 FROM record WHERE id=? AND archived", (n,)).fetchone() for n in numbers
    ]
    last = {
        row[0]: Link(row[1], row[2])
        for row in db.execute("SELECT group_name, digest, file_name FROM link")
    }
    if marked or not all(there) or any(last.get(g) != link for g, link in links.items()):
        raise Fault(
            "logging_failed", "Records to be marked as archived are gone, unstamped or another's"
        )


def _locked(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _inserted(cursor: sqlite3.Cursor) -> int:
    if cursor.lastrowid is None:
        raise sqlite3.DatabaseError("an INSERT gave no row id")
    return cursor.lastrowid
