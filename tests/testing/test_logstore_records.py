"""The tools of the suite themselves."""

from __future__ import annotations

import threading

import msgspec
import pytest

from xgate.errors import Fault
from xgate.testing.logstore_records import (
    Made,
    a_record,
    passed_over,
    refused,
    running,
    same_record,
)


def refuse(code: str) -> None:
    raise Fault(code, "no")


def test_records_have_keys_of_their_own_and_are_compared_without_encryption() -> None:
    one, other = a_record(1), a_record(1)
    assert one.key != other.key
    assert not same_record(one, other)
    assert same_record(msgspec.structs.replace(one, key_id="k"), one)


@pytest.mark.parametrize("size", [1, 7, 256, 1000, 4096])
def test_a_made_body_has_the_same_octets_however_it_is_read(size: int) -> None:
    for length in (0, 1, 255, 256, 3000):
        body = Made(length)
        assert len(body) == length
        pieces = list(body.pieces(size))
        assert b"".join(pieces) == Made.octets(length)
        assert all(0 < len(piece) <= size for piece in pieces)
    assert len(b"".join(Made(3000, then=-5).pieces(size))) == 2995
    with pytest.raises(OSError, match="broke off"):
        list(Made(10_000, breaks=True).pieces(size))


def test_only_the_logs_own_refusal_counts() -> None:
    refused(lambda: refuse("logging_failed.database_error"))
    with passed_over():
        refuse("logging_failed")
    with pytest.raises(Fault):
        refused(lambda: refuse("internal_error"))
    with pytest.raises(AssertionError):
        refused(lambda: None)


def test_threads_have_ended_with_the_block_and_their_errors_are_told() -> None:
    event = threading.Event()
    with pytest.raises(Fault), running(event.wait, lambda: refuse("x")):
        event.set()
