"""Records are values: they compare by what they hold, and nothing changes them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from xgate.messagelog.record import LoggedRecord, Record, Stamp, outline_of

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


def test_a_single_stamp_is_a_token_alone() -> None:
    assert (Stamp(b"token").chain_result, Stamp(b"token").chain) == (None, None)
