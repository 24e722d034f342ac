"""The suite for third parties: it holds against the shipped stores, and finds bad ones out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from xgate.messagelog.postgres import PostgresStore
from xgate.messagelog.record import Record
from xgate.messagelog.sqlite import SqliteStore
from xgate.testing.logstore import LogStoreDuties, OpenStore
from xgate.testing.postgres import Cluster


class TestSqlite(LogStoreDuties):
    @pytest.fixture
    def open_store(self, tmp_path: Path) -> OpenStore:
        return lambda: SqliteStore(tmp_path / "log.sqlite")


class TestPostgres(LogStoreDuties):
    @pytest.fixture
    def open_store(self, postgres: Cluster) -> OpenStore:
        conninfo = postgres.empty_database()
        return lambda: PostgresStore(conninfo)


class Forgetful(SqliteStore):
    """Acknowledges what it does not keep."""

    def append(self, records: Sequence[Record]) -> Sequence[int]:
        kept = super().append(records[:1])
        return [*kept, *(kept[0] + n for n in range(1, len(records)))]


def test_a_store_that_forgets_is_found_out(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not enough values"):
        LogStoreDuties().test_a_record_comes_back_as_it_was(lambda: Forgetful(tmp_path / "log"))
