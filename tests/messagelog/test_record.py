"""Records are values: they compare by what they hold, and nothing changes them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from xgate.messagelog.record import LoggedRecord, Record, Stamp, outline_of, pieces_of, whole
from xgate.testing.logstore_records import Made

Make = Callable[..., Record]


def test_a_record_is_what_it_holds(unsigned: Make) -> None:
    assert unsigned(1) == unsigned(1)
    assert unsigned(1) != unsigned(2)
    assert unsigned(1, attachments=(None,)) != unsigned(1)


def test_a_record_is_not_changed(unsigned: Make) -> None:
    logged = LoggedRecord(1, unsigned(1), None)
    with pytest.raises(AttributeError):
        logged.record.message = b"another"  # type: ignore[misc]  # the point of the test


def test_an_outline_counts_the_octets_and_has_none(unsigned: Make) -> None:
    record = unsigned(1, message=b"four", attachments=(None, b"123", b""), key_id="k", key=b"key")
    outline = outline_of(LoggedRecord(7, record, Stamp(b"token")))
    assert (outline.id, outline.stamp) == (7, Stamp(b"token"))
    assert (outline.message_octets, outline.attachment_octets) == (4, (None, 3, 0))
    assert outline.octets == 7
    for name in ("time", "owner", "query_id", "request_id", "response", "evidence", "key_id"):
        assert getattr(outline, name) == getattr(record, name)
    assert b"four" not in repr(outline).encode()


@pytest.mark.parametrize("size", [1, 1000, 1 << 20])
def test_octets_and_bodies_come_in_the_same_pieces(size: int) -> None:
    octets = Made.octets(3001)
    for part in (octets, Made(3001)):
        assert list(pieces_of(part, size)) == [
            octets[place : place + size] for place in range(0, 3001, size)
        ]
        assert whole(part) == octets


@pytest.mark.parametrize("then", [-1, 1, 5000])
def test_a_body_that_is_not_as_long_as_it_says_is_none(then: int) -> None:
    with pytest.raises(OSError, match="a body has not the 3001 octets"):
        whole(Made(3001, then=then))


def test_a_single_stamp_is_a_token_alone() -> None:
    assert (Stamp(b"token").chain_result, Stamp(b"token").chain) == (None, None)
