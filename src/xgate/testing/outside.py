"""The world outside a keeper, in a test's hands: its time, its services, and who hears of it.

The rule: made for trio's ``MockClock`` with autojump. Only the keeper has deadlines, so while it
waits for a thread there is nowhere to jump to, and what a test sees does not depend on how fast the
machine is. Waiting for a report is waiting for an event, never for a time.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import msgspec
import trio

from xgate.testing.authority import NOW

__all__ = ["LoopClock", "Reported", "Services", "Watch"]


class LoopClock:
    """The ``Clock`` that goes with trio's own: both show the same passing of time, and jump."""

    def __init__(self, start: datetime = NOW, clock: trio.abc.Clock | None = None) -> None:
        """:param start: the wall clock's time when trio's shows 0; aware.

        :param clock: trio's, for threads that ask too; None: it is asked in the loop only.
        """
        self._start = start
        self._clock = clock

    def now(self) -> datetime:
        """The wall clock's time: aware, in UTC."""
        return self._start + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        """Trio's own time."""
        return trio.current_time() if self._clock is None else self._clock.current_time()


class Reported(msgspec.Struct, frozen=True):
    """One report: when (trio's seconds, rounded), what, and what belongs to it."""

    time: int
    name: str
    fields: dict[str, str | int | float | None]


class Watch:
    """A keeper's ``Report`` that remembers, and that a test can wait for.

    :raises AssertionError: out of the ``most + 1``st report: where time flies, a report that never
        comes would otherwise be waited for without end.
    """

    def __init__(self, most: int = 1000) -> None:
        self.reports: list[Reported] = []
        self._most = most
        self._news = trio.Event()

    def __call__(self, name: str, **fields: str | int | float | None) -> None:
        """Take a report."""
        if len(self.reports) >= self._most:
            raise AssertionError(f"{self._most} reports, and not the one that was waited for")
        self.reports.append(Reported(round(trio.current_time()), name, fields))
        self._news.set()

    def named(self, name: str) -> list[Reported]:
        """All reports of this name so far."""
        return [report for report in self.reports if report.name == name]

    async def wait(self, name: str, count: int = 1) -> list[Reported]:
        """The first ``count`` reports of this name, as soon as they are there."""
        while len(self.named(name)) < count:
            self._news = trio.Event()
            await self._news.wait()
        return self.named(name)[:count]


class Services:
    """Who answers a POST under each URL: a function of the request's octets; it may raise."""

    def __init__(self) -> None:
        self.answers: dict[str, Callable[[bytes], bytes | Awaitable[bytes]]] = {}
        self.asked: list[tuple[int, str]] = []
        """When (trio's seconds, rounded) and where."""
        self.kinds: set[str] = set()
        """The media types of all requests."""

    @property
    def urls(self) -> list[str]:
        """Where was asked, in order."""
        return [url for _, url in self.asked]

    async def post(self, url: str, body: bytes, kind: str) -> bytes:
        """A keeper's ``Post``."""
        self.asked.append((round(trio.current_time()), url))
        self.kinds.add(kind)
        await trio.lowlevel.checkpoint()
        answer = self.answers[url](body)
        return answer if isinstance(answer, bytes) else await answer
