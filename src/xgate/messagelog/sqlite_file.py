"""The file of the SQLite log: whose it is, which tables it has, how it is opened.

Tables: ``record`` (one small row per message), ``part`` (its octets: number 0 is the message, then
its attachments), ``evidence`` (a signature and its chain result, shared by all messages of a
batch), ``stamp`` (a token and its chain result, shared likewise), ``link`` (the last link of each
chain of archives). Octets stand apart from the record because SQLite writes a row anew when a
column changes, and every record is stamped later.

The rule: the file names its program and the version of its tables, so no other program's file is
touched and a later version knows what it finds. An older one is brought up step by step, all steps
in one transaction. Write-ahead log with ``synchronous=FULL``: what is committed is on the disk.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

__all__ = ["STEPS", "connect", "make_file", "prepare", "version_of"]

_APPLICATION = 0x78676C31  # "xgl1"
_WAL_BYTES = 64 << 20  # what a burst may leave behind of the write-ahead log
_BUSY_SECONDS = 5.0

STEPS: tuple[tuple[str, ...], ...] = (
    (
        f"PRAGMA application_id={_APPLICATION}",
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
    ),
    (
        "ALTER TABLE record ADD COLUMN client TEXT",
        "ALTER TABLE record ADD COLUMN service TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE record ADD COLUMN complete INTEGER NOT NULL DEFAULT 1",
        "ALTER TABLE record ADD COLUMN key_id TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE record ADD COLUMN key BLOB",
        "ALTER TABLE record ADD COLUMN archived INTEGER NOT NULL DEFAULT 0",
        "CREATE UNIQUE INDEX record_key ON record(key) WHERE key IS NOT NULL",
        "CREATE INDEX record_time ON record(time_us)",
        "DROP INDEX record_unstamped",
        "CREATE INDEX record_stamp ON record(stamp_id)",  # and what has none, by number
        "CREATE INDEX record_archivable ON record(replace(owner, '/', ' '), id) "
        "WHERE NOT archived AND stamp_id IS NOT NULL",
        "CREATE TABLE link(group_name TEXT, digest TEXT NOT NULL, file_name TEXT NOT NULL) STRICT",
    ),
)
"""What makes each version of the tables from the one before it; the first starts from nothing."""


def make_file(path: Path) -> None:
    """An empty file with mode 0600 where there is none; SQLite's -wal and -shm follow its mode.

    :raises OSError: it cannot be made.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))


def connect(path: Path, *, write: bool) -> sqlite3.Connection:
    """One connection to a file that is there; one that has gone is not made anew.

    :raises sqlite3.Error: it cannot be opened.
    """
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={'rw' if write else 'ro'}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        timeout=_BUSY_SECONDS,
    )
    connection.execute("PRAGMA foreign_keys=ON")
    if not write:
        connection.execute("PRAGMA query_only=ON")
    return connection


def prepare(db: sqlite3.Connection) -> None:
    """Bring the tables to this program's version, and the connection to durable writing.

    :raises sqlite3.Error: the file is another program's or a later version's, or cannot be written.
    """
    if version_of(db) < len(STEPS):
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("BEGIN IMMEDIATE")
        try:
            for step in STEPS[version_of(db) :]:  # another process may have been first
                for statement in step:
                    db.execute(statement)
            db.execute(f"PRAGMA user_version={len(STEPS)}")
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    db.execute(f"PRAGMA journal_size_limit={_WAL_BYTES}")


def version_of(db: sqlite3.Connection) -> int:
    """The version of the tables that are there; 0 for an empty file.

    :raises sqlite3.DatabaseError: the file is another program's, or a later version's.
    """
    (application,) = db.execute("PRAGMA application_id").fetchone()
    (version,) = db.execute("PRAGMA user_version").fetchone()
    (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if (application, version, tables) == (0, 0, 0):
        return 0
    if application != _APPLICATION:
        raise sqlite3.DatabaseError("the file belongs to another program")
    if not 1 <= version <= len(STEPS):
        raise sqlite3.DatabaseError(
            f"its tables are of version {version}, and this program knows {len(STEPS)}"
        )
    return int(version)
