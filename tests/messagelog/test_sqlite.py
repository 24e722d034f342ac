"""The SQLite log: what was acknowledged survives anything, and nothing half is ever there."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import IO

import pytest

from xgate.errors import Fault
from xgate.ids import ClientId
from xgate.messagelog import rows, sqlite
from xgate.messagelog.record import Record, Stamp
from xgate.messagelog.sqlite import SqliteStore
from xgate.trust.verify import Evidence

Make = Callable[..., Record]
OWNER = ClientId("XG", "COM", "777", "app")

PREFACE = """
import json, os, resource, sys
from pathlib import Path
from datetime import UTC, datetime
from xgate.errors import Fault
from xgate.ids import ClientId
from xgate.messagelog.record import Record
from xgate.messagelog.sqlite import SqliteStore
from xgate.trust.verify import Evidence

def record(number, size=100):
    return Record(datetime.now(UTC), ClientId("XG", "COM", "1"), f"q{number}", "r", False,
        b"m" * size, (b"body",), Evidence(b"signature %d" % (number // 3)))

store = SqliteStore(Path(sys.argv[1]))
"""


def child(path: Path, program: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", PREFACE + program, str(path)]
    return subprocess.Popen(command, stdout=subprocess.PIPE)


def output(process: subprocess.Popen[bytes]) -> IO[bytes]:
    assert process.stdout is not None
    return process.stdout


def inspect(path: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as db:
        return db.execute(query).fetchall()


def count(path: Path, table: str) -> object:
    return inspect(path, f"SELECT count(*) FROM {table}")[0][0]


def check_sound(path: Path) -> None:
    """SQLite finds no damage, every record is whole, and nothing belongs to no record."""
    assert inspect(path, "PRAGMA integrity_check") == [("ok",)]
    assert inspect(path, "PRAGMA foreign_key_check") == []
    messages = inspect(path, "SELECT count(*) FROM part WHERE number=0")
    assert messages == inspect(path, "SELECT count(*) FROM record")
    orphans = "SELECT id FROM {0} WHERE id NOT IN (SELECT {0}_id FROM record)"
    assert inspect(path, orphans.format("evidence")) == []


# durable


def test_what_append_returned_for_survives_being_killed(path: Path) -> None:
    for kill_after in (1, 7, 40):
        process = child(
            path,
            "number = 0\n"
            "while True:\n"
            "    ids = store.append([record(number + n) for n in range(3)])\n"
            "    number += 3\n"
            "    os.write(1, (json.dumps(ids) + '\\n').encode())\n",
        )
        told = [output(process).readline() for _ in range(kill_after)]
        process.send_signal(signal.SIGKILL)
        told += output(process).readlines()
        assert process.wait() == -signal.SIGKILL
        output(process).close()
        acknowledged = {
            number for line in told if line.endswith(b"\n") for number in json.loads(line)
        }
        assert len(acknowledged) >= 3 * kill_after
        store = SqliteStore(path)
        kept = {logged.id for logged in store.find()}
        store.close()
        assert acknowledged <= kept
        assert len(kept) % 3 == 0  # the last batch is there whole or not at all
        check_sound(path)


def test_commits_wait_for_the_disk(store: SqliteStore) -> None:
    def pragma(name: str) -> object:
        return store._writer.execute(f"PRAGMA {name}").fetchone()[0]

    assert (pragma("journal_mode"), pragma("synchronous")) == ("wal", 2)
    assert pragma("foreign_keys") == 1


def test_the_commit_is_flushed_before_append_returns(path: Path, tmp_path: Path) -> None:
    """Seen from outside: between the last write to the log and the answer stands an fsync."""
    trace = tmp_path / "trace"
    program = "os.write(1, b'begin')\nstore.append([record(1)])\nos.write(1, b'done')\n"
    command = [sys.executable, "-c", PREFACE + program, str(path)]
    strace = ["strace", "-f", "-o", str(trace), "-e", "trace=write,pwrite64,fsync,fdatasync"]
    try:
        subprocess.run([*strace, *command], check=True, capture_output=True)
    except (FileNotFoundError, subprocess.CalledProcessError):
        pytest.skip("strace is not here, or may not trace")
    calls = trace.read_text().split("begin", 1)[1].split("done", 1)[0]
    names = [line.split("(")[0].split()[-1] for line in calls.splitlines()[1:-1] if "(" in line]
    assert "pwrite64" in names
    assert names[-1] in ("fsync", "fdatasync")


def test_a_check_of_writing_writes(store: SqliteStore, path: Path) -> None:
    """A page goes to the write-ahead log, though nothing in it has changed."""
    log = path.with_name(f"{path.name}-wal")
    before = log.read_bytes()
    store.check_writable()
    assert log.read_bytes() != before
    store.close()
    with pytest.raises(Fault, match="logging_failed"):
        store.check_writable()


# a full disk


def test_a_full_disk_refuses_keeps_nothing_half_and_recovers(
    store: SqliteStore, path: Path, unsigned: Make
) -> None:
    kept = store.append([unsigned(0)])
    store._writer.execute("PRAGMA max_page_count=30")
    big = [unsigned(n, message=b"m" * 40_000) for n in range(1, 6)]
    for _ in range(2):
        with pytest.raises(Fault, match="full") as caught:
            store.append(big)
        assert caught.value.code == "logging_failed.database_error"
    assert [logged.id for logged in store.find()] == kept
    kept += store.append([unsigned(6)])  # what still fits is still taken
    store._writer.execute("PRAGMA max_page_count=100000")
    kept += store.append(big)
    assert [logged.id for logged in store.find()] == kept
    check_sound(path)


def test_a_refused_batch_keeps_no_lock(store: SqliteStore, path: Path, unsigned: Make) -> None:
    with pytest.raises(Fault):
        store.append([unsigned(1), unsigned(2, query_id="\ud800")])
    with closing(sqlite3.connect(path, isolation_level=None, timeout=0)) as other:
        other.execute("BEGIN IMMEDIATE")


def test_stamps_that_do_not_fit_leave_every_record_waiting(
    store: SqliteStore, unsigned: Make
) -> None:
    numbers = store.append([unsigned(n) for n in range(3)])
    store._writer.execute("PRAGMA max_page_count=30")
    stamps = {n: Stamp(b"token", b"result", b"c" * 60_000) for n in numbers}
    with pytest.raises(Fault):
        store.stamp(stamps, {})
    assert [number for number, _ in store.unstamped(10)] == numbers
    store._writer.execute("PRAGMA max_page_count=100000")
    store.stamp(stamps, {})
    assert list(store.unstamped(10)) == []


def test_a_file_that_may_not_grow_refuses_and_recovers(path: Path) -> None:
    process = child(
        path,
        "kept, refused = store.append([record(0)]), []\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, -1))\n"
        "for number in range(1, 9):\n"
        "    try:\n"
        "        kept += store.append([record(number, 50_000), record(number)])\n"
        "    except Fault as fault:\n"
        "        refused.append(fault.code)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))\n"
        "kept += store.append([record(9)])\n"
        "found = [logged.id for logged in store.find()]\n"
        "print(json.dumps([kept, refused, found]))\n",
    )
    out, _ = process.communicate()
    assert process.returncode == 0
    kept, refused, found = json.loads(out)
    assert refused
    assert set(refused) == {"logging_failed.database_error"}
    assert found == kept
    check_sound(path)


def test_a_rollback_that_fails_does_not_close_the_log_for_ever(
    store: SqliteStore, unsigned: Make
) -> None:
    store._writer.execute("BEGIN IMMEDIATE")  # as an earlier failure would leave it
    store._writer.execute("INSERT INTO stamp(token) VALUES(x'00')")
    store.append([unsigned(1)])
    assert store._writer.execute("SELECT count(*) FROM stamp").fetchone() == (0,)


# others at the same file


def test_another_process_reads_while_we_write(
    store: SqliteStore, path: Path, unsigned: Make
) -> None:
    store.append([unsigned(0)])
    reader = child(
        path,
        "seen = []\n"
        "while len(seen) < 20 or seen[-1] == seen[0]:\n"
        "    batch = list(store.find())\n"
        "    assert all(logged.record.message for logged in batch)\n"
        "    seen.append(len(batch))\n"
        "    os.write(1, b'.')\n"
        "os.write(1, json.dumps(seen).encode())\n",
    )
    assert output(reader).read(1) == b"."
    written = 1
    while reader.poll() is None:
        if written < 400:  # what is read again and again must stay small
            written += len(store.append([unsigned(written + n) for n in range(4)]))
    *_, seen = output(reader).read().rpartition(b".")
    output(reader).close()
    assert reader.returncode == 0
    counts = json.loads(seen)
    assert counts == sorted(counts)
    assert all(number % 4 == 1 for number in counts)  # never a part of a batch
    assert counts[-1] > counts[0]


def test_two_writers_take_turns(store: SqliteStore, path: Path, unsigned: Make) -> None:
    other = SqliteStore(path)
    numbers: list[int] = []
    lock = threading.Lock()

    def write(log: SqliteStore) -> None:
        for number in range(20):
            appended = log.append([unsigned(number), unsigned(number)])
            with lock:
                numbers.extend(appended)

    threads = [threading.Thread(target=write, args=(log,)) for log in (store, other, store)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    other.close()
    assert len(set(numbers)) == 120
    assert count(path, "record") == 120
    check_sound(path)


def test_a_reader_sees_one_moment_however_long_it_reads(store: SqliteStore, unsigned: Make) -> None:
    store.append([unsigned(n) for n in range(3)])
    reading = store.find()
    next(reading)
    store.append([unsigned(9)])
    assert len(list(reading)) == 2


def test_a_log_that_is_locked_refuses_instead_of_waiting_for_ever(
    store: SqliteStore, path: Path, unsigned: Make
) -> None:
    store._writer.execute("PRAGMA busy_timeout=1")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Fault, match="locked") as caught:
            store.append([unsigned(1)])
        assert caught.value.code == "logging_failed.database_error"
        other.execute("ROLLBACK")
    store.append([unsigned(1)])


def test_a_log_that_has_gone_is_not_made_anew_by_who_reads(
    store: SqliteStore, path: Path, unsigned: Make
) -> None:
    store.append([unsigned(1)])
    path.unlink()
    with pytest.raises(Fault) as caught:
        list(store.find())
    assert caught.value.code == "logging_failed.database_error"
    with pytest.raises(Fault):
        store.unstamped(1)
    assert not path.exists()


# the file


def test_only_its_owner_may_read_it_whatever_the_umask(path: Path, unsigned: Make) -> None:
    before = os.umask(0)
    try:
        store = SqliteStore(path)
        store.append([unsigned(1)])
        files = {p.name: stat.S_IMODE(p.stat().st_mode) for p in path.parent.iterdir()}
    finally:
        os.umask(before)
    store.close()
    name = path.name
    assert files == {name: 0o600, f"{name}-wal": 0o600, f"{name}-shm": 0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_it_is_opened_again_with_all_that_was_in_it(path: Path, unsigned: Make) -> None:
    for number in range(3):
        store = SqliteStore(path)
        store.append([unsigned(number)])
        assert [logged.record.query_id for logged in store.find()] == [
            f"query {n}" for n in range(number + 1)
        ]
        store.close()


# what is stored once


def test_the_evidence_of_a_batch_is_stored_once(
    store: SqliteStore, path: Path, unsigned: Make
) -> None:
    numbers = store.append(
        [
            unsigned(n, evidence=Evidence(b"signature", b"result", b"chain %d" % n))
            for n in range(32)
        ]
    )
    assert count(path, "evidence") == 1
    store.stamp({n: Stamp(b"token", b"result", b"chain %d" % n) for n in numbers}, {})
    assert count(path, "stamp") == 1
    check_sound(path)


def test_what_stands_beside_a_signature_is_not_mixed_into_other_evidence(
    store: SqliteStore, path: Path, unsigned: Make
) -> None:
    """A peer may send a chain to which its signature does not refer: it stays where it came."""
    junk = unsigned(1, evidence=Evidence(b"signature", b"junk", b"junk"))
    clean = unsigned(2, evidence=Evidence(b"signature"))
    store.append([junk, clean, junk])
    assert [logged.record for logged in store.find()] == [junk, clean, junk]
    assert count(path, "evidence") == 2


def test_a_document_that_nobody_holds_any_more_is_dropped(
    store: SqliteStore, path: Path, unsigned: Make
) -> None:
    shared = [unsigned(n, evidence=Evidence(b"shared", b"result", b"chain")) for n in range(2)]
    first, second = store.append(shared)
    store.stamp({first: Stamp(b"t")}, {first: b"first stamped"})
    assert count(path, "evidence") == 2
    store.stamp({second: Stamp(b"t")}, {second: b"second stamped"})
    assert count(path, "evidence") == 2
    check_sound(path)


def test_a_late_stamp_leaves_nothing_behind(store: SqliteStore, path: Path, unsigned: Make) -> None:
    (number,) = store.append([unsigned(1)])
    store.stamp({number: Stamp(b"token")}, {number: b"stamped"})
    store.stamp({number: Stamp(b"late")}, {number: b"late"})
    assert (count(path, "stamp"), count(path, "evidence")) == (1, 1)


def test_the_number_of_a_record_never_comes_back(
    store: SqliteStore, path: Path, unsigned: Make
) -> None:
    numbers = store.append([unsigned(1), unsigned(2)])
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("DELETE FROM part")
        db.execute("DELETE FROM record")
    assert store.append([unsigned(3)])[0] > numbers[-1]


# by index


@pytest.mark.parametrize(
    ("question", "index"),
    [
        (
            rows.select({"query_id": "q", "owner": OWNER}),
            "SEARCH r USING INDEX record_query (query_id=? AND owner=?)",
        ),
        (rows.select({"query_id": "q"}), "SEARCH r USING INDEX record_query (query_id=?)"),
        (rows.select({"number": 1}), "SEARCH r USING INTEGER PRIMARY KEY"),
        ((rows.UNSTAMPED, (9,)), "SEARCH r USING INDEX record_stamp (stamp_id=?)"),
        ((rows.ARCHIVABLE, (9, 9)), "SCAN r USING INDEX record_archivable"),
        ((sqlite._CLEANABLE, (9, 9)), "SEARCH record USING INDEX record_time (time_us<?)"),
    ],
)
def test_a_large_log_is_asked_by_index(
    store: SqliteStore, path: Path, question: rows.Question, index: str
) -> None:
    text, values = question
    with closing(sqlite3.connect(path)) as db:
        plan = [str(row[3]) for row in db.execute("EXPLAIN QUERY PLAN " + text, values)]
    assert plan[0].startswith(index)
    if text == rows.ARCHIVABLE:  # an archiver must not sort all that waits for it
        assert not any("TEMP" in step for step in plan)


def test_stamping_does_not_write_the_messages_again(
    store: SqliteStore, path: Path, unsigned: Make
) -> None:
    numbers = store.append([unsigned(n, message=b"m" * 200_000) for n in range(10)])
    store._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    store.stamp({n: Stamp(b"token", b"result", b"chain") for n in numbers}, {})
    assert Path(f"{path}-wal").stat().st_size < 100_000


@pytest.mark.parametrize("size", [sqlite._PIECE, sqlite._PIECE + 1, 3 * sqlite._PIECE - 1])
def test_large_parts_are_kept_octet_for_octet(
    store: SqliteStore, unsigned: Make, size: int
) -> None:
    octets = random.Random(size).randbytes(size)
    store.append([unsigned(1, attachments=(b"", octets, None))])
    (kept,) = store.find()
    assert kept.record.attachments == (b"", octets, None)


def test_a_large_part_that_finds_no_room_leaves_nothing(
    store: SqliteStore, path: Path, unsigned: Make
) -> None:
    store._writer.execute("PRAGMA max_page_count=100")
    large = unsigned(1, attachments=(b"x" * (2 * sqlite._PIECE),))
    with pytest.raises(Fault, match="full"):
        store.append([unsigned(0), large])
    assert list(store.find()) == []
    store._writer.execute("PRAGMA max_page_count=100000")
    assert len(store.append([large])) == 1
    check_sound(path)
