"""Who is asked for a token, in which order, and how what he gave is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from xgate.algorithms import SHA512
from xgate.cell import Cell
from xgate.errors import Fault
from xgate.globalconf.conf import GlobalConf
from xgate.ids import ClientId, ServerId
from xgate.keepers.stamper import Stamper
from xgate.messagelog.evidence import write_evidence
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
URLS = ("http://one/", "http://two/", "http://three/")
CLOCK = LoopClock()
DONE, MISSED = "timestamped", "timestamp not obtained"


class Store(SqliteStore):
    """The real one, which counts, takes its time, and fails when a test says so."""

    failure: Exception | None = None
    seconds = 0.0

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.slices: list[int] = []

    def stamp(self, stamps: Mapping[int, Stamp], documents: Mapping[int, bytes]) -> None:
        self.slices.append(len(stamps))
        if self.failure is not None:
            raise self.failure
        super().stamp(stamps, documents)
        if self.seconds:  # of the loop's time, which flies
            trio.from_thread.run(trio.sleep, self.seconds)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "log")
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def record(authority: Authority) -> Record:
    signature = authority.sign("/message.xml", MESSAGE, authority.member(OWNER))
    return Record(NOW, OWNER, "1", "2", False, MESSAGE, (), Evidence(signature))


def world_of(conf: GlobalConf) -> Cell[World]:
    return Cell(World(conf, ServerConf(ServerId(OWNER, "SS"))))


@pytest.fixture
def tsa(authority: Authority) -> Callable[[bytes], bytes]:
    """A timestamping service that works."""
    serials = iter(range(1, 10_000))
    return lambda request: answer_timestamp(request, authority.tsa, NOW, next(serials))


@pytest.fixture
def urls() -> list[str]:
    return list(URLS[:2])


@pytest.fixture
def stamper(
    store: Store, authority: Authority, urls: Sequence[str], services: Services, watch: Watch
) -> Stamper:
    world = world_of(make_conf(authority))
    return Stamper(store, world, lambda: urls, CLOCK, services.post, watch)


def away(_: bytes) -> bytes:
    raise TimedOutError("no answer in 60 s")


async def test_the_first_service_that_answers_well_counts(
    store: Store,
    record: Record,
    stamper: Stamper,
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
        assert await stamper.stamp_oldest(10) == 1
        assert services.urls == list(URLS[:2])
        assert list(store.unstamped(10)) == []
        await trio.sleep(700)  # until the first has its turn again
    assert services.kinds == {"application/timestamp-query"}
    assert [one.fields["url"] for one in watch.named(MISSED)] == [URLS[0]] * len(bad)


async def test_without_any_good_answer_nothing_changes_and_it_is_said(
    store: Store,
    record: Record,
    stamper: Stamper,
    urls: list[str],
    autojump_clock: MockClock,
    services: Services,
) -> None:
    store.append([record])
    services.answers = dict.fromkeys(URLS, away)
    with pytest.raises(Fault) as caught:
        await stamper.stamp_oldest(10)
    assert caught.value.code == "timestamping_failed"
    urls.clear()
    with pytest.raises(Fault) as caught:
        await stamper.stamp_oldest(10)
    assert caught.value.code == "mlog.no_timestamping_provider_found"
    assert len(store.unstamped(10)) == 1
    assert store.slices == []


async def test_an_expired_configuration_stamps_nothing(
    store: Store,
    record: Record,
    authority: Authority,
    autojump_clock: MockClock,
    services: Services,
    watch: Watch,
) -> None:
    expired = world_of(make_conf(authority, expires=NOW - timedelta(seconds=1)))
    stamper = Stamper(store, expired, lambda: URLS, CLOCK, services.post, watch)
    assert await stamper.stamp_oldest(10) == 0
    store.append([record])
    with pytest.raises(Fault) as caught:
        await stamper.stamp_oldest(10)
    assert caught.value.code == "global_conf_outdated"
    assert services.asked == []


# who is asked first


async def test_a_dead_service_costs_its_time_out_once_and_is_tried_again_later(
    store: Store,
    record: Record,
    stamper: Stamper,
    urls: list[str],
    autojump_clock: MockClock,
    services: Services,
    tsa: Callable[[bytes], bytes],
) -> None:
    urls.append(URLS[2])

    async def dead(_: bytes) -> bytes:
        await trio.sleep(80)
        raise TimedOutError("no answer")

    services.answers = {URLS[0]: dead, URLS[1]: tsa, URLS[2]: tsa}
    rounds = []
    for _ in range(12):
        store.append([record])
        services.asked.clear()
        await stamper.stamp_oldest(10)
        rounds.append(services.urls)
        await trio.sleep(60)
    assert rounds[0] == [URLS[0], URLS[1]]
    assert rounds[1:10] == [[URLS[1]]] * 9
    assert rounds[10] == [URLS[0], URLS[1]]
    services.answers[URLS[0]] = tsa
    await trio.sleep(600)
    store.append([record])
    services.asked.clear()
    await stamper.stamp_oldest(10)
    assert services.urls == [URLS[0]]  # it was preferred, and is again


async def test_when_all_have_failed_all_are_asked_in_their_order(
    store: Store,
    record: Record,
    stamper: Stamper,
    autojump_clock: MockClock,
    services: Services,
) -> None:
    store.append([record])
    services.answers = dict.fromkeys(URLS, away)
    for _ in range(3):
        services.asked.clear()
        with pytest.raises(Fault):
            await stamper.stamp_oldest(10)
        assert services.urls == list(URLS[:2])


# how it is kept


async def test_what_cannot_be_kept_is_no_services_fault(
    store: Store,
    record: Record,
    stamper: Stamper,
    autojump_clock: MockClock,
    services: Services,
    watch: Watch,
    tsa: Callable[[bytes], bytes],
) -> None:
    store.append([record])
    store.failure = Fault("logging_failed.database_error", "The message log: disk is full")
    services.answers = dict.fromkeys(URLS, tsa)
    for _ in range(2):
        with pytest.raises(Fault) as caught:
            await stamper.stamp_oldest(10)
        assert caught.value is store.failure
    assert services.urls == [URLS[0]] * 2
    assert watch.named(MISSED) == []


async def test_catching_up_leaves_the_writer_to_messages_half_of_the_time(
    store: Store,
    record: Record,
    stamper: Stamper,
    autojump_clock: MockClock,
    services: Services,
    watch: Watch,
    tsa: Callable[[bytes], bytes],
) -> None:
    store.append([record] * 1100)
    store.seconds = 0.5
    services.answers = {URLS[0]: tsa}
    assert await stamper.stamp_oldest(1100) == 1100
    assert store.slices == [250, 250, 250, 250, 100]
    assert trio.current_time() == pytest.approx(5.0)  # five slices, and as long a rest after each
    assert [one.fields["records"] for one in watch.named(DONE)] == [1100]
    assert len(services.asked) == 1
    tokens = {logged.stamp.token for logged in store.find() if logged.stamp}
    assert len(tokens) == 1


# one at once


async def test_one_record_is_stamped_for_whoever_waits(
    store: Store,
    record: Record,
    stamper: Stamper,
    authority: Authority,
    autojump_clock: MockClock,
    services: Services,
    tsa: Callable[[bytes], bytes],
) -> None:
    numbers = store.append([record] * 2)
    services.answers = {URLS[0]: tsa}
    digest = SHA512.of(record.evidence.signature)
    await stamper.stamp_one((numbers[1], digest))
    assert [number for number, _ in store.unstamped(10)] == [numbers[0]]
    (logged,) = store.find(number=numbers[1])
    proof = verify_container(make_conf(authority), write_evidence(logged)[1])
    assert proof.timestamp_kind == "plain"


async def test_single_stamps_do_not_storm_a_service(
    store: Store,
    record: Record,
    stamper: Stamper,
    services: Services,
    tsa: Callable[[bytes], bytes],
) -> None:
    most = now = 0
    crowd = trio.Event()

    async def busy(request: bytes) -> bytes:
        nonlocal most, now
        now += 1
        most = max(most, now)
        if most == 16:
            crowd.set()
        await crowd.wait()
        now -= 1
        return tsa(request)

    services.answers = {URLS[0]: busy}
    waiting = [(n, SHA512.of(record.evidence.signature)) for n in store.append([record] * 40)]
    async with trio.open_nursery() as nursery:
        for one in waiting:
            nursery.start_soon(stamper.stamp_one, one)
    assert most == 16
    assert list(store.unstamped(50)) == []


async def test_behind_a_silent_service_nobody_waits_long_for_a_turn(
    store: Store,
    record: Record,
    stamper: Stamper,
    autojump_clock: MockClock,
    services: Services,
) -> None:
    async def silent(_: bytes) -> bytes:
        await trio.sleep(80)
        raise TimedOutError("no answer in 80 s")

    services.answers = dict.fromkeys(URLS, silent)
    waiting = [(n, SHA512.of(record.evidence.signature)) for n in store.append([record] * 40)]
    refused: list[tuple[float, str]] = []

    async def ask(one: Waiting) -> None:
        with pytest.raises(Fault) as caught:
            await stamper.stamp_one(one)
        refused.append((round(trio.current_time()), caught.value.code))

    async with trio.open_nursery() as nursery:
        for one in waiting:
            nursery.start_soon(ask, one)
    code = "timestamping_failed"
    assert refused[:24] == [(30, code)] * 24
    assert [c for _, c in refused[24:]] == [code] * 16
    assert len(services.asked) == 2 * 16
