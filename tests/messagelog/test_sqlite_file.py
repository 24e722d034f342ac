"""The file of the log: whose it is, and how it comes from one version to the next."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from xgate.errors import Fault
from xgate.messagelog import sqlite_file
from xgate.messagelog.record import Record
from xgate.messagelog.sqlite import SqliteStore
from xgate.messagelog.sqlite_file import STEPS

Make = Callable[..., Record]
APPLICATION = 0x78676C31


def inspect(path: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as db:
        return db.execute(query).fetchall()


def refused(path: Path, *, read_only: bool = False) -> str:
    with pytest.raises(Fault) as caught:
        SqliteStore(path, read_only=read_only)
    assert caught.value.code == "logging_failed"
    assert str(path) in caught.value.text
    return caught.value.text


def made_by(path: Path, *statements: str) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as db:
        for statement in statements:
            db.execute(statement)
        db.commit()
    return path.read_bytes()


def version_one(path: Path) -> None:
    """As the first release left it: two records, one of them stamped."""
    made_by(
        path,
        *STEPS[0],
        "PRAGMA user_version=1",
        "INSERT INTO evidence VALUES(1, x'aa', x'bb', NULL)",
        "INSERT INTO stamp VALUES(1, x'cc', NULL)",
        "INSERT INTO record VALUES(1, 5, 'XG/COM/1', 'q1', 'r', 0, 1, 1, NULL, 1, NULL)",
        "INSERT INTO record VALUES(2, 6, 'XG/COM/1', 'q2', 'r', 1, 0, 1, NULL, NULL, NULL)",
        "INSERT INTO part VALUES(1, 0, x'01'), (1, 1, x'02'), (2, 0, x'03')",
    )


def test_the_file_says_whose_it_is_and_which_version(store: SqliteStore, path: Path) -> None:
    assert inspect(path, "PRAGMA application_id") == [(APPLICATION,)]
    assert inspect(path, "PRAGMA user_version") == [(len(STEPS),)]


@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize(
    ("statements", "said"),
    [
        (("CREATE TABLE letters(text)",), "belongs to another program"),
        (("PRAGMA application_id=7",), "belongs to another program"),
        (("PRAGMA user_version=1",), "belongs to another program"),
        (
            (f"PRAGMA application_id={APPLICATION}", "PRAGMA user_version=99"),
            f"its tables are of version 99, and this program knows {len(STEPS)}",
        ),
        (
            (f"PRAGMA application_id={APPLICATION}", "PRAGMA user_version=-1"),
            "its tables are of version -1",
        ),
    ],
)
def test_the_file_of_another_program_or_of_a_later_version_is_not_touched(
    path: Path, statements: tuple[str, ...], said: str, read_only: bool
) -> None:
    before = made_by(path, *statements)
    assert said in refused(path, read_only=read_only)
    assert path.read_bytes() == before


def test_what_is_no_database_is_not_touched(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"a letter of more than a hundred octets" * 20)
    assert "not a database" in refused(path)
    assert path.read_bytes().startswith(b"a letter")
    path.unlink()
    path.mkdir()
    refused(path)


def test_the_first_releases_file_is_brought_up_with_all_that_was_in_it(
    path: Path, unsigned: Make
) -> None:
    version_one(path)
    store = SqliteStore(path)
    first, second = store.find()
    assert (first.record.query_id, first.record.attachments) == ("q1", (b"\2",))
    assert (first.record.client, first.record.service, first.record.key) == (None, "", b"")
    assert first.record.complete
    assert first.stamp is not None
    assert [number for number, _ in store.unstamped(9)] == [second.id] == [2]
    assert store.newest_stamped() == 1
    assert store.append([unsigned(3)]) == [3]
    store.close()
    assert inspect(path, "PRAGMA user_version") == [(len(STEPS),)]
    assert inspect(path, "PRAGMA foreign_key_check") == []


@pytest.mark.parametrize("before", [0, 1])
def test_tables_are_made_all_or_none(
    path: Path, monkeypatch: pytest.MonkeyPatch, before: int
) -> None:
    """Cut off anywhere in the making, the next start finds what was there and goes on from it."""
    if before:
        version_one(path)
    for cut in range(len(STEPS[before])):
        broken = (*STEPS[:before], (*STEPS[before][:cut], "not SQL"))
        monkeypatch.setattr(sqlite_file, "STEPS", broken)
        refused(path)
        assert inspect(path, "PRAGMA user_version") == [(before,)]
    monkeypatch.setattr(sqlite_file, "STEPS", STEPS)
    SqliteStore(path).close()
    assert inspect(path, "PRAGMA integrity_check") == [("ok",)]


def test_who_only_reads_makes_nothing_and_changes_nothing(path: Path, unsigned: Make) -> None:
    refused(path, read_only=True)
    assert not path.exists()
    version_one(path)
    assert "a server brings them to" in refused(path, read_only=True)
    assert inspect(path, "PRAGMA user_version") == [(1,)]
    SqliteStore(path).close()
    reader = SqliteStore(path, read_only=True)
    assert len(list(reader.find())) == 2
    with pytest.raises(Fault, match="readonly"):
        reader.append([unsigned(1)])
    reader.close()
