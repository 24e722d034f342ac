"""Everything that is logged is stamped in the end, whatever fails on the way."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from xgate.cell import Cell
from xgate.errors import Fault
from xgate.globalconf.conf import GlobalConf
from xgate.ids import ClientId, ServerId
from xgate.keepers.timestamps import keep_timestamps, stamp_waiting
from xgate.messagelog.evidence import write_evidence
from xgate.messagelog.outage import Outage
from xgate.messagelog.record import Record, Stamp
from xgate.messagelog.sqlite import SqliteStore
from xgate.messagelog.store import Waiting
from xgate.net.errors import TimedOutError
from xgate.policy.world import World
from xgate.serverconf.model import ServerConf
from xgate.testing.authority import NOW, Authority
from xgate.testing.conf import make_conf
from xgate.testing.outside import LoopClock, Services, Watch
from xgate.testing.pki import issue_tsa
from xgate.testing.responders import answer_timestamp
from xgate.trust.verify import Evidence, verify_container

OWNER = ClientId("XG", "COM", "1")
MESSAGE = (
    b"GET\r\n/r1/XG/GOV/2/reg/look\r\nX-Road-Client:XG/COM/1/app\r\n"
    b"X-Road-Id:1\r\nx-road-request-id:2\r\n"
)
URLS = ("http://one/", "http://two/")
CLOCK = LoopClock()
DONE, FAILED, MISSED = "timestamped", "timestamping failed", "timestamp not obtained"


class Store(SqliteStore):
    """The real one, which fails in both ways when a test says so."""

    before: Exception | None = None
    after: Exception | None = None

    def unstamped(self, limit: int) -> Sequence[Waiting]:
        if self.before is not None:
            raise self.before
        return super().unstamped(limit)

    def stamp(self, stamps: Mapping[int, Stamp], documents: Mapping[int, bytes]) -> None:
        super().stamp(stamps, documents)
        if self.after is not None:
            raise self.after


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "log")
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def record(authority: Authority) -> Record:
    signature = authority.sign("/message.xml", MESSAGE, authority.member(OWNER))
    return Record(NOW, OWNER, "1", "2", False, MESSAGE, (), Evidence(signature))


@pytest.fixture(scope="module")
def conf(authority: Authority) -> GlobalConf:
    return make_conf(authority)


def world_of(conf: GlobalConf) -> World:
    return World(conf, ServerConf(ServerId(OWNER, "SS")))


@pytest.fixture
def world(conf: GlobalConf) -> Cell[World]:
    return Cell(world_of(conf))


@pytest.fixture
def tsa(authority: Authority) -> Callable[[bytes], bytes]:
    """A timestamping service that works."""
    serials = iter(range(1, 10_000))
    return lambda request: answer_timestamp(request, authority.tsa, CLOCK.now(), next(serials))


def away(_: bytes) -> bytes:
    raise TimedOutError("no answer in 60 s")


class Keeping:
    """What a keeper was given; a test changes it while it runs."""

    def __init__(self) -> None:
        self.urls: Callable[[], Sequence[str]] = lambda: URLS
        self.interval: Callable[[], float] = lambda: 600.0
        self.outage = Outage(lambda: self.urls(), CLOCK.monotonic)
        self.batch = 10
        self.retry = 60.0

    def in_outage(self) -> bool:
        return self.outage.lasting


@pytest.fixture
def given() -> Keeping:
    return Keeping()


@asynccontextmanager
async def keeping(
    given: Keeping,
    store: SqliteStore,
    world: Cell[World],
    services: Services,
    watch: Watch,
) -> AsyncIterator[None]:
    async def keep() -> None:
        await keep_timestamps(
            store,
            world,
            lambda: given.urls(),
            lambda: given.interval(),
            given.batch,
            given.outage,
            CLOCK,
            services.post,
            watch,
            retry=given.retry,
        )

    async with trio.open_nursery() as nursery:
        nursery.start_soon(keep)
        yield
        nursery.cancel_scope.cancel()


def sizes(watch: Watch) -> list[tuple[int, object]]:
    return [(one.time, one.fields["records"]) for one in watch.named(DONE)]


# one token


async def test_the_first_service_that_answers_well_counts(
    store: Store,
    record: Record,
    world: Cell[World],
    authority: Authority,
    autojump_clock: MockClock,
    services: Services,
    watch: Watch,
    tsa: Callable[[bytes], bytes],
) -> None:
    stranger = issue_tsa(authority.ca, "Stranger")
    bad: list[Callable[[bytes], bytes]] = [
        away,
        lambda _: b"<html>busy</html>",
        lambda _: tsa(b"no request"),
        lambda request: answer_timestamp(request, stranger, NOW, 1),
        lambda _: 1 // 0 * b"",
    ]
    for answer in bad:
        services.answers = {URLS[0]: answer, URLS[1]: tsa}
        services.asked.clear()
        store.append([record])
        stamped = await stamp_waiting(store, world.value, URLS, 10, CLOCK, services.post, watch)
        assert stamped == 1
        assert services.urls == list(URLS)
        assert list(store.unstamped(10)) == []
    assert services.kinds == {"application/timestamp-query"}
    assert [one.fields["url"] for one in watch.named(MISSED)] == [URLS[0]] * len(bad)


async def test_without_any_good_answer_nothing_changes_and_it_is_said(
    store: Store,
    record: Record,
    world: Cell[World],
    autojump_clock: MockClock,
    services: Services,
    watch: Watch,
) -> None:
    store.append([record])
    services.answers = dict.fromkeys(URLS, away)
    with pytest.raises(Fault) as caught:
        await stamp_waiting(store, world.value, URLS, 10, CLOCK, services.post, watch)
    assert caught.value.code == "timestamping_failed"
    with pytest.raises(Fault) as caught:
        await stamp_waiting(store, world.value, [], 10, CLOCK, services.post, watch)
    assert caught.value.code == "mlog.no_timestamping_provider_found"
    assert len(store.unstamped(10)) == 1


async def test_an_expired_configuration_stamps_nothing(
    store: Store,
    record: Record,
    authority: Authority,
    autojump_clock: MockClock,
    services: Services,
    watch: Watch,
) -> None:
    expired = world_of(make_conf(authority, expires=NOW - timedelta(seconds=1)))
    assert await stamp_waiting(store, expired, URLS, 10, CLOCK, services.post, watch) == 0
    store.append([record])
    with pytest.raises(Fault) as caught:
        await stamp_waiting(store, expired, URLS, 10, CLOCK, services.post, watch)
    assert caught.value.code == "global_conf_outdated"
    assert services.asked == []


# round after round


async def test_a_backlog_is_drained_in_batches_and_every_message_is_proven(
    given: Keeping,
    store: Store,
    record: Record,
    conf: GlobalConf,
    world: Cell[World],
    autojump_clock: MockClock,
    services: Services,
    watch: Watch,
    tsa: Callable[[bytes], bytes],
) -> None:
    store.append([record] * 25)
    services.answers = {URLS[0]: tsa}
    async with keeping(given, store, world, services, watch):
        await watch.wait(DONE, 3)
        store.append([record])
        await watch.wait(DONE, 4)
    assert sizes(watch) == [(0, 10), (0, 10), (0, 5), (600, 1)]
    for logged in store.find():
        proof = verify_container(conf, write_evidence(logged)[1])
        assert proof.timestamp_kind == ("plain" if logged.id == 26 else "batch")


async def test_an_empty_log_asks_nobody(
    given: Keeping,
    store: Store,
    record: Record,
    world: Cell[World],
    autojump_clock: MockClock,
    services: Services,
    watch: Watch,
    tsa: Callable[[bytes], bytes],
) -> None:
    rounds = 0

    def interval() -> float:
        nonlocal rounds
        rounds += 1
        if rounds == 5:
            store.append([record])
        return 600.0

    given.interval = interval
    services.answers = {URLS[0]: tsa}
    async with keeping(given, store, world, services, watch):
        await watch.wait(DONE)
    assert services.asked == [(2400, URLS[0])]
    assert watch.named(FAILED) == []


async def test_an_outage_is_tried_with_one_record_and_ends_with_all(
    given: Keeping,
    store: Store,
    record: Record,
    conf: GlobalConf,
    world: Cell[World],
    autojump_clock: MockClock,
    services: Services,
    watch: Watch,
    tsa: Callable[[bytes], bytes],
) -> None:
    store.append([record] * 15)
    services.answers = dict.fromkeys(URLS, away)
    async with keeping(given, store, world, services, watch):
        await watch.wait(FAILED, 3)
        assert given.in_outage()
        services.answers = {URLS[0]: away, URLS[1]: tsa}
        await watch.wait(DONE, 3)
        store.append([record])
        await watch.wait(DONE, 4)
        assert not given.in_outage()
    assert [one.time for one in watch.named(FAILED)] == [0, 60, 120]
    assert sizes(watch) == [(180, 1), (180, 10), (180, 4), (780, 1)]
    for logged in store.find():
        verify_container(conf, write_evidence(logged)[1])


async def test_an_interval_shorter_than_the_retry_is_not_lengthened(
    given: Keeping,
    store: Store,
    record: Record,
    world: Cell[World],
    autojump_clock: MockClock,
    services: Services,
    watch: Watch,
) -> None:
    given.interval = lambda: 5.0
    store.append([record])
    services.answers = dict.fromkeys(URLS, away)
    async with keeping(given, store, world, services, watch):
        await watch.wait(FAILED, 3)
    assert [one.time for one in watch.named(FAILED)] == [0, 5, 10]


async def test_when_the_queue_turns_out_empty_the_outage_is_over(
    given: Keeping,
    store: Store,
    world: Cell[World],
    autojump_clock: MockClock,
    services: Services,
    watch: Watch,
) -> None:
    store.before = Fault("logging_failed.database_error", "The message log: disk I/O error")
    over = trio.Event()

    class Told(Outage):
        def end(self) -> None:
            super().end()
            over.set()

    given.outage = Told(lambda: URLS, CLOCK.monotonic)
    async with keeping(given, store, world, services, watch):
        await watch.wait(FAILED, 2)
        assert given.in_outage()
        store.before = None
        await over.wait()
    assert not given.in_outage()
    assert services.asked == []


@pytest.mark.parametrize("error", [Fault("internal_error", "no parameters"), KeyError("x")])
async def test_no_failure_ends_it(
    given: Keeping,
    store: Store,
    record: Record,
    world: Cell[World],
    autojump_clock: MockClock,
    services: Services,
    watch: Watch,
    tsa: Callable[[bytes], bytes],
    error: Exception,
) -> None:
    def fail() -> float:
        raise error

    def fail_too() -> Sequence[str]:
        raise error

    store.append([record])
    services.answers = {URLS[0]: tsa}
    working = given.urls, given.interval
    given.urls, given.interval = fail_too, fail
    async with keeping(given, store, world, services, watch):
        await watch.wait(FAILED, 1)
        given.interval = working[1]
        await watch.wait(FAILED, 2)
        given.urls = working[0]
        store.before = error
        await watch.wait(FAILED, 3)
        store.before = None
        await watch.wait(DONE)
    assert [one.time for one in watch.named(FAILED)] == [0, 60, 120]
    assert sizes(watch) == [(180, 1)]


async def test_a_stamp_that_was_kept_and_reported_as_failed_is_not_made_twice(
    given: Keeping,
    store: Store,
    record: Record,
    world: Cell[World],
    autojump_clock: MockClock,
    services: Services,
    watch: Watch,
    tsa: Callable[[bytes], bytes],
) -> None:
    store.append([record] * 2)
    services.answers = {URLS[0]: tsa, URLS[1]: tsa}
    store.after = Fault("logging_failed.database_error", "The message log: disk I/O error")
    async with keeping(given, store, world, services, watch):
        await watch.wait(FAILED)
        before = list(store.find())
        store.after = None
        store.append([record])
        await watch.wait(DONE)
    assert all(logged.stamp is not None for logged in before)
    assert list(store.find())[:2] == before
    assert sizes(watch) == [(60, 1)]


async def test_a_configuration_is_taken_anew_at_each_round(
    given: Keeping,
    store: Store,
    record: Record,
    authority: Authority,
    world: Cell[World],
    autojump_clock: MockClock,
    services: Services,
    watch: Watch,
    tsa: Callable[[bytes], bytes],
) -> None:
    world.set(world_of(make_conf(Authority("YY"))))  # it does not know the service
    store.append([record])
    services.answers = dict.fromkeys(URLS, tsa)
    async with keeping(given, store, world, services, watch):
        await watch.wait(FAILED)
        world.set(world_of(make_conf(authority)))
        await watch.wait(DONE)
    assert "tsp_certificate_not_found" in str(watch.named(MISSED)[0].fields["cause"])
    assert sizes(watch) == [(60, 1)]
