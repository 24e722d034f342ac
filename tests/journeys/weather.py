"""A country in weather: every connection through a proxy, and time that jumps.

The rule: what the test waits for is what a server logs; time passes as it does outside, and in
jumps by hand, for everything in the loop at once: waiting, certificates, configurations.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import trio
import trio.testing

from xgate.clock import SystemClock
from xgate.sandbox.country import Country
from xgate.sandbox.lines import Lines
from xgate.sandbox.wires import Wires
from xgate.testing.outside import LoopClock
from xgate.testing.weather import FAIR, Weather, Wind

if TYPE_CHECKING:
    from tests.journeys.conftest import Reply, Started, Starter

_REAL_SECONDS = 30.0
NOT_HTTP = b"\x16\x03\x01 is no answer to anything\r\n\r\n" * 3
LOGIN_PAGE = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 25\r\n\r\n"
    b"<p>Please log in here</p>"
)
BUSY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"

AUTHORITY_WEATHERS = {
    "refuses": Weather("refuse"),
    "closes": Weather("close"),
    "resets": Weather("reset"),
    "hangs": Weather("hang"),
    "is busy": Weather(answer=BUSY),
    "is a login page": Weather(answer=LOGIN_PAGE),
    "is not HTTP": Weather(answer=NOT_HTTP),
    "breaks off": Weather(back=Wind(after=(150, 150), end="reset")),
    "ends early": Weather(back=Wind(after=(150, 150), end="close")),
    "stalls": Weather(back=Wind(after=(150, 150), end="hang")),
    "answers noise": Weather(back=Wind(after=(200, 200), end="noise")),
    "flips bits": Weather(back=Wind(flips=(100, 200))),
    "trickles": Weather(back=Wind(rate=1.0)),
}
"""What a service that is asked over HTTP may be like."""


class InWeather(msgspec.Struct, frozen=True):
    """A country at work in weather, and the hands of its clock."""

    started: Started
    wires: Wires
    mock: trio.testing.MockClock
    clock: LoopClock

    async def both(self, query: str, body: bytes = b"x") -> list[Reply]:
        """The same question in both protocols."""
        caller = self.started.caller
        rest = await caller.rest("POST", "/echo", [("X-Road-Id", f"{query}-rest")], body)
        return [rest, await caller.soap("tell", f"{query}-soap")]

    @asynccontextmanager
    async def hurrying(self) -> AsyncIterator[None]:
        """While the block lasts time passes quickly, whatever is waited for."""

        async def hurry() -> None:
            while True:
                await self.settle()
                self.mock.jump(0.5)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(hurry)
            yield
            nursery.cancel_scope.cancel()

    def counts(self, query: str) -> list[list[int]]:
        """How many records each server has of ``both``, for each protocol."""
        names = (f"{query}-{protocol}" for protocol in ("rest", "soap"))
        return [self.started.caller.counts(name) for name in names]

    async def assert_serves(self, query: str) -> None:
        """Both are answered, and logged once."""
        assert [reply.code for reply in await self.both(query)] == ["", ""]
        assert self.counts(query) == [[2, 2], [2, 2]]

    async def settle(self) -> None:
        """Let everybody do what is due now."""
        await trio.testing.wait_all_tasks_blocked(0.03)

    async def pass_until(self, event: str, *, step: float, **fields: object) -> float:
        """Let time pass until both servers log a new line of this event; how many seconds it took.

        :param step: seconds of a jump.
        """
        running, began = self.started.running, trio.current_time()
        waiting = [(lines, len(lines)) for lines in (running.consumer, running.provider)]
        last = time.monotonic() + _REAL_SECONDS
        while waiting:
            self.mock.jump(step)
            await self.settle()
            waiting = [
                (lines, seen) for lines, seen in waiting if not _found(lines, seen, event, fields)
            ]
            if time.monotonic() > last:
                raise TimeoutError(f"no line {event!r} with {fields} in {_REAL_SECONDS:g} s")
        return trio.current_time() - began

    async def pass_until_served(self, query: str, *, step: float) -> float:
        """Let time pass until both protocols are served again; how many seconds it took."""
        began, number = trio.current_time(), 0
        last = time.monotonic() + _REAL_SECONDS
        while any(reply.code for reply in await self.both(f"{query}-{number}")):
            self.mock.jump(step)
            await self.settle()
            number += 1
            if time.monotonic() > last:
                raise TimeoutError(f"not served in {_REAL_SECONDS:g} s")
        return trio.current_time() - began

    def jump_to(self, moment: datetime) -> None:
        """Let time pass until then."""
        self.mock.jump((moment - self.clock.now()).total_seconds())


def _found(lines: Lines, seen: int, event: str, fields: dict[str, object]) -> bool:
    return any(
        line["event"] == event and fields.items() <= line.items() for line in [*lines][seen:]
    )


@asynccontextmanager
async def in_weather(
    start: Starter,
    country: Country,
    mock: trio.testing.MockClock,
    *,
    database: Path | None = None,
    before: Callable[[Wires, LoopClock], None] | None = None,
) -> AsyncIterator[InWeather]:
    """Start a country behind wires. :param before: is done before the servers start."""
    mock.rate = 1.0
    clock = LoopClock(SystemClock().now(), mock)
    wires = Wires(country, seed=1, database=database)
    wires.lay(clock.now())
    async with trio.open_nursery() as nursery:
        await nursery.start(wires.run)
        if before is not None:
            before(wires, clock)
        async with start(country, clock=clock) as started:
            started.caller.door = wires.client.address
            yield InWeather(started, wires, mock, clock)
            for proxy in wires:
                proxy.weather = FAIR
        nursery.cancel_scope.cancel()
