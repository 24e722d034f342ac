"""What is stored is proven again, by chance and at a bounded cost, and nothing stops for it."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Unpack

import msgspec
import pytest
import trio
from trio.testing import MockClock

from xgate.cell import Cell
from xgate.errors import Fault
from xgate.globalconf.conf import GlobalConf
from xgate.ids import ClientId, ServerId
from xgate.keepers.audit import Audit, audit_record, audit_sample, keep_auditing
from xgate.messagelog.record import Outline, Record
from xgate.messagelog.sqlite import SqliteStore
from xgate.messagelog.store import Filters
from xgate.messagelog.timestamping import fulfil, write_order
from xgate.policy.world import World
from xgate.serverconf.model import ServerConf
from xgate.signer.keyring import SignKey
from xgate.signer.signer import SigningContext, sign_seals
from xgate.signer.software import SoftwareToken
from xgate.testing.authority import NOW, Authority
from xgate.testing.conf import make_conf
from xgate.testing.logstore_records import Made
from xgate.testing.outside import Watch
from xgate.testing.responders import answer_timestamp
from xgate.trust.seal import seal_of
from xgate.trust.verify import Evidence

OWNER = ClientId("XG", "COM", "1")
MESSAGE = (
    b"GET\r\n/r1/XG/GOV/2/reg/look\r\nX-Road-Client:XG/COM/1/app\r\n"
    b"X-Road-Id:1\r\nx-road-request-id:2\r\n"
)
DONE, BAD = "audited", "evidence does not verify"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    opened = SqliteStore(tmp_path / "log")
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def record(authority: Authority) -> Record:
    signature = authority.sign("/message.xml", MESSAGE, authority.member(OWNER))
    return Record(NOW, OWNER, "query", "2", False, MESSAGE, (), Evidence(signature))


@pytest.fixture(scope="module")
def conf(authority: Authority) -> GlobalConf:
    return make_conf(authority)


@pytest.fixture
def world(conf: GlobalConf) -> Cell[World]:
    return Cell(World(conf, ServerConf(ServerId(OWNER, "SS"))))


@pytest.fixture
def keep(store: SqliteStore, authority: Authority, conf: GlobalConf) -> Callable[..., None]:
    """Log records; then stamp all that wait."""

    def kept(*records: Record, late: timedelta = timedelta(0)) -> None:
        store.append(records)
        order = write_order(store.unstamped(100), store)
        answer = answer_timestamp(order.request, authority.tsa, NOW + late, 1)
        fulfil(order, answer, conf, store)

    return kept


def in_turn(first: int, last: int) -> Callable[[int, int], int]:
    """Chance that gives one number after the other, for ever."""
    drawn = iter(range(first, 100_000))

    def draw(low: int, high: int) -> int:
        assert (low, high) == (first, last)
        return low + (next(drawn) - low) % (high - low + 1)

    return draw


def causes(store: SqliteStore, conf: GlobalConf, sample: int, last: int) -> list[str | None]:
    return [finding.cause for finding in audit_sample(store, conf, sample, in_turn(1, last))]


def test_a_sample_is_of_different_records_and_no_larger_than_wanted(
    store: SqliteStore, record: Record, conf: GlobalConf, keep: Callable[..., None]
) -> None:
    assert audit_sample(store, conf, 3, in_turn(1, 1)) == []
    keep(*[record] * 5)
    findings = audit_sample(store, conf, 3, in_turn(1, 5))
    assert [finding.number for finding in findings] == [1, 2, 3]
    assert {finding.cause for finding in findings} == {None}
    numbers = [finding.number for finding in audit_sample(store, conf, 9, in_turn(1, 5))]
    assert numbers == [1, 2, 3, 4, 5]


def test_chance_meets_old_and_new(
    store: SqliteStore, record: Record, conf: GlobalConf, keep: Callable[..., None]
) -> None:
    keep(*[record] * 5)
    asked: list[tuple[int, int]] = []

    def draw(low: int, high: int) -> int:
        asked.append((low, high))
        return high

    assert [one.number for one in audit_sample(store, conf, 2, draw)] == [5]
    assert asked == [(1, 5)] * 40  # and no more than so often


def test_what_waits_or_proves_nothing_by_design_is_passed_over(
    store: SqliteStore, record: Record, conf: GlobalConf, keep: Callable[..., None]
) -> None:
    keep(record, msgspec.structs.replace(record, message=b"", complete=False))
    store.append([record])
    assert causes(store, conf, 3, 3) == [None]


def test_what_fails_is_named_with_its_cause(
    store: SqliteStore, record: Record, conf: GlobalConf, keep: Callable[..., None]
) -> None:
    keep(record)
    keep(msgspec.structs.replace(record, message=MESSAGE.replace(b"look", b"book")))
    keep(record, late=timedelta(hours=2))  # signature trap 11
    keep(msgspec.structs.replace(record, evidence=Evidence(b"no XML")))
    good, changed, late, garbage = causes(store, conf, 4, 4)
    assert good is None
    assert str(changed).startswith("invalid_signature_value") or "digest" in str(changed).lower()
    assert "OCSP" in str(late)
    assert str(garbage).startswith("malformed_signature") or "invalid_xml" in str(garbage)


def test_what_cannot_even_be_judged_is_a_finding(
    store: SqliteStore, record: Record, keep: Callable[..., None]
) -> None:
    keep(record)
    (outline,) = store.outlines()
    broken = object()
    finding = audit_record(store, outline, broken)  # type: ignore[arg-type]
    assert "Traceback" in str(finding.cause)


def test_every_part_that_is_kept_is_proven(
    store: SqliteStore, authority: Authority, conf: GlobalConf, keep: Callable[..., None]
) -> None:
    """Also one of which the signature speaks through a hash chain only."""
    body = Made.octets(300_000)
    good = signed_with_body(authority, body)
    keep(good)
    keep(msgspec.structs.replace(good, attachments=(Made(len(body)),)))
    keep(msgspec.structs.replace(good, attachments=(body[:-1] + b"x",)))
    keep(msgspec.structs.replace(good, attachments=(None,)))
    keep(msgspec.structs.replace(good, attachments=(body, b"another")))
    assert causes(store, conf, 5, 5) == [
        None,
        None,
        "invalid_signature_value: '/attachment1' is not what was signed",
        None,  # of attachments of SOAP messages only the digest may be kept
        "invalid_signature_value: '/attachment2' is not what was signed",
    ]


def test_a_large_record_is_never_in_memory(
    store: SqliteStore, authority: Authority, conf: GlobalConf, keep: Callable[..., None]
) -> None:
    size = 16 << 20
    keep(signed_with_body(authority, Made.octets(size)))
    gc.collect()  # what others left behind is not to end while we measure
    tracemalloc.start()
    try:
        assert causes(store, conf, 1, 1) == [None]
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < size // 4


def signed_with_body(authority: Authority, body: bytes) -> Record:
    """As a REST message is: through a hash chain."""
    member = authority.member(OWNER)
    token = SoftwareToken({"K": ("", member.key)})
    key = SignKey(OWNER.member, member.certificate, token.keys()[0], token)
    context = SigningContext(key, authority.vouch(member.certificate))
    (evidence,) = sign_seals(context, [seal_of(MESSAGE, [body])], NOW)
    return Record(NOW, OWNER, "query", "2", False, MESSAGE, (body,), evidence)


# round after round


async def test_each_round_is_told_and_a_failing_record_is_named_once(
    store: SqliteStore,
    record: Record,
    world: Cell[World],
    keep: Callable[..., None],
    autojump_clock: MockClock,
    watch: Watch,
) -> None:
    keep(record)
    bad = msgspec.structs.replace(record, message=b"another", time=NOW - timedelta(days=1))
    keep(bad)
    audit = Audit()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(keep_auditing, audit, store, world, 60.0, 3, watch)
        await watch.wait(DONE, 3)
        nursery.cancel_scope.cancel()
    assert [(one.time, one.fields["records"]) for one in watch.named(DONE)] == [
        (60, 2),
        (120, 2),
        (180, 2),
    ]
    assert {one.fields["failed"] for one in watch.named(DONE)} == {1}
    assert {one.fields["oldest"] for one in watch.named(DONE)} == {"2025-05-31T12:00:00+00:00"}
    (named,) = watch.named(BAD)
    assert (named.fields["record"], named.fields["query_id"]) == (2, "query")
    assert (audit.records, audit.failed) == (6, 3)


async def test_a_log_that_fails_stops_nothing(
    tmp_path: Path,
    record: Record,
    world: Cell[World],
    keep: Callable[..., None],
    autojump_clock: MockClock,
    watch: Watch,
) -> None:
    keep(record)
    failures: list[Exception] = [Fault("logging_failed.database_error", "gone"), KeyError("x")]

    class Failing(SqliteStore):
        def outlines(self, **filters: Unpack[Filters]) -> Iterator[Outline]:
            if failures:
                raise failures.pop()
            return super().outlines(**filters)

    failing = Failing(tmp_path / "log")
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(keep_auditing, Audit(), failing, world, 10.0, 1, watch)
            await watch.wait(DONE)
            nursery.cancel_scope.cancel()
    finally:
        failing.close()
    told: Sequence[int] = [one.time for one in watch.named("audit not done")]
    assert told == [10, 20]
    assert watch.named(DONE)[0].time == 30


def test_names_of_failing_records_are_remembered_within_bounds() -> None:
    audit = Audit()
    assert [audit.is_new(number) for number in (7, 7, 8)] == [True, False, True]
    for number in range(100, 10_099):
        assert audit.is_new(number)
    assert audit.is_new(7)
    assert not audit.is_new(10_098)
