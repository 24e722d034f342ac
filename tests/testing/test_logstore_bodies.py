"""The part of the suite that is about large bodies finds bad stores out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from xgate.errors import Fault
from xgate.messagelog.record import Outline, Record, outline_of, whole
from xgate.messagelog.sqlite import SqliteStore
from xgate.testing.logstore_bodies import BodyDuties


class Joining(SqliteStore):
    """Has every body in memory, going in and out."""

    def append(self, records: Sequence[Record]) -> Sequence[int]:
        """Bodies that cannot be read are refused as they should be."""
        try:
            return super().append([_joined(record) for record in records])
        except OSError as error:
            raise Fault("logging_failed", str(error)) from error

    def outlines(self, **filters: Any) -> Iterator[Outline]:
        return map(outline_of, self.find(**filters))


class Careless(SqliteStore):
    """Keeps what it could read of a body."""

    def append(self, records: Sequence[Record]) -> Sequence[int]:
        return super().append([record for record in records if not record.attachments])


def _joined(record: Record) -> Record:
    parts = tuple(None if part is None else whole(part) for part in record.attachments)
    return msgspec.structs.replace(record, attachments=parts)


DUTIES = BodyDuties()


@pytest.mark.parametrize(
    "duty", [DUTIES.test_a_body_takes_little_memory, DUTIES.test_outlines_take_little_memory]
)
def test_bodies_that_are_joined_in_memory_are_found_out(
    duty: Callable[..., None], tmp_path: Path
) -> None:
    with pytest.raises(AssertionError, match="octets for bodies of"):
        duty(lambda: Joining(tmp_path / "log"))
    DUTIES.test_a_body_that_cannot_be_read_is_refused(lambda: Joining(tmp_path / "other"))


def test_bodies_that_are_kept_in_part_are_found_out(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="should have been refused"):
        DUTIES.test_a_body_that_cannot_be_read_is_refused(lambda: Careless(tmp_path / "log"))
