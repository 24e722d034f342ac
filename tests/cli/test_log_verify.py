"""A stored record's verdict, and how a sample is drawn."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from xgate.cli.configuration import open_configuration
from xgate.cli.log_records import Selection
from xgate.cli.log_verify import draw, judge_record, octets_of
from xgate.globalconf.conf import GlobalConf
from xgate.messagelog.record import LoggedRecord
from xgate.messagelog.sqlite import SqliteStore

if TYPE_CHECKING:
    from tests.cli.conftest import Logged


@pytest.fixture
def store(logged: Logged) -> Iterator[SqliteStore]:
    with closing(SqliteStore(logged.path, read_only=True)) as store:
        yield store


@pytest.fixture(scope="module")
def trust(configuration: Path) -> GlobalConf:
    return open_configuration(configuration)


def only(store: SqliteStore, number: int) -> LoggedRecord:
    (found,) = store.find(number=number)
    return found


def changed(logged: LoggedRecord, **changes: object) -> LoggedRecord:
    record = msgspec.structs.replace(logged.record, **changes)
    return LoggedRecord(logged.id, record, logged.stamp)


def test_each_record_has_its_state(store: SqliteStore, logged: Logged, trust: GlobalConf) -> None:
    states = [judge_record(trust, record).state for record in store.find()]
    assert states == ["valid", "valid", "unstamped", "invalid", "incomplete"]
    valid = judge_record(trust, only(store, logged.request))
    assert valid.verdict is not None
    assert valid.verdict.file == "1-request-1.asice"


def test_a_body_that_was_cut_is_no_forgery_and_one_that_was_not_is(
    store: SqliteStore, logged: Logged, trust: GlobalConf
) -> None:
    record = only(store, logged.request)
    cut = changed(record, attachments=(b"bo",), complete=False)
    assert judge_record(trust, cut).state == "incomplete"
    assert judge_record(trust, changed(cut, complete=True)).state == "invalid"


def test_what_is_wrong_besides_counts_although_it_was_cut(
    store: SqliteStore, logged: Logged, trust: GlobalConf
) -> None:
    record = only(store, logged.cut)
    signature = record.record.evidence.signature.replace(b"SignatureValue", b"SignatureVal")
    evidence = msgspec.structs.replace(record.record.evidence, signature=signature)
    judged = judge_record(trust, changed(record, evidence=evidence))
    assert judged.state == "invalid"


def test_a_record_of_which_no_container_can_be_made(
    store: SqliteStore, logged: Logged, trust: GlobalConf
) -> None:
    record = only(store, logged.request)
    evidence = msgspec.structs.replace(record.record.evidence, signature=b"no XML")
    judged = judge_record(trust, changed(record, evidence=evidence))
    assert judged.state == "invalid"
    assert judged.verdict is not None
    assert judged.verdict.file == "record 1"


def test_its_size_counts_all_that_is_kept(store: SqliteStore, logged: Logged) -> None:
    record = only(store, logged.request)
    signature = len(record.record.evidence.signature)
    assert octets_of(record) == len(record.record.message) + signature + len(b"body")


@pytest.mark.parametrize("size", [1, 3, 5, 100])
@pytest.mark.parametrize("since", [None, "2025-06-01"])
def test_a_sample_holds_each_record_at_most_once(
    store: SqliteStore, size: int, since: str | None
) -> None:
    seen: set[int] = set()
    for seed in range(30):
        drawn = draw(store, Selection(since=since), size, random.Random(seed))
        numbers = [record.id for record in drawn]
        assert len(numbers) == len(set(numbers)) == min(size, 5)
        seen.update(numbers)
    assert len(seen) == 5


def test_a_sample_of_what_matches(store: SqliteStore, logged: Logged) -> None:
    drawn = draw(store, Selection(responses=True), 5, random.Random(1))
    assert [record.id for record in drawn] == [logged.answer]
    assert not list(draw(store, Selection(id="nothing"), 5, random.Random(1)))


def test_a_sample_of_an_empty_log(tmp_path: Path) -> None:
    with closing(SqliteStore(tmp_path / "log")) as store:
        assert not list(draw(store, Selection(), 5, random.Random(1)))
