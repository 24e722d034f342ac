"""The duties of a ``LogStore`` towards large bodies: taken in piece by piece, and not read in vain.

The rule: as in ``logstore``, which is the whole suite; this is a part of it.
"""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from xgate.messagelog.record import Stamp, outline_of
from xgate.messagelog.store import Filters
from xgate.testing.logstore_records import (
    CLIENT,
    START,
    Made,
    OpenStore,
    a_record,
    archive,
    one,
    opened,
    refused,
)
from xgate.trust.verify import Evidence

__all__ = ["BodyDuties"]

_LARGE = 16 << 20


class BodyDuties:
    """What ``logstore.LogStoreDuties`` holds a store to where bodies are large."""

    # in

    def test_a_body_that_is_read_in_pieces_is_kept_like_any_other(
        self, open_store: OpenStore
    ) -> None:
        """Of any size, beside others; given again, it is not kept again."""
        sizes = (0, 1, 65_537, (1 << 20) + 7)
        bodies = tuple(Made(size) for size in sizes)
        with opened(open_store) as store:
            record = a_record(1, attachments=(*bodies, None, b"octets"))
            numbers = store.append([a_record(0), record, a_record(2)])
            assert list(store.append([record])) == [numbers[1]]
            kept = one(store, numbers[1]).record
            assert kept.attachments == (*map(Made.octets, sizes), None, b"octets")
            assert one(store, numbers[2]).record.message == b"message 2"

    def test_a_body_takes_little_memory(self, open_store: OpenStore) -> None:
        """Whether it is the only one, or a batch has several."""
        batch = [a_record(n, attachments=(Made(_LARGE),)) for n in range(3)]
        with opened(open_store) as store:
            with _little_memory():
                numbers = store.append(batch)
            assert one(store, numbers[2]).record.attachments == (Made.octets(_LARGE),)

    def test_a_body_that_cannot_be_read_is_refused(self, open_store: OpenStore) -> None:
        """With its whole batch; so is one that is shorter or longer than it says."""
        size = 1 << 20
        with opened(open_store) as store:
            for bad in (Made(size, then=-70_000), Made(size, then=1), Made(size, breaks=True)):
                batch = [a_record(1), a_record(2, attachments=(bad,)), a_record(3)]
                refused(lambda batch=batch: store.append(batch))  # type: ignore[misc]  # bound now
                assert list(store.find()) == []
            assert len(store.append([a_record(4, attachments=(Made(size),))])) == 1

    # out

    def test_outlines_are_of_the_records_that_would_be_found(self, open_store: OpenStore) -> None:
        """All that is known but the octets: by the same conditions, in the same order."""
        octets = Made.octets(1_280_000)
        with opened(open_store) as store:
            stamped, _, _ = store.append(
                [
                    a_record(0, message=b"", evidence=Evidence(b"s", b"r", b"c"), complete=False),
                    a_record(1, message=octets, attachments=(octets, None, b""), response=True),
                    a_record(2, client=None, service="", owner=CLIENT),
                ]
            )
            store.stamp({stamped: Stamp(b"t", b"r", b"c")}, {})
            conditions: list[Filters] = [
                {},
                {"number": stamped},
                {"response": True},
                {"owner": CLIENT, "limit": 5},
                {"newest_first": True, "limit": 2},
                {"limit": 0},
            ]
            for filters in conditions:
                found = [outline_of(logged) for logged in store.find(**filters)]
                assert list(store.outlines(**filters)) == found
            sizes = [(one.message_octets, one.attachment_octets) for one in store.outlines()]
            assert sizes == [(0, ()), (1_280_000, (1_280_000, None, 0)), (9, ())]

    def test_parts_come_in_pieces(self, open_store: OpenStore) -> None:
        """Of any size, each by its place; what is not there is told."""
        sizes = (0, 1, 65_537, (3 << 20) + 7)
        with opened(open_store) as store:
            attachments = (*map(Made.octets, sizes), None)
            store.append([a_record(0), a_record(1, message=b"", attachments=attachments)])
            other, outline = store.outlines()
            assert b"".join(store.read_part(other, 0)) == b"message 0"
            assert b"".join(store.read_part(outline, 0)) == b""
            for place, size in enumerate(sizes, start=1):
                assert b"".join(store.read_part(outline, place)) == Made.octets(size)
            for place in (len(attachments), len(attachments) + 1):
                refused(lambda place=place: list(store.read_part(outline, place)))  # type: ignore[misc]  # bound now
            archive(store, [outline.id])
            assert store.clean(START + timedelta(days=1), 10) == 1
            refused(lambda: list(store.read_part(outline, 1)))

    def test_parts_take_little_memory(self, open_store: OpenStore) -> None:
        """However large they are; and whoever has read enough may stop."""
        with opened(open_store) as store:
            store.append([a_record(1, attachments=(Made(_LARGE),))])
            (outline,) = store.outlines()
            with _little_memory():
                assert sum(map(len, store.read_part(outline, 1))) == _LARGE
            next(store.read_part(outline, 1))
            store.append([a_record(2)])

    def test_outlines_take_little_memory(self, open_store: OpenStore) -> None:
        """However large bodies are."""
        with opened(open_store) as store:
            store.append([a_record(1, attachments=(Made(_LARGE),))])
            with _little_memory():
                (outline,) = store.outlines()
            assert outline.attachment_octets == (_LARGE,)


@contextmanager
def _little_memory() -> Iterator[None]:
    """Python has at no moment of the block much more memory than before it."""
    gc.collect()  # what others left behind is not to end while we measure
    tracemalloc.start()
    try:
        yield
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < _LARGE // 4, f"{most} octets for bodies of {_LARGE}"
