"""The server's configuration in a file: whole revisions, and nobody overwrites another's."""

from __future__ import annotations

import sqlite3
import stat
from pathlib import Path

import pytest
from tests.serverconf.duties import ConfigurationStoreDuties, a_revision

from xgate.errors import Fault
from xgate.serverconf.sqlite_store import SqliteConfigurationStore
from xgate.serverconf.store import ConfigurationStore


@pytest.fixture
def store(tmp_path: Path) -> ConfigurationStore:
    return SqliteConfigurationStore(tmp_path / "folder" / "conf.sqlite")


class TestSqlite(ConfigurationStoreDuties):
    """The shared duties, in a file."""


def test_there_is_no_revision_of_a_number_that_no_file_can_hold(store: ConfigurationStore) -> None:
    assert store.read(1 << 80) is None


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
