"""Bad weather between the servers, at the service and at the information system: what each message
is told, what is logged of it, and that the next one is served and nothing is left behind.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from operator import gt
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trio
import trio.testing
from tests.journeys.weather import BUSY, LOGIN_PAGE, NOT_HTTP, InWeather, in_weather

from xgate.net.errors import NetError
from xgate.sandbox.country import Country
from xgate.testing.fault_proxy import FaultProxy
from xgate.testing.weather import FAIR, End, Weather, Wind

if TYPE_CHECKING:
    from tests.journeys.conftest import Starter

CLIENT = "server.clientproxy."
SERVER = "server.serverproxy."
FAILED = SERVER + "service_failed."
NOTHING, ASKED, HALF, ALL = [0, 0], [1, 0], [1, 1], [2, 2]
SENT = [1, -1]  # asked, and perhaps answered: nobody has heard of it
BODY = bytes(3000)


def there(octets: int, end: End) -> Weather:
    return Weather(there=Wind(after=(octets, octets), end=end))


def back(octets: int, end: End) -> Weather:
    return Weather(back=Wind(after=(octets, octets), end=end))


Row = tuple[Weather, tuple[str, str], tuple[list[int], list[int]]]
"""The weather, the codes for REST and SOAP, and what the logs have of each."""


def same(code: str, counts: list[int]) -> tuple[tuple[str, str], tuple[list[int], list[int]]]:
    return (code, code), (counts, counts)


TLS = CLIENT + "ssl_authentication_failed"
BROKE = CLIENT + "service_failed.io_error"
BETWEEN_SERVERS: dict[str, Row] = {
    "nobody listens": (Weather("refuse"), *same(CLIENT + "network_error", NOTHING)),
    "closed at the door": (Weather("close"), *same(TLS, NOTHING)),
    "reset at the door": (Weather("reset"), *same(TLS, NOTHING)),
    "another protocol": (Weather(answer=LOGIN_PAGE), *same(TLS, NOTHING)),
    "a handshake cut short": (back(500, "reset"), *same(TLS, NOTHING)),
    "a handshake spoilt": (back(500, "noise"), *same(TLS, NOTHING)),
    "reset before an answer": (
        back(2000, "reset"),
        *same(CLIENT + "network_error", SENT),
    ),
    "closed before an answer": (
        back(2000, "close"),
        *same(CLIENT + "io_error", SENT),
    ),
    "reset in the answer": (back(4000, "reset"), *same(BROKE, SENT)),
    "closed in the answer": (back(4000, "close"), *same(BROKE, SENT)),
    "half closed in the answer": (back(4000, "half_close"), *same(BROKE, SENT)),
    "noise in the answer": (back(4000, "noise"), *same(BROKE, SENT)),
}


async def suffer(scene: InWeather, proxy: FaultProxy, rows: dict[str, Row]) -> list[str]:
    """Each weather in turn, on connections that nobody has used; what was not as the rows say."""
    wrong = []
    for number, (name, (weather, codes, counts)) in enumerate(rows.items()):
        proxy.cut()
        await proxy.wait_idle()
        proxy.weather = weather
        began = trio.current_time()
        replies = await scene.both(f"bad-{number}", BODY)
        took = trio.current_time() - began
        proxy.weather = FAIR
        seen = tuple(reply.code for reply in replies)
        logged = scene.counts(f"bad-{number}")
        fits = all(map(_fits, logged, counts))
        if seen != codes or not fits or took > 5:
            wrong.append(f"{name}: {seen} {logged} after {took:.1f} s: {replies[0].text}")
        await scene.assert_serves(f"good-{number}")
    return wrong


def _fits(logged: list[int], wanted: list[int]) -> bool:
    mine, theirs = wanted
    return logged[0] == mine and (logged[1] == theirs or (theirs < 0 and logged[1] in (1, 2)))


async def test_between_servers(
    start: Starter, found: Callable[..., Country], mock_clock: trio.testing.MockClock
) -> None:
    async with in_weather(start, found(), mock_clock) as scene:
        assert await suffer(scene, scene.wires.peers, BETWEEN_SERVERS) == []


def service(code: str) -> tuple[tuple[str, str], tuple[list[int], list[int]]]:
    return (SERVER + code, FAILED + code), (HALF, HALF)


AT_THE_SERVICE: dict[str, Row] = {
    "nobody listens": (Weather("refuse"), *service("network_error")),
    "reset": (Weather("reset"), *service("network_error")),
    "closed": (Weather("close"), *service("io_error")),
    "another protocol": (Weather(answer=NOT_HTTP), *service("io_error")),
    "reset in the request": (there(200, "reset"), *service("network_error")),
    "reset in the answer": (back(100, "reset"), *service("network_error")),
    "closed in the answer": (back(100, "close"), *service("io_error")),
    "busy": (
        Weather(answer=BUSY),
        ("", FAILED + "http_error"),
        (ALL, HALF),
    ),
}


async def test_at_the_service(
    start: Starter, found: Callable[..., Country], mock_clock: trio.testing.MockClock
) -> None:
    async with in_weather(start, found(), mock_clock) as scene:
        assert await suffer(scene, scene.wires.services, AT_THE_SERVICE) == []


async def test_a_peer_that_goes_is_no_fault_of_the_service(
    start: Starter, found: Callable[..., Country], mock_clock: trio.testing.MockClock
) -> None:
    async with in_weather(start, found(), mock_clock) as scene:
        scene.wires.peers.weather = back(50_000, "reset")
        target = ("GET", "?size=3000000", [("X-Road-Id", "gone")])
        reply = await scene.started.caller.rest(*target, service="test")
        assert reply.code == BROKE
        line = await scene.started.running.provider.wait("exchange", id="gone")
        assert line["code"] == SERVER + "io_error"
        assert str(line["text"]).startswith("The peer takes no more of the answer")


# At the information system


@pytest.mark.parametrize("end", ["reset", "close", "half_close"])
async def test_a_request_that_breaks_off_is_not_sent(
    start: Starter,
    found: Callable[..., Country],
    mock_clock: trio.testing.MockClock,
    end: End,
) -> None:
    async with in_weather(start, found(), mock_clock) as scene:
        scene.wires.client.weather = there(2000, end)
        with suppress(NetError):
            reply = await scene.started.caller.rest(
                "POST", "/echo", [("X-Road-Id", "broken")], BODY
            )
            assert (reply.status, reply.code) == (500, CLIENT + "io_error")
            assert end == "half_close"  # only then is there somebody to tell
        lines = scene.started.running.consumer
        line = await lines.wait("exchange", id="broken")
        assert line["code"] in (CLIENT + "io_error", "client.io_error")
        scene.wires.client.weather = FAIR
        assert scene.started.desk.seen == []
        await scene.assert_serves("good")
        assert scene.started.caller.counts("broken") == NOTHING


async def test_an_answer_that_is_lost_on_the_way_home_is_logged_once(
    start: Starter, found: Callable[..., Country], mock_clock: trio.testing.MockClock
) -> None:
    async with in_weather(start, found(), mock_clock) as scene:
        for number, end in enumerate(("reset", "close", "half_close", "hang")):
            scene.wires.client.weather = back(50, end)  # type: ignore[arg-type]
            with pytest.raises((NetError, trio.TooSlowError)), trio.fail_after(0.5):
                await scene.started.caller.rest(
                    "POST", "/echo", [("X-Road-Id", f"lost-{number}")], BODY
                )
            assert scene.started.caller.counts(f"lost-{number}") == ALL
            scene.wires.client.weather = FAIR
            await scene.assert_serves(f"good-{number}")


# OCSP between servers (port 5577)


async def test_a_peer_whose_responses_cannot_be_had(
    start: Starter, found: Callable[..., Country], mock_clock: trio.testing.MockClock
) -> None:
    code = TLS + ".internal_error"
    async with in_weather(start, found(), mock_clock) as scene:
        for number, weather in enumerate(
            (Weather("refuse"), Weather("reset"), Weather(answer=BUSY), Weather(answer=NOT_HTTP))
        ):
            scene.wires.peers_ocsp.weather = weather
            replies = await scene.both(f"cold-{number}")
            assert [reply.code for reply in replies] == [code] * 2
            assert replies[0].text.startswith("Could not get OCSP responses")
            assert scene.counts(f"cold-{number}") == [NOTHING, NOTHING]
        scene.wires.peers_ocsp.weather = FAIR
        await scene.assert_serves("good")
        scene.wires.peers_ocsp.weather = Weather("refuse")
        scene.wires.peers.cut()
        scene.mock.jump(1000)
        await scene.assert_serves("known")


# Connections that are kept


@pytest.mark.parametrize("wire", ["peers", "services"])
async def test_a_kept_connection_that_was_cut_costs_no_message(
    start: Starter,
    found: Callable[..., Country],
    mock_clock: trio.testing.MockClock,
    wire: str,
) -> None:
    async with in_weather(start, found(), mock_clock) as scene:
        proxy: FaultProxy = getattr(scene.wires, wire)
        for number in range(3):
            await scene.assert_serves(f"kept-{number}")
            assert proxy.open == 1
            proxy.cut()
            await scene.settle()
        assert proxy.connections == 3


# Nothing is left behind


async def test_storms_leave_nothing_behind(
    start: Starter, found: Callable[..., Country], mock_clock: trio.testing.MockClock
) -> None:
    async with in_weather(start, found(), mock_clock) as scene:
        wires = scene.wires
        await scene.assert_serves("before")
        for proxy in wires:
            proxy.cut()
        await scene.settle()
        before = _held()
        rows = {**BETWEEN_SERVERS, **AT_THE_SERVICE}
        for number, (weather, _, _) in enumerate(rows.values()):
            for proxy in (wires.peers, wires.services):
                proxy.weather = weather
                await scene.both(f"storm-{number}-{proxy.port}", BODY)
                proxy.weather = FAIR
                proxy.cut()
        await scene.assert_serves("after")
        for proxy in wires:
            proxy.cut()
            await proxy.wait_idle()
        with trio.fail_after(10):
            while any(map(gt, _held(), before)):  # noqa: ASYNC110  there is nobody to tell
                await trio.sleep(0.02)


def _held() -> tuple[int, int]:
    """File descriptors and tasks."""
    return len([*Path("/proc/self/fd").iterdir()]), trio.lowlevel.current_statistics().tasks_living
