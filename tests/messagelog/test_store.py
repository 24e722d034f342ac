"""The duties of a log store, held against the one that is shipped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xgate.algorithms import SHA512
from xgate.errors import Fault
from xgate.ids import ClientId
from xgate.messagelog.record import LoggedRecord, Record, Stamp
from xgate.messagelog.sqlite import SqliteStore
from xgate.messagelog.store import LogStore
from xgate.trust.verify import Evidence

Make = Callable[..., Record]
OTHER = ClientId("XG", "COM", "778")


@pytest.fixture
def log(store: SqliteStore) -> LogStore:
    return store


def found(log: LogStore, number: int) -> LoggedRecord:
    (logged,) = log.find(number=number)
    return logged


def evidence(signature: bytes, chain: bytes | None = None) -> Evidence:
    return Evidence(signature, None if chain is None else b"result", chain)


# what goes in comes out


@st.composite
def records(draw: st.DrawFn) -> Record:
    text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
    part = (
        st.text(min_size=1, max_size=20)
        .filter(lambda t: bool(t.strip()))
        .filter(lambda t: not any("\ud800" <= c <= "\udfff" for c in t))
    )
    octets = st.binary(max_size=100)
    return Record(
        time=draw(st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))),
        owner=ClientId(*draw(st.lists(part, min_size=3, max_size=4))),
        query_id=draw(text),
        request_id=draw(text),
        response=draw(st.booleans()),
        message=draw(octets),
        attachments=tuple(draw(st.lists(st.none() | octets, max_size=3))),
        evidence=Evidence(draw(octets), draw(st.none() | octets), draw(st.none() | octets)),
    )


@pytest.fixture(scope="module")
def one_log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LogStore]:
    """One for all examples: each makes its own records in it."""
    opened = SqliteStore(tmp_path_factory.mktemp("log") / "log")
    yield opened
    opened.close()


@given(batch=st.lists(records(), min_size=1, max_size=8))
@settings(max_examples=40, deadline=None)
def test_every_record_comes_back_as_it_was(one_log: LogStore, batch: list[Record]) -> None:
    numbers = one_log.append(batch)
    assert [found(one_log, number).record for number in numbers] == batch
    owned = [logged.record for logged in one_log.find(owner=batch[0].owner)]
    assert batch[0] in owned
    assert {record.owner for record in owned} == {batch[0].owner}


def test_numbers_ascend_and_nothing_is_stamped_at_first(log: LogStore, unsigned: Make) -> None:
    numbers = [*log.append([unsigned(1), unsigned(2)]), *log.append([unsigned(3)])]
    assert all(before < after for before, after in pairwise(numbers))
    assert [logged.id for logged in log.find()] == numbers
    assert {logged.stamp for logged in log.find()} == {None}


def test_an_empty_batch_is_kept_at_once(log: LogStore) -> None:
    assert list(log.append([])) == []
    assert list(log.find()) == []


def test_records_are_found_by_everything_that_is_given(log: LogStore, unsigned: Make) -> None:
    batch = [
        unsigned(1),
        unsigned(1, response=True),
        unsigned(1, owner=OTHER),
        unsigned(2),
    ]
    numbers = log.append(batch)

    def matching(**given: object) -> list[int]:
        return [numbers.index(logged.id) for logged in log.find(**given)]  # type: ignore[arg-type]  # by name

    assert matching() == [0, 1, 2, 3]
    assert matching(query_id="query 1") == [0, 1, 2]
    assert matching(query_id="query 1", owner=batch[0].owner) == [0, 1]
    assert matching(query_id="query 1", owner=batch[0].owner, response=False) == [0]
    assert matching(response=True) == [1]
    assert matching(owner=OTHER.member) == [2]
    assert matching(owner=batch[0].owner.member) == []
    assert matching(number=numbers[3], query_id="query 1") == []
    assert matching(query_id="query%") == []


# all or nothing


def test_of_a_batch_with_a_record_that_cannot_be_kept_nothing_is(
    log: LogStore, unsigned: Make
) -> None:
    bad = unsigned(2, query_id="\ud800")
    with pytest.raises(Fault) as caught:
        log.append([unsigned(1), bad, unsigned(3)])
    assert caught.value.code.startswith("logging_failed")
    assert list(log.find()) == []
    (number,) = log.append([unsigned(4)])
    assert found(log, number).record == unsigned(4)


# stamping


def test_the_oldest_unstamped_come_first_with_the_digest_of_their_document(
    log: LogStore, unsigned: Make
) -> None:
    numbers = log.append([unsigned(n) for n in range(5)])
    digests = [SHA512.of(b"signature %d" % n) for n in range(5)]
    assert list(log.unstamped(3)) == list(zip(numbers[:3], digests[:3], strict=True))
    log.stamp({numbers[0]: Stamp(b"t"), numbers[2]: Stamp(b"t")}, {})
    assert [number for number, _ in log.unstamped(10)] == [numbers[1], numbers[3], numbers[4]]
    assert list(log.unstamped(0)) == []


def test_a_batch_stamp_is_attached_to_each_with_its_own_chain(
    log: LogStore, unsigned: Make
) -> None:
    numbers = log.append([unsigned(n) for n in range(3)])
    stamps = {n: Stamp(b"token", b"result", b"chain %d" % n) for n in numbers}
    log.stamp(stamps, {})
    for number in numbers:
        assert found(log, number).stamp == stamps[number]
    assert list(log.unstamped(10)) == []


def test_a_single_stamp_replaces_that_records_document_alone(log: LogStore, unsigned: Make) -> None:
    shared = [unsigned(n, evidence=evidence(b"shared", b"chain %d" % n)) for n in range(3)]
    numbers = log.append(shared)
    log.stamp({numbers[1]: Stamp(b"token")}, {numbers[1]: b"stamped"})
    assert found(log, numbers[1]).record.evidence == Evidence(b"stamped", b"result", b"chain 1")
    assert found(log, numbers[1]).stamp == Stamp(b"token")
    for number, before in ((numbers[0], shared[0]), (numbers[2], shared[2])):
        assert found(log, number) == LoggedRecord(number, before, None)


def test_who_comes_second_changes_nothing(log: LogStore, unsigned: Make) -> None:
    numbers = log.append([unsigned(1), unsigned(2)])
    first = {n: Stamp(b"first", b"result", b"chain") for n in numbers}
    log.stamp(first, {})
    log.stamp({numbers[0]: Stamp(b"late")}, {numbers[0]: b"late document"})
    log.stamp({n: Stamp(b"later", b"r", b"c") for n in numbers}, {})
    for number, before in zip(numbers, (unsigned(1), unsigned(2)), strict=True):
        assert found(log, number) == LoggedRecord(number, before, first[number])


def test_a_batch_that_overlaps_stamps_only_who_still_waits(log: LogStore, unsigned: Make) -> None:
    numbers = log.append([unsigned(1), unsigned(2)])
    log.stamp({numbers[0]: Stamp(b"single")}, {numbers[0]: b"stamped"})
    log.stamp({n: Stamp(b"batch", b"result", b"chain") for n in numbers}, {})
    assert found(log, numbers[0]).stamp == Stamp(b"single")
    assert found(log, numbers[0]).record.evidence == Evidence(b"stamped")
    assert found(log, numbers[1]).stamp == Stamp(b"batch", b"result", b"chain")


def test_a_record_that_is_not_there_is_passed_over(log: LogStore, unsigned: Make) -> None:
    (number,) = log.append([unsigned(1)])
    log.stamp({number + 7: Stamp(b"t"), number: Stamp(b"t")}, {number + 7: b"stamped"})
    assert found(log, number).stamp == Stamp(b"t")


def test_documents_are_only_for_those_who_are_stamped(log: LogStore, unsigned: Make) -> None:
    numbers = log.append([unsigned(1), unsigned(2)])
    log.stamp({numbers[0]: Stamp(b"t")}, {numbers[1]: b"smuggled"})
    assert found(log, numbers[1]) == LoggedRecord(numbers[1], unsigned(2), None)
