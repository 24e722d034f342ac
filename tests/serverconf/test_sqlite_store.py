"""The server's configuration in a file: whole revisions, and nobody overwrites another's."""

from __future__ import annotations

import sqlite3
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from xgate.errors import Fault
from xgate.serverconf.sqlite_store import SqliteConfigurationStore
from xgate.serverconf.store import ConfigurationStore, Revision


@pytest.fixture
def store(tmp_path: Path) -> ConfigurationStore:
    return SqliteConfigurationStore(tmp_path / "folder" / "conf.sqlite")


def a_revision(number: int, document: bytes = b"{}") -> Revision:
    time = datetime(2026, 1, 1, 12, 0, 0, number, tzinfo=UTC)
    return Revision(number, time, f"author {number} ä", document)


def test_there_is_nothing_at_first(store: ConfigurationStore) -> None:
    assert store.newest() == 0
    assert store.read(1) is None
    assert store.read(1 << 80) is None
    assert store.history(10) == []


def test_revisions_are_kept_as_they_were_put(store: ConfigurationStore) -> None:
    revisions = [a_revision(number, bytes([number]) * 1000) for number in (1, 2, 3)]
    for revision in revisions:
        store.put(revision)
    assert store.newest() == 3
    assert [store.read(number) for number in (1, 2, 3)] == revisions
    assert list(store.history(2)) == [revisions[2], revisions[1]]


@pytest.mark.parametrize("number", [1, 3])
def test_a_revision_takes_the_place_of_the_one_that_was_seen(
    store: ConfigurationStore, number: int
) -> None:
    store.put(a_revision(1))
    with pytest.raises(Fault) as refused:
        store.put(a_revision(number, b"other"))
    assert refused.value.code == "configuration_changed"
    assert "Revision 1 was applied meanwhile" in refused.value.text
    assert store.newest() == 1


def test_of_many_who_apply_at_once_one_succeeds(store: ConfigurationStore) -> None:
    def put(number: int) -> str:
        try:
            store.put(a_revision(1, bytes([number])))
        except Fault as fault:
            return fault.code
        return "kept"

    with ThreadPoolExecutor(8) as threads:
        ended = sorted(threads.map(put, range(8)))
    assert ended == [*["configuration_changed"] * 7, "kept"]
    assert store.newest() == 1


def test_it_is_there_when_it_is_opened_again_and_its_owners_alone(
    store: ConfigurationStore, tmp_path: Path
) -> None:
    store.put(a_revision(1))
    path = tmp_path / "folder" / "conf.sqlite"
    assert SqliteConfigurationStore(path).read(1) == a_revision(1)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_another_programs_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.sqlite"
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE mine(a)")
    db.close()
    with pytest.raises(Fault, match="belongs to another program"):
        SqliteConfigurationStore(path)


def test_a_file_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Fault, match="database_error"):
        SqliteConfigurationStore(tmp_path / "file" / "conf")
