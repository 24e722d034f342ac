"""How many exchanges run at once, and whose.

The rule: nobody may hold more places than are still free, so that whoever comes next finds some
however hard one of them presses; the same holds for those who wait. A free place goes to whoever
holds the fewest. Waiting is short, and then the refusal is early: a queue that grows serves nobody.
While this process is strained, whoever holds places gets another only if the others hold more.
"""

from __future__ import annotations

import errno
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import asynccontextmanager

import msgspec
import trio
from msgspec.structs import replace

from xgate.errors import Fault
from xgate.securityserver.limit_settings import LimitSettings
from xgate.securityserver.strain import Strain

__all__ = ["Gate", "GateLimits", "Gates", "NoMemoryError", "Visit", "open_gates"]

_TOO_MUCH = "The security server has more to do than it can: try again later"


class GateLimits(msgspec.Struct, frozen=True):
    """What a gate lets in.

    :param places: exchanges at once. :param queue: how many more may wait.
    :param wait: seconds that one waits before it is refused.
    :param weight: how many times as many places as are free one may hold.
    :param octets: of memory for the messages of all who are inside.
    """

    places: int
    queue: int
    wait: float
    weight: int = 1
    octets: int = 1 << 40


class NoMemoryError(OSError):
    """There is no memory for a message; ``limit`` is as a ``Fault``'s."""

    def __init__(self, limit: str) -> None:
        super().__init__(errno.ENOMEM, _TOO_MUCH)
        self.limit = limit


class _Waiter:
    __slots__ = ("admitted", "event")

    def __init__(self) -> None:
        self.event = trio.Event()
        self.admitted = False


class Visit:
    """One exchange that has its place.

    :ivar octets: what it has claimed.
    """

    __slots__ = ("_gate", "octets", "who")

    def __init__(self, gate: Gate, who: Hashable) -> None:
        self.who = who
        self.octets = 0
        self._gate = gate

    def claim(self, octets: int) -> None:
        """Memory for so many octets of a message, until the visit is over.

        :raises NoMemoryError: nobody may hold more than is still free.
        """
        self._gate.claim(self, octets)


class Gate:
    """One gate; each visitor is known by a name."""

    def __init__(
        self, limits: GateLimits, strained: Callable[[], str] = lambda: "", *, name: str = "gate"
    ) -> None:
        """:param strained: why this process has more to do than it can (``Strain``).

        :param name: of this gate, for people.
        """
        self.limits = limits
        self.name = name
        self._strained = strained
        self._inside: Counter[Hashable] = Counter()
        self._waiting: dict[Hashable, deque[_Waiter]] = {}
        self.inside = 0
        """How many are inside."""
        self.waiting = 0
        """How many wait."""
        self.octets = 0
        """How many octets of memory are claimed."""
        self._octets: Counter[Hashable] = Counter()
        self.refused: Counter[str] = Counter()
        """How many were turned away so far, by the setting that was met."""

    @asynccontextmanager
    async def enter(self, who: Hashable) -> AsyncIterator[Visit]:
        """A place for one exchange of ``who``.

        :raises Fault: ``network_error``: there is none, and there was none within the wait.
        """
        if who in self._waiting or not self._has_place(who):
            await self._wait(who)
        else:
            self._admit(who)
        visit = Visit(self, who)
        try:
            yield visit
        finally:
            self._drop(visit)
            self._leave(who)

    def claim(self, visit: Visit, octets: int) -> None:
        """See ``Visit.claim``."""
        if self._octets[visit.who] + octets > self.limits.octets - self.octets:
            raise NoMemoryError(self._met(f"memory-bytes = {self.limits.octets}"))
        visit.octets += octets
        self._octets[visit.who] += octets
        self.octets += octets

    def _drop(self, visit: Visit) -> None:
        self.octets -= visit.octets
        self._octets[visit.who] -= visit.octets
        if not self._octets[visit.who]:
            del self._octets[visit.who]

    def _has_place(self, who: Hashable) -> bool:
        held = self._inside[who]
        if held and self._strained():
            return held < self.inside - held
        return held < self.limits.weight * (self.limits.places - self.inside)

    def _admit(self, who: Hashable) -> None:
        self._inside[who] += 1
        self.inside += 1

    def _leave(self, who: Hashable) -> None:
        self._inside[who] -= 1
        if not self._inside[who]:
            del self._inside[who]
        self.inside -= 1
        while self.waiting and self._call_next():
            pass

    async def _wait(self, who: Hashable) -> None:
        queue = self._waiting.get(who, ())
        if len(queue) >= self.limits.queue - self.waiting:
            raise self._refusal(f"exchanges-waiting = {self.limits.queue}")
        waiter = _Waiter()
        self._waiting.setdefault(who, deque()).append(waiter)
        self.waiting += 1
        try:
            with trio.move_on_after(self.limits.wait):
                await waiter.event.wait()
        except BaseException:
            if waiter.admitted:
                self._leave(who)
            raise
        finally:
            if not waiter.admitted:
                self._forget(who, waiter)
        if waiter.admitted:
            return
        if not self._has_place(who):  # nobody tells of a strain that has passed
            strained = self._inside[who] and self._strained()
            raise self._refusal(strained or f"exchanges = {self.limits.places}")
        self._admit(who)

    def _call_next(self) -> bool:
        """Let in one who waits: of those who hold the fewest places, the one that waits longest."""
        able = [who for who in self._waiting if self._has_place(who)]
        if not able:
            return False
        who = min(able, key=lambda who: self._inside[who])
        waiter = self._waiting[who][0]
        self._forget(who, waiter)
        waiter.admitted = True
        waiter.event.set()
        self._admit(who)
        return True

    def _forget(self, who: Hashable, waiter: _Waiter) -> None:
        queue = self._waiting.pop(who)
        queue.remove(waiter)
        if queue:  # whoever has been served stands behind the others
            self._waiting[who] = queue
        self.waiting -= 1

    def _refusal(self, setting: str) -> Fault:
        return Fault("network_error", _TOO_MUCH, limit=self._met(setting))

    def _met(self, setting: str) -> str:
        self.refused[setting.partition(" ")[0]] += 1
        return f"[limits] {setting}, at the gate of {self.name}"


class Gates(msgspec.Struct, frozen=True):
    """The gates of one security server.

    Each side has its own: a server that calls itself must not wait for its own places. And each
    side has two, so that one that hangs, and all who call it, do not hold everybody's places. Who
    is called may hold three times what is free, for one caller alone may hold half of all places,
    and there must be some left for others who call the same.

    :param callers: information systems, by address. :param providers: whom they call.
    :param peers: other security servers, by certificate. :param services: what they call.
    :param strain: measures while its ``keep`` runs.
    """

    callers: Gate
    providers: Gate
    peers: Gate
    services: Gate
    strain: Strain


def open_gates(settings: LimitSettings, log_delay: Callable[[], float]) -> Gates:
    """Gates with these limits, in front of a log that is so many seconds behind."""
    limits = GateLimits(
        settings.exchanges,
        settings.exchanges_waiting,
        settings.wait_seconds,
        octets=settings.memory_bytes,
    )
    strain = Strain(log_delay, most_late=settings.late_seconds, most_log=settings.slow_log_seconds)
    called = replace(limits, weight=3)
    return Gates(
        callers=Gate(limits, strain, name="callers"),
        providers=Gate(called, name="providers"),
        peers=Gate(limits, strain, name="peers"),
        services=Gate(called, name="services"),
        strain=strain,
    )
