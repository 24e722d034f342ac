"""Messages while nobody stamps them: they go on, then stop, and go on again by themselves."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

from xgate.clock import SystemClock
from xgate.messagelog.sqlite import SqliteStore
from xgate.sandbox.country import Country
from xgate.sandbox.lines import Lines
from xgate.sandbox.pair import run_in_process
from xgate.testing.clock import FakeClock

if TYPE_CHECKING:
    from tests.journeys.conftest import Caller, Reply, Started

Starter = Callable[..., AbstractAsyncContextManager["Started"]]
SECTION = "[messagelog.timestamping]\n"
TEXT = "Cannot time-stamp messages"


def with_period(consumer: int, provider: int, more: str = "") -> Callable[[Country], Country]:
    """Each side's own accepted time; 0: for ever."""

    def changed(country: Country) -> Country:
        for place, seconds in zip(country.places, (consumer, provider), strict=True):
            text = place.settings.read_text()
            lines = f"{SECTION}acceptable-failure-seconds = {seconds}\n{more}"
            place.settings.write_text(text.replace(SECTION, lines))
        return country

    return changed


async def send(caller: Caller) -> Reply:
    return await caller.rest("POST", "/echo", body=b"hello")


def unstamped(country: Country) -> list[int]:
    counts = []
    for place in country.places:
        store = SqliteStore(place.messagelog, read_only=True)
        counts.append(len(store.unstamped(100)))
        store.close()
    return counts


async def until_all_are_stamped(country: Country, lines: Lines) -> None:
    while True:
        seen = len(lines)
        if unstamped(country) == [0, 0]:
            return
        await lines.wait("timestamped", since=seen)


async def test_an_outage_is_lived_through_then_refused_then_over(
    start: Starter, found: Callable[[], Country]
) -> None:
    clock = FakeClock(SystemClock().now())
    country = with_period(600, 600)(found())
    async with start(country, clock=clock) as started:
        caller, running = started.caller, started.running
        running.authority.away.add("tsa")
        first = await send(caller)
        assert first.status == 200
        for lines in (running.consumer, running.provider):
            await lines.wait("timestamping failed")
        clock.advance(590)
        within = [await send(caller) for _ in range(3)]
        assert [reply.status for reply in within] == [200] * 3
        assert unstamped(country) == [8, 8]
        clock.advance(20)
        for _ in range(2):
            refused = await send(caller)
            assert (refused.status, refused.code, refused.text) == (
                500,
                "server.clientproxy.logging_failed.timestamping_failed",
                TEXT,
            )
        said = await caller.soap("tell", "refused")
        assert (said.code, said.text) == (refused.code, TEXT)
        assert caller.counts("refused") == [0, 0]
        assert unstamped(country) == [8, 8]

        running.authority.away.clear()
        for reply in (first, *within):
            assert len(await caller.prove(reply.id)) == 4
        await until_all_are_stamped(country, running.consumer)
        after = await send(caller)
        assert after.status == 200
        assert len(await caller.prove(after.id)) == 4


async def test_the_providers_outage_is_told_to_the_consumer(
    start: Starter, found: Callable[[], Country]
) -> None:
    clock = FakeClock(SystemClock().now())
    country = with_period(0, 600)(found())
    async with start(country, clock=clock) as started:
        caller, running = started.caller, started.running
        running.authority.away.add("tsa")
        assert (await send(caller)).status == 200
        await running.provider.wait("timestamping failed")
        clock.advance(601)
        asked = len(started.desk.seen)
        refused = await send(caller)
        assert (refused.code, refused.text) == (
            "server.serverproxy.logging_failed.timestamping_failed",
            TEXT,
        )
        assert len(started.desk.seen) == asked  # the service was spared
        seen = len(running.provider)
        running.authority.away.clear()
        await running.provider.wait("timestamped", since=seen)
        assert (await send(caller)).status == 200


async def test_a_restart_does_not_end_an_outage(
    start: Starter, found: Callable[[], Country]
) -> None:
    clock = FakeClock(SystemClock().now())
    country = with_period(600, 0)(found())
    async with start(country, clock=clock) as started:
        caller, running = started.caller, started.running
        running.authority.away.add("tsa")
        first = await send(caller)
        assert first.status == 200
        await running.consumer.wait("timestamping failed")
        started.drains[0].start()
        await running.consumer.wait("stopped")
        clock.advance(601)
        seen = len(running.consumer)
        async with run_in_process(country.consumer, clock, running.consumer):
            await running.consumer.wait("OCSP responses refreshed", since=seen)
            refused = await send(caller)
            assert refused.code == "server.clientproxy.logging_failed.timestamping_failed"
            running.authority.away.clear()
            assert len(await caller.prove(first.id)) == 4
            assert (await send(caller)).status == 200


async def test_each_message_is_stamped_before_it_goes_on_or_refused(
    start: Starter, found: Callable[[], Country]
) -> None:
    country = with_period(600, 600, 'mode = "each"\n')(found())
    async with start(country) as started:
        caller, running = started.caller, started.running
        good = await send(caller)
        assert good.status == 200
        assert unstamped(country) == [0, 0]
        running.authority.away.add("tsa")
        refused = await caller.soap("tell", "refused")
        assert refused.code == "server.clientproxy.logging_failed.timestamping_failed"
        assert refused.text == TEXT
        assert caller.counts("refused") == [1, 0]  # the record stays, and nobody has acted on it
        assert unstamped(country) == [1, 0]
        assert (await send(caller)).code == "server.clientproxy.io_error"  # messagelog 3.3
        running.authority.away.clear()
        assert (await send(caller)).status == 200
        assert len(await caller.prove(good.id)) == 4
        await until_all_are_stamped(country, running.consumer)


async def test_no_approved_service_refuses_at_once(
    start: Starter, found: Callable[[], Country]
) -> None:
    country = with_period(0, 0, 'services = ["http://127.0.0.1:1/stranger"]\n')(found())
    async with start(country) as started:
        reply = await send(started.caller)
        assert reply.code == "server.clientproxy.logging_failed.mlog.no_timestamping_provider_found"
        assert reply.text == ("Cannot time-stamp messages: no timestamping services configured")
        line = await started.running.consumer.wait("timestamping service not approved")
        assert line["url"] == "http://127.0.0.1:1/stranger"


async def test_what_is_stored_is_audited(start: Starter, found: Callable[[], Country]) -> None:
    country = found()
    for place in country.places:
        text = place.settings.read_text()
        audit = "[messagelog.audit]\ninterval-seconds = 0.05\nsample = 2\n\n"
        place.settings.write_text(text.replace("[messagelog]\n", audit + "[messagelog]\n"))
    async with start(country) as started:
        for _ in range(2):
            assert (await send(started.caller)).status == 200
        line = await started.running.provider.wait("audited", records=2)
        assert line["failed"] == 0
