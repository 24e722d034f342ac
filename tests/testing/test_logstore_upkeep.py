"""The part of the suite that is about archiving and cleaning finds bad stores out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

import pytest

from xgate.messagelog.sqlite import SqliteStore
from xgate.testing.logstore_upkeep import UpkeepDuties
from xgate.trust.linking import Link


class Hasty(SqliteStore):
    """Deletes what is not archived."""

    def clean(self, before: datetime, limit: int) -> int:
        with self._transaction() as db:
            db.execute("UPDATE record SET archived=1")
        return super().clean(before, limit)


class Lenient(SqliteStore):
    """Marks without looking."""

    def archived(self, numbers: Sequence[int], links: Mapping[str | None, Link]) -> None:
        with self._transaction() as db:
            db.executemany("UPDATE record SET archived=0 WHERE id=?", [(n,) for n in numbers])
        super().archived(numbers, links)


def test_deleting_what_is_not_archived_is_found_out(tmp_path: Path) -> None:
    with pytest.raises(AssertionError):
        UpkeepDuties().test_only_what_is_archived_and_old_is_deleted(
            lambda: Hasty(tmp_path / "log")
        )


def test_archiving_twice_is_found_out(tmp_path: Path) -> None:
    with pytest.raises(AssertionError):
        UpkeepDuties().test_nothing_is_archived_twice_or_without_a_stamp(
            lambda: Lenient(tmp_path / "log")
        )
