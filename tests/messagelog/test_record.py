"""Records are values: they compare by what they hold, and nothing changes them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from xgate.messagelog.record import LoggedRecord, Record, Stamp

Make = Callable[..., Record]


def test_a_record_is_what_it_holds(unsigned: Make) -> None:
    assert unsigned(1) == unsigned(1)
    assert unsigned(1) != unsigned(2)
    assert unsigned(1, attachments=(None,)) != unsigned(1)


def test_a_record_is_not_changed(unsigned: Make) -> None:
    logged = LoggedRecord(1, unsigned(1), None)
    with pytest.raises(AttributeError):
        logged.record.message = b"another"  # type: ignore[misc]  # the point of the test


def test_a_single_stamp_is_a_token_alone() -> None:
    assert (Stamp(b"token").chain_result, Stamp(b"token").chain) == (None, None)
