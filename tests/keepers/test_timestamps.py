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
from xgate.keepers.stamper import Stamper
from xgate.keepers.timestamps import keep_timestamps
from xgate.messagelog.backlog import Backlog
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
        self.outage = Outage(lambda: self.urls(), CLOCK)
        self.batch = 10
        self.retry = 60.0
        self.leftovers = False
        self.backlog = Backlog(10, CLOCK.now)

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
        stamper = Stamper(store, world, lambda: given.urls(), CLOCK, services.post, watch)
        await keep_timestamps(
            stamper,
            lambda: given.interval(),
            given.batch,
            given.outage,
            given.backlog,
            CLOCK,
            watch,
            retry=given.retry,
            leftovers=given.leftovers,
        )

    async with trio.open_nursery() as nursery:
        nursery.start_soon(keep)
        yield
        nursery.cancel_scope.cancel()


def sizes(watch: Watch) -> list[tuple[int, object]]:
    return [(one.time, one.fields["records"]) for one in watch.named(DONE)]


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

    given.outage = Told(lambda: URLS, CLOCK)
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


# sooner than the interval


async def test_a_tokens_worth_of_records_does_not_wait_for_the_interval(
    given: Keeping,
    store: Store,
    record: Record,
    world: Cell[World],
    autojump_clock: MockClock,
    services: Services,
    watch: Watch,
    tsa: Callable[[bytes], bytes],
) -> None:
    services.answers = {URLS[0]: tsa}
    store.append([record])
    async with keeping(given, store, world, services, watch):
        await watch.wait(DONE)
        await trio.sleep(7)
        store.append([record] * 10)
        for _ in range(10):
            given.backlog.add()
        await watch.wait(DONE, 2)
    assert sizes(watch) == [(0, 1), (7, 10)]


async def test_a_record_whose_ocsp_response_grows_old_does_not_wait_either(
    given: Keeping,
    store: Store,
    record: Record,
    world: Cell[World],
    autojump_clock: MockClock,
    services: Services,
    watch: Watch,
    tsa: Callable[[bytes], bytes],
) -> None:
    services.answers = {URLS[0]: tsa}
    store.append([record])
    async with keeping(given, store, world, services, watch):
        await watch.wait(DONE)
        store.append([record])
        given.backlog.add(CLOCK.now() + timedelta(seconds=130))
        await watch.wait(DONE, 2)
        assert watch.named("evidence in danger") == []
    assert sizes(watch) == [(0, 1), (100, 1)]  # half a minute ahead


async def test_an_outage_tells_once_that_evidence_is_in_danger(
    given: Keeping,
    store: Store,
    record: Record,
    world: Cell[World],
    autojump_clock: MockClock,
    services: Services,
    watch: Watch,
    tsa: Callable[[bytes], bytes],
) -> None:
    services.answers = dict.fromkeys(URLS, away)
    store.append([record] * 2)
    given.backlog.add(NOW + timedelta(seconds=1000))
    given.backlog.add(NOW + timedelta(seconds=200))
    async with keeping(given, store, world, services, watch):
        await watch.wait(FAILED, 6)
        services.answers[URLS[0]] = tsa
        await watch.wait(DONE, 2)
    (told,) = watch.named("evidence in danger")
    assert told.time == 180  # the next try, at 240, is too late
    assert told.fields["stamp_by"] == "2025-06-01T12:03:20+00:00"


async def test_an_outage_is_not_hurried_by_what_waits(
    given: Keeping,
    store: Store,
    record: Record,
    world: Cell[World],
    autojump_clock: MockClock,
    services: Services,
    watch: Watch,
) -> None:
    services.answers = dict.fromkeys(URLS, away)
    store.append([record])
    for _ in range(20):
        given.backlog.add(NOW)
    async with keeping(given, store, world, services, watch):
        await watch.wait(FAILED, 3)
    assert [one.time for one in watch.named(FAILED)] == [0, 60, 120]


# others at the same log


async def test_of_several_processes_one_stamps_at_a_time(
    given: Keeping,
    store: Store,
    record: Record,
    world: Cell[World],
    autojump_clock: MockClock,
    services: Services,
    watch: Watch,
    tsa: Callable[[bytes], bytes],
) -> None:
    services.answers = {URLS[0]: tsa}
    store.append([record])
    other = store.alone("timestamper")
    assert other.__enter__()
    async with keeping(given, store, world, services, watch):
        await trio.sleep(12)
        assert services.asked == []
        assert not given.in_outage()
        other.__exit__(None, None, None)
        await watch.wait(DONE)
    ((moment, records),) = sizes(watch)
    assert (12 <= moment <= 17, records) == (True, 1)  # it looks again every five seconds


async def test_where_each_message_is_stamped_only_what_was_left_behind_is_looked_for(
    given: Keeping,
    store: Store,
    record: Record,
    world: Cell[World],
    autojump_clock: MockClock,
    services: Services,
    watch: Watch,
    tsa: Callable[[bytes], bytes],
) -> None:
    given.leftovers = True
    services.answers = {URLS[0]: tsa}
    store.append([record])
    async with keeping(given, store, world, services, watch):
        await watch.wait(DONE)  # of an earlier run
        store.append([record])  # its own stamp is under way
        await trio.sleep(5900)
        assert len(services.asked) == 1
        given.backlog.add()  # it has failed
        await watch.wait(DONE, 2)
    (_, (moment, records)) = sizes(watch)
    assert (5900 < moment <= 6500, records) == (True, 1)  # within an interval
