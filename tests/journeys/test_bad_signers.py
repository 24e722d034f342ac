"""Bad weather between a server and its signer: it costs time and no message, and none is doubled.

Servers and signers are processes, as users run them.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

import trio

from xgate.clock import SystemClock
from xgate.sandbox.authority import Authority
from xgate.sandbox.background import Running
from xgate.sandbox.country import Country
from xgate.sandbox.desk import Desk
from xgate.sandbox.lines import Lines
from xgate.sandbox.pair import ServerProcess, serve_surroundings, start_process, start_signer
from xgate.testing.fault_proxy import FaultProxy
from xgate.testing.weather import FAIR, Weather, Wind

if TYPE_CHECKING:
    from tests.journeys.conftest import Caller, Reply

SIGNER = 'signer = "run/signer.sock"'
LASTS = 0.7
WEATHERS = {
    "nobody listens": Weather("refuse"),
    "closes": Weather("close"),
    "hangs": Weather("hang"),
    "stalls": Weather(back=Wind(after=(10, 10), end="hang")),
    "talks noise": Weather(back=Wind(after=(4, 4), end="noise")),
    "breaks off": Weather(back=Wind(after=(200, 200), end="close")),
    "trickles": Weather(back=Wind(rate=1.0)),
}


async def test_a_signer_behind_bad_weather(
    found: Callable[..., Country], calling: Callable[[Running], Caller]
) -> None:
    country, clock = found({"[keys]\n": f"[keys]\n{SIGNER}\n"}), SystemClock()
    authority, place = Authority(country, clock), country.consumer
    processes: list[ServerProcess] = []
    serve = partial(serve_surroundings, services=Desk().serve, authority=authority)
    with closing(calling(Running(country, authority, Lines(), Lines()))) as caller:
        try:
            async with trio.open_nursery() as nursery:
                await nursery.start(serve, country, clock)
                processes += [await start_signer(each) for each in country.places]
                run = place.folder / "run"
                wire = FaultProxy(run / "signer.sock", path=run / "wire.sock", seed=1)
                await nursery.start(wire.run)
                text = place.settings.read_text()
                place.settings.write_text(text.replace(SIGNER, 'signer = "run/wire.sock"'))
                processes += [await start_process(each) for each in country.places]
                with trio.fail_after(20):
                    while (await call(caller, "start")).code:  # noqa: ASYNC110  it asks
                        await trio.sleep(0.05)
                for number, (name, weather) in enumerate(WEATHERS.items()):
                    reply = await call_in(wire, weather, caller, f"during-{number}")
                    assert reply.code == "", (name, reply.text)
                    assert caller.counts(f"during-{number}") == [2, 2]
                nursery.cancel_scope.cancel()
        finally:
            for process in processes:
                process.process.kill()
                process.process.wait()


async def call(caller: Caller, query_id: str) -> Reply:
    return await caller.rest("POST", "/echo", [("X-Road-Id", query_id)], b"body")


async def call_in(wire: FaultProxy, weather: Weather, caller: Caller, query_id: str) -> Reply:
    """A message that is sent into the weather, which clears when it is under way."""
    wire.weather = weather
    wire.cut()
    replies: list[Reply] = []

    async def send() -> None:
        replies.append(await call(caller, query_id))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send)
        await trio.sleep(LASTS)
        wire.weather = FAIR
    return replies[0]
