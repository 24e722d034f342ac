"""OCSP responder, timestamping service and configuration source in bad weather: messages go on for
the time of grace that each has, are refused after it by name, and go on by themselves when the
weather clears (globalconf 8, ocsp-tls-certs 7, messagelog 3).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
import trio
import trio.testing
from tests.journeys.weather import AUTHORITY_WEATHERS, in_weather

from xgate.sandbox.country import Country
from xgate.sandbox.lines import Lines
from xgate.sandbox.pair import run_in_process
from xgate.testing.weather import FAIR, Weather

if TYPE_CHECKING:
    from tests.journeys.conftest import Starter

CLIENT_SIDE = "server.clientproxy."
FRESH = 3600
ACCEPTED = 14_400

_WORST = ("refuses", "hangs", "flips bits")

weathers = pytest.mark.parametrize(
    "weather", [AUTHORITY_WEATHERS[name] for name in _WORST], ids=_WORST
)


@weathers
async def test_ocsp_is_lived_without_for_an_hour(
    start: Starter,
    found: Callable[..., Country],
    mock_clock: trio.testing.MockClock,
    weather: Weather,
) -> None:
    async with in_weather(start, found(), mock_clock) as scene:
        began = scene.clock.now()
        scene.wires.ocsp.weather = weather
        await scene.pass_until("OCSP not refreshed", step=200)
        scene.jump_to(began + timedelta(seconds=FRESH - 20))
        await scene.assert_serves("within")
        scene.mock.jump(30)
        async with scene.hurrying():  # it is asked for once more
            replies = await scene.both("after")
        assert [reply.code for reply in replies] == [CLIENT_SIDE + "ssl_authentication_failed"] * 2
        assert replies[0].text.startswith("Security server has no valid authentication certificate")
        assert scene.counts("after") == [[0, 0], [0, 0]]

        scene.wires.ocsp.weather = FAIR
        assert await scene.pass_until_served("healing", step=5) < 120
        await scene.assert_serves("healed")


@weathers
async def test_timestamps_are_lived_without_for_four_hours(
    start: Starter,
    found: Callable[..., Country],
    mock_clock: trio.testing.MockClock,
    weather: Weather,
) -> None:
    async with in_weather(start, found(), mock_clock) as scene:
        scene.wires.tsa.weather = weather
        await scene.assert_serves("first")
        began = scene.clock.now()
        await scene.pass_until("timestamping failed", step=10)
        scene.jump_to(began + timedelta(seconds=ACCEPTED - 20))
        await scene.pass_until_served("meanwhile", step=1)  # OCSP responses are asked for anew
        await scene.assert_serves("within")
        scene.mock.jump(200)
        replies = await scene.both("after")
        code = CLIENT_SIDE + "logging_failed.timestamping_failed"
        assert [reply.code for reply in replies] == [code] * 2
        assert [reply.text for reply in replies] == ["Cannot time-stamp messages"] * 2
        assert scene.counts("after") == [[0, 0], [0, 0]]

        scene.wires.tsa.weather = FAIR
        assert await scene.pass_until("timestamped", step=5) < 200
        await scene.assert_serves("healed")


@weathers
async def test_a_configuration_is_used_until_it_expires(
    start: Starter,
    found: Callable[..., Country],
    mock_clock: trio.testing.MockClock,
    weather: Weather,
) -> None:
    async with in_weather(
        start,
        found(),
        mock_clock,
        before=lambda wires, clock: wires.publish(clock.now(), valid_for=timedelta(minutes=10)),
    ) as scene:
        expires = scene.clock.now() + timedelta(minutes=10)
        scene.wires.conf.weather = weather
        await scene.pass_until("global configuration not refreshed", step=10)
        scene.jump_to(expires - timedelta(seconds=20))
        await scene.assert_serves("within")
        scene.mock.jump(30)
        replies = await scene.both("after")
        assert [reply.code for reply in replies] == [CLIENT_SIDE + "global_conf_outdated"] * 2
        assert replies[0].text == "Global configuration is expired"
        assert scene.counts("after") == [[0, 0], [0, 0]]

        scene.wires.publish(scene.clock.now())
        scene.wires.conf.weather = FAIR
        assert await scene.pass_until("global configuration refreshed", step=5) < 400
        await scene.assert_serves("healed")


@pytest.mark.parametrize(
    ("wire", "failed", "healed", "seconds"),
    [
        ("ocsp", "OCSP not refreshed", "OCSP responses refreshed", 1200),
        ("tsa", "timestamp not obtained", "timestamped", 60),
        ("conf", "global configuration not refreshed", None, 60),
    ],
)
async def test_each_weather_is_named_and_disturbs_no_message(
    start: Starter,
    found: Callable[..., Country],
    mock_clock: trio.testing.MockClock,
    wire: str,
    failed: str,
    healed: str | None,
    seconds: float,
) -> None:
    async with in_weather(start, found(), mock_clock) as scene:
        proxy, lines = getattr(scene.wires, wire), scene.started.running.consumer
        for number, (name, weather) in enumerate(AUTHORITY_WEATHERS.items()):
            proxy.weather = weather
            seen = len(lines)
            await scene.assert_serves(f"{wire}-{number}")
            await scene.pass_until(failed, step=seconds / 3)
            told = next(line for line in [*lines][seen:] if line["event"] == failed)
            cause = str(told["cause"])
            assert len(cause) < 400, (name, cause)
            assert "Traceback" not in cause, (name, cause)
            began = trio.current_time()
            await scene.assert_serves(f"{wire}-{number}-during")
            assert trio.current_time() - began < 2, name
            proxy.weather = FAIR
            if healed is not None:
                assert await scene.pass_until(healed, step=5) < 120
        await proxy.wait_idle()


@pytest.mark.parametrize("name", ["refuses", "hangs", "stalls", "trickles"])
async def test_a_server_starts_by_what_it_kept_while_the_source_is_away(
    start: Starter, found: Callable[..., Country], mock_clock: trio.testing.MockClock, name: str
) -> None:
    async with in_weather(start, found(), mock_clock) as scene:
        started, country = scene.started, scene.started.running.country
        started.drains[0].start()
        await started.running.consumer.wait("stopped")
        scene.wires.conf.weather = AUTHORITY_WEATHERS[name]
        began, lines = trio.current_time(), Lines()
        async with (
            scene.hurrying(),
            run_in_process(country.consumer, scene.clock, lines),
        ):
            await lines.wait("OCSP responses refreshed", answered=2)
            assert trio.current_time() - began < 40
            await scene.assert_serves("without")
            scene.wires.conf.weather = FAIR
