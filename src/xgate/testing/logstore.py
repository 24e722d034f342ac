"""The duties of a ``LogStore`` as tests: any store, also a third party's, is held against them.

The rule: a class of plain test methods that needs nothing but the store. With pytest::

    class TestMyStore(LogStoreDuties):
        @pytest.fixture
        def open_store(self, tmp_path):
            return lambda: MyStore(tmp_path)

Every call of ``open_store`` within one test opens the same log, empty at the start of the test, as
another server or another process would. ``leave`` them open: the suite closes what it opens.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from xgate.algorithms import SHA512
from xgate.ids import ClientId
from xgate.messagelog.record import Stamp
from xgate.messagelog.store import LogStore
from xgate.testing.logstore_bodies import BodyDuties
from xgate.testing.logstore_records import (
    CLIENT,
    OWNER,
    START,
    OpenStore,
    a_record,
    archive,
    one,
    opened,
    passed_over,
    refused,
    running,
    same_record,
)
from xgate.testing.logstore_upkeep import UpkeepDuties
from xgate.trust.verify import Evidence

__all__ = ["LogStoreDuties", "OpenStore"]


class LogStoreDuties(BodyDuties, UpkeepDuties):
    """What every store must do; for subclasses that have a fixture ``open_store``."""

    # what goes in comes out

    def test_a_record_comes_back_as_it_was(self, open_store: OpenStore) -> None:
        """Every field, octets of every kind, parts that are not kept, and empty ones."""
        octets = bytes(range(256))
        batch = [
            a_record(1),
            a_record(2, message=octets, attachments=(octets, None, b"")),
            a_record(3, evidence=Evidence(octets, octets, octets), response=True),
            a_record(4, message=b"", attachments=(None,), complete=False),
            a_record(5, owner=ClientId("Ü/%", "ä b", "¢ ☂"), client=None, service=""),
            a_record(6, query_id="", request_id="", service="Ä/\U0001f600/'\"%s?\\"),
            a_record(7, time=datetime(1900, 1, 1, 0, 0, 0, 1, tzinfo=UTC)),
            a_record(8, time=datetime(2200, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)),
            a_record(9, message=octets * 20_000, attachments=(octets * 10_000,)),
        ]
        with opened(open_store) as store:
            numbers = store.append(batch)
            for number, given in zip(numbers, batch, strict=True):
                found = one(store, number)
                assert same_record(found.record, given)
                assert found.stamp is None

    def test_a_record_without_a_key_is_kept_too(self, open_store: OpenStore) -> None:
        """And each time it is given."""
        with opened(open_store) as store:
            record = a_record(1, key=b"")
            numbers = [*store.append([record, record]), *store.append([record])]
            assert len(set(numbers)) == 3
            assert one(store, numbers[0]).record.message == record.message

    def test_what_append_has_returned_for_is_there_after_opening_again(
        self, open_store: OpenStore
    ) -> None:
        """Without ``close``, as after a crash of the process."""
        with opened(open_store) as store:
            given = [a_record(n) for n in range(3)]
            numbers = store.append(given)
            with opened(open_store) as other:
                assert [logged.id for logged in other.find()] == list(numbers)
        with opened(open_store) as again:
            records = [logged.record for logged in again.find()]
            assert all(map(same_record, records, given))

    def test_numbers_ascend_and_never_come_back(self, open_store: OpenStore) -> None:
        """Not even those of deleted records, after opening again (messagelog trap 11)."""
        with opened(open_store) as store:
            numbers = [*store.append([a_record(1), a_record(2)]), *store.append([a_record(3)])]
            assert numbers == sorted(set(numbers))
            archive(store, numbers)
            assert store.clean(START + timedelta(days=1), 10) == 3
        with opened(open_store) as store:
            assert store.append([a_record(4)])[0] > numbers[-1]

    def test_a_key_is_kept_once(self, open_store: OpenStore) -> None:
        """A batch that is given again, with others or from another server, is told its numbers."""
        with opened(open_store) as store, opened(open_store) as other:
            batch = [a_record(n) for n in range(3)]
            numbers = list(store.append(batch))
            assert list(store.append(batch)) == numbers
            new = a_record(9)
            told = other.append([batch[1], new, batch[0], new])
            assert (told[0], told[2]) == (numbers[1], numbers[0])
            assert told[1] == told[3]
            assert len(list(store.find())) == 4

    def test_an_empty_batch_is_kept_at_once(self, open_store: OpenStore) -> None:
        """Nothing in, nothing out."""
        with opened(open_store) as store:
            assert list(store.append([])) == []
            store.stamp({}, {})
            store.archived([], {})
            assert list(store.find()) == []

    # all or none

    def test_of_a_batch_with_a_record_that_cannot_be_kept_nothing_is(
        self, open_store: OpenStore
    ) -> None:
        """And the store goes on."""
        with opened(open_store) as store:
            bad = a_record(2, query_id="\ud800")
            refused(lambda: store.append([a_record(1), bad, a_record(3)]))
            assert list(store.find()) == []
            assert len(store.append([a_record(4)])) == 1

    def test_garbage_is_kept_exactly_orrefused(self, open_store: OpenStore) -> None:
        """Text from outside never becomes other text."""
        with opened(open_store) as store:
            for text in ("\0", "a\0b", "'; DROP TABLE record; --", "\x7f\x01", "é" * 255):
                record = a_record(1, query_id=text)
                with passed_over():
                    (number,) = store.append([record])
                    assert same_record(one(store, number).record, record)
            for number in (2**70, -1):
                with passed_over():
                    assert list(store.find(number=number)) == []
            with passed_over():
                assert list(store.find(query_id="\ud800")) == []

    # side by side

    def test_readers_see_whole_batches_only(self, open_store: OpenStore) -> None:
        """While another writes; and one reading sees one moment."""
        seen: list[int] = []
        done = threading.Event()

        def read() -> None:
            with opened(open_store) as reader:
                while not done.is_set():
                    seen.append(sum(1 for _ in reader.find()))

        with opened(open_store) as store, running(read):
            for batch in range(15):
                store.append([a_record(batch * 4 + n) for n in range(4)])
            done.set()
        assert seen == sorted(seen)
        assert all(number % 4 == 0 for number in seen)

    def test_writers_at_one_time_lose_and_mix_nothing(self, open_store: OpenStore) -> None:
        """Several threads on one store, several stores on one log, and signatures they share."""
        numbers: list[int] = []
        lock = threading.Lock()
        with opened(open_store) as store, opened(open_store) as other:

            def write(log: LogStore) -> None:
                for turn in range(6):
                    shared = [Evidence(b"shared %d" % (turn * n), b"result") for n in (3, 1, 2)]
                    batch = [a_record(n, evidence=e) for n, e in enumerate(shared)]
                    told = log.append(batch)
                    with lock:
                        numbers.extend(told)

            with running(*(lambda log=log: write(log) for log in (store, other, store, other))):
                pass
            assert sorted(numbers) == [logged.id for logged in store.find()]
            assert len(set(numbers)) == 72

    # stamping

    def test_the_oldest_unstamped_come_first(self, open_store: OpenStore) -> None:
        """With the digest of their documents, at most as many as asked for."""
        with opened(open_store) as store:
            numbers = store.append([a_record(n) for n in range(5)])
            digests = [SHA512.of(b"signature %d" % n) for n in range(5)]
            waiting = list(zip(numbers, digests, strict=True))
            assert [tuple(row) for row in store.unstamped(3)] == waiting[:3]
            store.stamp({numbers[0]: Stamp(b"t"), numbers[2]: Stamp(b"t")}, {})
            left = [number for number, _ in store.unstamped(10)]
            assert left == [numbers[1], numbers[3], numbers[4]]
            assert list(store.unstamped(0)) == []

    def test_a_stamp_is_attached_to_each_with_its_own_chain(self, open_store: OpenStore) -> None:
        """A batch's stamp, and a single one that comes with a new document."""
        with opened(open_store) as store:
            first, second, third = store.append([a_record(n) for n in range(3)])
            batch = {n: Stamp(b"token", b"result", b"chain %d" % n) for n in (first, second)}
            store.stamp(batch, {})
            store.stamp({third: Stamp(b"single")}, {third: b"stamped"})
            assert one(store, first).stamp == batch[first]
            assert one(store, second).stamp == batch[second]
            assert one(store, second).record.evidence.signature == b"signature 1"
            assert one(store, third).stamp == Stamp(b"single")
            assert one(store, third).record.evidence.signature == b"stamped"

    def test_a_stamped_record_stays_as_it_is(self, open_store: OpenStore) -> None:
        """A late stamp changes nothing of it, and all of the others; strangers are passed over."""
        with opened(open_store) as store:
            first, second = store.append([a_record(1), a_record(2)])
            store.stamp({first: Stamp(b"early")}, {first: b"early document"})
            late = {first: Stamp(b"late"), second: Stamp(b"late"), second + 999: Stamp(b"late")}
            store.stamp(late, {first: b"late document", second: b"second document"})
            assert one(store, first).stamp == Stamp(b"early")
            assert one(store, first).record.evidence.signature == b"early document"
            assert one(store, second).stamp == Stamp(b"late")
            assert one(store, second).record.evidence.signature == b"second document"

    def test_a_document_is_replaced_for_one_record_only(self, open_store: OpenStore) -> None:
        """Others that share the signature keep it."""
        with opened(open_store) as store:
            shared = [a_record(n, evidence=Evidence(b"shared", b"r", b"c")) for n in range(2)]
            first, second = store.append(shared)
            store.stamp({first: Stamp(b"t")}, {first: b"stamped"})
            assert one(store, first).record.evidence == Evidence(b"stamped", b"r", b"c")
            assert same_record(one(store, second).record, shared[1])

    def test_evidence_does_not_mix(self, open_store: OpenStore) -> None:
        """What stands beside a signature in one record does not come into another."""
        with opened(open_store) as store:
            kinds = [(None, None), (b"junk", b"junk"), (b"", None), (b"junk", None)]
            batch = [
                a_record(n, evidence=Evidence(b"signature", *kind)) for n, kind in enumerate(kinds)
            ]
            store.append(batch)
            found = [logged.record for logged in store.find()]
            assert all(map(same_record, found, batch))

    def test_stampers_that_race_leave_one_stamp(self, open_store: OpenStore) -> None:
        """Stamp and document of a record are always of one of them."""
        with opened(open_store) as store, opened(open_store) as other:
            numbers = store.append([a_record(n) for n in range(20)])

            def stamp(log: LogStore, name: bytes, order: Sequence[int]) -> None:
                for number in order:
                    log.stamp({number: Stamp(name)}, {number: name})

            with running(
                lambda: stamp(store, b"one", numbers),
                lambda: stamp(other, b"two", numbers[::-1]),
            ):
                pass
            for logged in store.find():
                assert logged.stamp is not None
                assert logged.stamp.token == logged.record.evidence.signature
            assert list(store.unstamped(1)) == []

    # searching

    def test_records_are_found_by_all_that_is_given(self, open_store: OpenStore) -> None:
        """And by nothing that only looks like it."""
        other = ClientId("XG", "COM", "778")
        with opened(open_store) as store:
            numbers = store.append(
                [
                    a_record(0),
                    a_record(1, query_id="query 0", response=True),
                    a_record(2, query_id="query 0", owner=other),
                    a_record(3, client=None, service="", request_id="another"),
                ]
            )

            def matching(**given: Any) -> list[int]:
                return [numbers.index(logged.id) for logged in store.find(**given)]

            assert matching() == [0, 1, 2, 3]
            assert matching(number=None, owner=None, limit=None) == [0, 1, 2, 3]
            assert matching(query_id="query 0") == [0, 1, 2]
            assert matching(query_id="query%") == matching(query_id="QUERY 0") == []
            assert matching(query_id="query 0", owner=OWNER, response=False) == [0]
            assert matching(response=True) == [1]
            assert matching(owner=other) == [2]
            assert matching(owner=OWNER.member) == []
            assert matching(client=CLIENT) == [0, 1, 2]
            assert matching(service="XG/COM/777/app/look", request_id="another") == []
            assert matching(request_id="another") == [3]
            assert matching(number=numbers[3], query_id="query 0") == []
            assert matching(since=START + timedelta(seconds=1)) == [1, 2, 3]
            assert matching(until=START + timedelta(seconds=1)) == [0]
            assert matching(limit=2) == [0, 1]
            assert matching(limit=2, newest_first=True) == [3, 2]
            assert matching(limit=0) == []
            assert matching(newest_first=True, query_id="query 0") == [2, 1, 0]

    def test_a_search_may_be_given_up(self, open_store: OpenStore) -> None:
        """What it held is free again: the log can be written and closed."""
        with opened(open_store) as store:
            store.append([a_record(n) for n in range(5)])
            for _ in range(20):
                found = store.find()
                next(found)
                found.close()  # type: ignore[attr-defined]  # as the end of a for loop does
                next(store.outlines())
            store.append([a_record(9)])
