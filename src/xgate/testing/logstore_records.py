"""What the suite of ``logstore`` works with: records, and ways to open, to race and to be refused.

The rule: nothing here knows a store; records are plain, and each has a key.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from xgate.errors import Fault
from xgate.ids import ClientId
from xgate.messagelog.record import LoggedRecord, Record, Stamp, new_key
from xgate.messagelog.store import LogStore
from xgate.trust.verify import Evidence

__all__ = [
    "CLIENT",
    "OWNER",
    "START",
    "Made",
    "OpenStore",
    "a_record",
    "archive",
    "one",
    "opened",
    "passed_over",
    "refused",
    "running",
    "same_record",
    "stamped",
]

OpenStore = Callable[[], LogStore]
START = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
OWNER = ClientId("XG", "COM", "777", "app")
CLIENT = ClientId("XG", "GOV", "1", "client")
_PATTERN = bytes(range(256))


class Made:
    """A body that is made while it is read.

    :param then: how many octets come besides, or are missing. :param breaks: halfway, an error.
    """

    def __init__(self, size: int, *, then: int = 0, breaks: bool = False) -> None:
        self._size = size
        self._then = then
        self._breaks = breaks

    @staticmethod
    def octets(size: int) -> bytes:
        """What a body of this size consists of."""
        return (_PATTERN * (size // len(_PATTERN) + 1))[:size]

    def __len__(self) -> int:
        return self._size

    def pieces(self, size: int) -> Iterator[bytes]:
        """See ``Body.pieces``."""
        pattern = _PATTERN * (size // len(_PATTERN) + 2)
        end = self._size + self._then
        for place in range(0, end, size):
            if self._breaks and place > end // 2:
                raise OSError("it broke off")
            start = place % len(_PATTERN)
            yield pattern[start : start + min(size, end - place)]


def a_record(number: int, **more: Any) -> Record:
    """A record of which only the form is right; each is a second later than the one before."""
    record = Record(
        time=START + timedelta(seconds=number),
        owner=OWNER,
        query_id=f"query {number}",
        request_id="5d8a6f6e-8b0e-4c2a-8a55-0a3f4f6c9f11",
        response=False,
        message=b"message %d" % number,
        attachments=(),
        evidence=Evidence(b"signature %d" % number),
        client=CLIENT,
        service="XG/COM/777/app/look",
        key=new_key(),
    )
    return msgspec.structs.replace(record, **more)


def same_record(found: Record, given: Record) -> bool:
    """Whether a store has given back what it got; the key it was encrypted with is its own."""
    return msgspec.structs.replace(found, key_id=given.key_id) == given


@contextmanager
def opened(open_store: OpenStore) -> Iterator[LogStore]:
    """The log, closed at the end of the block."""
    store = open_store()
    try:
        yield store
    finally:
        store.close()


@contextmanager
def running(*works: Callable[[], object]) -> Iterator[None]:
    """Threads that have ended with the block; what one of them raised is raised."""
    failures: list[BaseException] = []

    def guarded(work: Callable[[], object]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001  raised below, in the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for thread in threads:
            thread.join(60)
    if failures:
        raise failures[0]


def one(store: LogStore, number: int) -> LoggedRecord:
    """The record with this number."""
    (logged,) = store.find(number=number)
    return logged


def stamped(store: LogStore, count: int) -> Sequence[int]:
    """The numbers of that many new records with a stamp."""
    numbers = store.append([a_record(n) for n in range(count)])
    store.stamp({number: Stamp(b"t") for number in numbers}, {})
    return numbers


def archive(store: LogStore, numbers: Sequence[int]) -> None:
    """Stamp records and mark them as archived."""
    store.stamp({number: Stamp(b"t") for number in numbers}, {})
    store.archived(numbers, {})


def refused(work: Callable[[], object]) -> None:
    """Do what must be refused, as the log's own refusal."""
    done = False
    with passed_over():
        work()
        done = True
    assert not done, "it should have been refused"


@contextmanager
def passed_over() -> Iterator[None]:
    """What may be refused, if it is the log's own refusal."""
    try:
        yield
    except Fault as fault:
        if not fault.code.startswith("logging_failed"):
            raise
