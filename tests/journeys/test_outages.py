"""What fails when something that messages need is out of date, revoked, full or away; and that the
server serves again when it is back.
"""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec
import pytest
import trio

from xgate.clock import SystemClock
from xgate.sandbox.authority import Authority
from xgate.sandbox.country import PROVIDER, Country, Place
from xgate.sandbox.publication import describe_country, publish_country
from xgate.testing.clock import FakeClock

if TYPE_CHECKING:
    from tests.journeys.conftest import Reply, Started, Starter

CLIENT_SIDE = "server.clientproxy."
SERVER_SIDE = "server.serverproxy."


async def both(started: Started, query: str) -> list[Reply]:
    """The same question in both protocols."""
    caller = started.caller
    rest = await caller.rest("POST", "/echo", [("X-Road-Id", f"{query}-rest")], b"x")
    return [rest, await caller.soap("tell", f"{query}-soap")]


async def assert_serves(started: Started) -> None:
    assert [reply.code for reply in await both(started, "serves")] == ["", ""]


def counts(started: Started, query: str) -> list[list[int]]:
    return [started.caller.counts(f"{query}-{protocol}") for protocol in ("rest", "soap")]


NOTHING = [[0, 0], [0, 0]]
ONE_EACH = [[1, 1], [1, 1]]


# The global configuration


@asynccontextmanager
async def ten_minutes_of_configuration(
    start: Starter, country: Country
) -> AsyncIterator[tuple[Started, FakeClock, FakeClock]]:
    now = SystemClock().now()
    publish_country(country, now, valid_for=timedelta(minutes=10))
    mine, theirs = FakeClock(now), FakeClock(now)
    async with start(country, clock=FakeClock(now), clocks=(mine, theirs)) as started:
        yield started, mine, theirs


async def test_an_expired_configuration_stops_the_consumer(
    start: Starter, found: Callable[..., Country]
) -> None:
    async with ten_minutes_of_configuration(start, found()) as (started, mine, _):
        await assert_serves(started)
        mine.advance(11 * 60)
        replies = await both(started, "expired")
        got = await started.caller.send("GET", "/anything")
        put = await started.caller.send("PUT", "/anything")

        assert [reply.code for reply in replies] == [CLIENT_SIDE + "global_conf_outdated"] * 2
        assert [reply.status for reply in replies] == [500, 200]
        assert got.code == CLIENT_SIDE + "global_conf_outdated"
        assert put.code == "client.invalid_http_method"
        assert counts(started, "expired") == NOTHING


async def test_an_expired_configuration_stops_the_provider(
    start: Starter, found: Callable[..., Country]
) -> None:
    async with ten_minutes_of_configuration(start, found()) as (started, _, theirs):
        theirs.advance(11 * 60)
        replies = await both(started, "expired")

        assert [reply.code for reply in replies] == [SERVER_SIDE + "global_conf_outdated"] * 2
        assert counts(started, "expired") == [[1, 0], [1, 0]]


async def test_a_new_configuration_is_taken_without_a_restart(
    start: Starter, found: Callable[..., Country]
) -> None:
    country = found({"[globalconf]\n": "[globalconf]\nrefresh-seconds = 0.05\n"})
    async with start(country) as started:
        await assert_serves(started)
        shared = describe_country(country)
        closed = tuple(
            msgspec.structs.replace(server, maintenance="back at noon")
            if server.owner == PROVIDER.member
            else server
            for server in shared.servers
        )
        closed_down = msgspec.structs.replace(shared, servers=closed)
        publish_country(country, SystemClock().now(), closed_down)
        await started.running.consumer.wait("global configuration refreshed")
        replies = await both(started, "closed")

        assert [reply.code for reply in replies] == [CLIENT_SIDE + "maintenance_mode"] * 2
        assert replies[0].text.endswith("administrator: back at noon")
        assert counts(started, "closed") == NOTHING


# Certificates of one's own


async def test_a_stale_ocsp_response_of_ones_own_stops_the_consumer(start: Starter) -> None:
    now = SystemClock().now()
    mine, theirs = FakeClock(now), FakeClock(now)
    async with start(clock=FakeClock(now), clocks=(mine, theirs)) as started:
        mine.advance(timedelta(hours=2))
        replies = await both(started, "stale")
        got = await started.caller.send("GET", "/anything")
        mine.jump_to(now)
        await assert_serves(started)

        assert [reply.code for reply in replies] == [CLIENT_SIDE + "ssl_authentication_failed"] * 2
        assert replies[0].text.startswith("Security server has no valid authentication certificate")
        assert got.code == "client.invalid_http_method"
        assert counts(started, "stale") == NOTHING


async def test_a_stale_ocsp_response_of_ones_own_stops_the_provider(start: Starter) -> None:
    now = SystemClock().now()
    mine, theirs = FakeClock(now), FakeClock(now)
    async with start(clock=FakeClock(now), clocks=(mine, theirs)) as started:
        theirs.advance(timedelta(hours=2))
        replies = await both(started, "stale")
        line = await started.running.provider.wait("peer refused")
        theirs.jump_to(now)
        await assert_serves(started)

        assert [reply.code for reply in replies] == [CLIENT_SIDE + "ssl_authentication_failed"] * 2
        assert "no valid authentication certificate" in str(line["cause"])
        assert counts(started, "stale") == NOTHING


@pytest.mark.parametrize(
    ("who", "key", "rest", "soap"),
    [
        ("consumer", "auth", CLIENT_SIDE + "ssl_authentication_failed", None),
        ("consumer", "sign", CLIENT_SIDE + "io_error", CLIENT_SIDE + "internal_error"),
        ("provider", "auth", CLIENT_SIDE + "ssl_authentication_failed", None),
        ("provider", "sign", SERVER_SIDE + "service_failed.internal_error", None),
    ],
)
async def test_a_revoked_certificate_of_ones_own(
    start: Starter,
    found: Callable[..., Country],
    who: str,
    key: str,
    rest: str,
    soap: str | None,
) -> None:
    country = found()
    place: Place = getattr(country, who)
    now = SystemClock().now()
    authority = Authority(country, SystemClock())
    authority.revoked[getattr(place, key).certificate.serial] = now - timedelta(hours=1)
    async with start(country, authority=authority) as started:
        replies = await both(started, "revoked")

        assert [reply.code for reply in replies] == [rest, soap or rest]
        expected = [[1, 0], [1, 0]] if (who, key) == ("provider", "sign") else NOTHING
        assert counts(started, "revoked") == expected


async def test_without_a_responder_nothing_goes_and_with_it_everything(
    start: Starter, found: Callable[..., Country]
) -> None:
    country = found()
    authority = Authority(country, SystemClock())
    authority.away.add("ocsp")
    async with start(country, authority=authority) as started:
        line = await started.running.consumer.wait("OCSP responses refreshed")
        replies = await both(started, "early")

        assert (line["certificates"], line["answered"]) == (2, 0)
        assert [reply.code for reply in replies] == [CLIENT_SIDE + "ssl_authentication_failed"] * 2
        assert counts(started, "early") == NOTHING


async def test_servers_that_start_while_the_responder_is_away_serve_by_what_they_kept(
    start: Starter, found: Callable[..., Country]
) -> None:
    country = found()
    authority = Authority(country, SystemClock())
    async with start(country, authority=authority) as started:
        await assert_serves(started)
        while [_kept(place) for place in country.places] != [3, 2]:  # the consumer has a peer's
            await trio.lowlevel.checkpoint()
    authority.away.add("ocsp")
    async with start(country, authority=authority) as started:
        line = await started.running.provider.wait("OCSP responses refreshed")
        restored = await started.running.provider.wait("OCSP responses restored")
        await assert_serves(started)

        assert (line["certificates"], line["answered"]) == (2, 0)
        assert (restored["kept"], restored["dropped"]) == (2, 0)


def _kept(place: Place) -> int:
    return len(list((place.folder / "ocsp-cache").glob("*.ocsp")))


# The log


@contextmanager
def full(place: Place, when: str = "1") -> Iterator[None]:
    """The server's log refuses whatever is to be kept, as a full disk would."""
    with closing(sqlite3.connect(place.messagelog, isolation_level=None)) as db:
        db.execute(
            f"CREATE TRIGGER full BEFORE INSERT ON record WHEN {when} "
            "BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
        )
        try:
            yield
        finally:
            db.execute("DROP TRIGGER full")


ANSWERS = "NEW.response"


@pytest.mark.parametrize(
    ("who", "when", "rest", "soap", "kept"),
    [
        ("consumer", "1", CLIENT_SIDE + "io_error", CLIENT_SIDE + "logging_failed", NOTHING),
        ("consumer", ANSWERS, CLIENT_SIDE + "logging_failed", None, [[1, 2], [1, 2]]),
        ("provider", "1", SERVER_SIDE + "logging_failed", None, [[1, 0], [1, 0]]),
        ("provider", ANSWERS, SERVER_SIDE + "logging_failed", None, ONE_EACH),
    ],
)
async def test_a_full_log_lets_nothing_pass_unlogged(
    start: Starter,
    who: str,
    when: str,
    rest: str,
    soap: str | None,
    kept: list[list[int]],
) -> None:
    async with start() as started:
        with full(getattr(started.running.country, who), when):
            replies = await both(started, "full")
        called = len(started.desk.seen)
        await assert_serves(started)

        codes = [reply.code.removesuffix(".database_error") for reply in replies]
        assert codes == [rest, soap or rest]
        assert "The message could not be logged" in replies[0].text
        line = await getattr(started.running, who).wait("exchange", outcome="fault")
        assert "database or disk is full" in line["cause"]  # in that server's own log alone
        assert not any(b"disk is full" in reply.body for reply in replies)
        assert b"echo" not in replies[0].body
        assert counts(started, "full") == kept
        assert called == (0 if when == "1" else 2)


async def test_a_consumer_that_cannot_log_withholds_its_signature(start: Starter) -> None:
    async with start() as started:
        with full(started.running.country.consumer):
            await started.caller.soap("tell", "withheld")
        line = await started.running.provider.wait("exchange", id="withheld")

        assert line["code"] == SERVER_SIDE + "missing_signature"


# Timestamps and time


async def test_messages_go_on_without_a_timestamping_service(
    start: Starter, found: Callable[..., Country]
) -> None:
    country = found()
    authority = Authority(country, SystemClock())
    authority.away.add("tsa")
    async with start(country, authority=authority) as started:
        await assert_serves(started)
        await started.running.consumer.wait("timestamping failed")
        authority.away.clear()
        await started.caller.prove("serves-rest")


async def test_a_provider_that_stops_and_comes_back(start: Starter) -> None:
    async with start() as started:
        await assert_serves(started)
        started.drains[1].start()
        await started.running.provider.wait("stopped")
        with trio.fail_after(10):
            replies = await both(started, "away")

        assert [reply.code for reply in replies] == [CLIENT_SIDE + "network_error"] * 2
        assert counts(started, "away") == NOTHING
