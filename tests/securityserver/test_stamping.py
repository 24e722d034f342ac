"""From the settings to what the log, the keeper and the downloads share."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path

import msgspec
import pytest
import trio

from xgate.algorithms import SHA512
from xgate.cell import Cell
from xgate.clock import SystemClock
from xgate.errors import Fault
from xgate.globalconf.conf import GlobalConf, Instance
from xgate.ids import ClientId, ServerId
from xgate.messagelog.record import Record
from xgate.messagelog.sqlite import SqliteStore
from xgate.net.errors import HttpError, NetError, TimedOutError
from xgate.net.listen import listen_on, serve_listeners
from xgate.net.server import Exchange, ServerLimits, serve_connection
from xgate.net.stream import Stream
from xgate.policy.world import World
from xgate.securityserver.settings import Settings, load_settings
from xgate.securityserver.stamping import Stamping, post_to, stamp_by
from xgate.serverconf.model import ServerConf
from xgate.testing.authority import NOW, Authority
from xgate.testing.clock import FakeClock
from xgate.testing.conf import make_conf
from xgate.testing.outside import Watch
from xgate.testing.responders import answer_timestamp
from xgate.trust.ocsp import OcspResponse
from xgate.trust.verify import Evidence

OWNER = ClientId("XG", "COM", "1")
MESSAGE = b"message"
URLS = ("http://one/", "http://two/")


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    opened = SqliteStore(tmp_path / "log")
    yield opened
    opened.close()


Make = Callable[..., Stamping]


@pytest.fixture
def make(tmp_path: Path, store: SqliteStore, authority: Authority, watch: Watch) -> Make:
    def made(
        lines: str = "",
        *,
        conf: GlobalConf | None = None,
        clock: FakeClock | None = None,
    ) -> Stamping:
        world = Cell(
            World(conf or make_conf(authority, tsa_urls=URLS), ServerConf(ServerId(OWNER, "SS")))
        )
        return Stamping(
            settings(tmp_path, lines), tmp_path, store, world, clock or FakeClock(NOW), watch
        )

    return made


@pytest.fixture
def watch() -> Watch:
    return Watch()


def settings(folder: Path, lines: str) -> Settings:
    path = folder / "xgate.toml"
    path.write_text(f'server = "XG/COM/1/SS"\n[messagelog.timestamping]\n{lines}\n')
    return load_settings(path)


def with_interval(conf: GlobalConf, seconds: int | None) -> GlobalConf:
    own = conf.instances["XG"]
    private = own.private
    if private is not None and seconds is not None:
        private = msgspec.structs.replace(private, timestamping_interval_seconds=seconds)
    shared = own.shared
    return GlobalConf(
        "XG",
        {"XG": Instance("XG", shared, None if seconds is None else private, own.settings, 6)},
    )


# how often


@pytest.mark.parametrize(
    ("said", "set_to", "expected"),
    [
        (300, 0, 300),
        (1, 0, 60),
        (100_000, 0, 86_400),
        (300, 7, 7),
        (300, 0.1, 0.1),
    ],
)
def test_the_interval_is_the_configurations_within_bounds_unless_it_is_set(
    make: Make, authority: Authority, said: int, set_to: float, expected: float
) -> None:
    conf = with_interval(make_conf(authority), said)
    assert make(f"interval-seconds = {set_to}", conf=conf).interval() == expected


def test_without_private_parameters_only_the_settings_can_say_it(
    make: Make, authority: Authority
) -> None:
    conf = with_interval(make_conf(authority), None)
    with pytest.raises(Fault):
        make(conf=conf).interval()
    assert make("interval-seconds = 7", conf=conf).interval() == 7


# who


def test_services_are_the_approved_ones_of_now(make: Make, authority: Authority) -> None:
    stamping = make()
    assert stamping.services() == list(URLS)
    listed = make('services = ["http://stranger/", "http://two/"]')
    assert listed.services() == ["http://two/"]
    listed.outage.check()


async def test_a_service_that_is_not_approved_is_named_at_start(make: Make, watch: Watch) -> None:
    stamping = make('services = ["http://stranger/", "http://two/"]')
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stamping.keep)
        (told,) = await watch.wait("timestamping service not approved")
        nursery.cancel_scope.cancel()
    assert told.fields == {"url": "http://stranger/"}


def test_with_no_approved_service_nothing_can_be_logged(make: Make) -> None:
    log = make('services = ["http://stranger/"]\nacceptable-failure-seconds = 0').open_log(10)
    with pytest.raises(Fault) as caught:
        log.check_can_log()
    assert (caught.value.code, caught.value.text) == (
        "logging_failed.mlog.no_timestamping_provider_found",
        "Cannot time-stamp messages: no timestamping services configured",
    )


# how long without


def test_the_accepted_time_is_the_settings_and_outlives_a_restart(make: Make) -> None:
    clock = FakeClock(NOW)
    first = make("acceptable-failure-seconds = 100", clock=clock)
    first.outage.begin()
    clock.advance(101)
    with pytest.raises(Fault):
        first.open_log(10).check_can_log()
    with pytest.raises(Fault) as caught:
        make("acceptable-failure-seconds = 100", clock=clock).open_log(10).check_can_log()
    assert caught.value.code == "logging_failed.timestamping_failed"
    make("acceptable-failure-seconds = 0", clock=clock).open_log(10).check_can_log()
    make('mode = "each"', clock=clock).open_log(10).check_can_log()  # its own stamp decides


# each


@asynccontextmanager
async def service(answer: Callable[[bytes], bytes | None]) -> AsyncIterator[str]:
    """A timestamping service on loopback, and its URL; None: 503."""

    async def serve(exchange: Exchange) -> None:
        body = bytearray()
        while data := await exchange.receive():
            body += data
        given = answer(bytes(body))
        await exchange.respond(503 if given is None else 200, [], given or b"")

    async def connection(stream: Stream) -> None:
        await serve_connection(stream, serve, ServerLimits(), SystemClock())

    listeners = await listen_on("127.0.0.1", 0)
    async with trio.open_nursery() as nursery:
        await nursery.start(partial(serve_listeners, listeners, connection))
        yield f"http://127.0.0.1:{listeners[0].getsockname()[1]}/tsa"
        nursery.cancel_scope.cancel()


async def test_each_message_has_its_stamp_before_it_goes_on(
    make: Make, authority: Authority, store: SqliteStore
) -> None:
    signature = authority.sign("/message.xml", MESSAGE, authority.member(OWNER))
    record = Record(NOW, OWNER, "1", "2", False, MESSAGE, (), Evidence(signature))
    working = True

    def answer(request: bytes) -> bytes | None:
        return answer_timestamp(request, authority.tsa, NOW, 1) if working else None

    async with service(answer) as url, trio.open_nursery() as nursery:
        conf = make_conf(authority, tsa_urls=[url])
        stamping = make('mode = "each"', conf=conf)
        log = stamping.open_log(10)
        await nursery.start(log.run)
        await log.append(record)
        assert list(store.unstamped(10)) == []
        working = False
        with pytest.raises(Fault) as caught:
            await log.append(record)
        assert caught.value.code == "logging_failed.timestamping_failed"
        assert [number for number, _ in store.unstamped(10)] == [2]
        assert stamping.backlog.pending.records == 1
        working = True
        stamping.outage.begin()
        await stamping.stamp_now((2, SHA512.of(signature)))
        assert list(store.unstamped(10)) == []
        assert not stamping.outage.lasting  # a forced stamp that works ends an outage
        nursery.cancel_scope.cancel()


# until when


def test_the_first_response_that_grows_old_decides(authority: Authority) -> None:
    conf = make_conf(authority, freshness=3600)
    subject = authority.member(OWNER).certificate
    responses = [
        OcspResponse.load(authority.vouch(subject, at=NOW - timedelta(seconds=age)))
        for age in (10, 900, 60)
    ]
    assert stamp_by(conf, responses) == NOW + timedelta(seconds=2700)
    assert stamp_by(conf, []) is None


# the way there


async def test_only_a_whole_answer_counts(authority: Authority) -> None:
    answers: list[bytes | None] = [b"yes", b"", None]
    async with service(lambda _: answers.pop(0)) as url:
        post = post_to({"tsa.test": "127.0.0.1"}, timeout=5, connect_timeout=5)
        named = url.replace("127.0.0.1", "tsa.test")
        assert await post(named, b"request", "application/timestamp-query") == b"yes"
        for said in ("200", "503"):
            with pytest.raises(HttpError, match=said):
                await post(url, b"request", "application/timestamp-query")
    with pytest.raises(NetError, match="not a plain http"):
        await post("ftp://tsa/", b"", "")


async def test_a_service_that_takes_no_connection_costs_no_more_than_was_given() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        address = listener.getsockname()
        waiting = [socket.socket() for _ in range(8)]  # they fill the queue of connections
        try:
            for one in waiting:
                one.setblocking(False)
                one.connect_ex(address)
            post = post_to({}, timeout=60, connect_timeout=0.2)
            began = trio.current_time()
            with pytest.raises(TimedOutError):
                await post(f"http://127.0.0.1:{address[1]}/", b"", "")
            assert trio.current_time() - began < 5
        finally:
            for one in waiting:
                one.close()
