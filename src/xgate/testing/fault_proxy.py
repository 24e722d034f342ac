"""A piece of network that can be bad: a proxy between any two who talk over TCP or a Unix socket.

It stands where the target would be and hands on what passes, in whatever ``Weather`` is set; that
may change at any time, and each connection feels it at once. The next connections may be given a
weather of their own (``forecast``), whatever the others have.

The rule: it knows nothing of what octets mean, so that it fits between every pair; what it did to
them is decided by a seed and counted.
"""

from __future__ import annotations

import math
import socket
import struct
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from random import Random

import trio

from xgate.net.dial import dial
from xgate.net.errors import ClosedError, NetError
from xgate.net.stream import LINGER, SocketStream
from xgate.testing.weather import FAIR, Gust, Weather, Wind

__all__ = ["FaultProxy", "flap"]

_CHUNK = 1 << 16
_BACKLOG = 256
_SLICES = 20  # to a second, of octets that pass slowly
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close with a reset, and nothing after it


class _OverError(Exception):
    """The connection is over in order."""


class FaultProxy:
    """Hands connections on to ``target``; ``run`` it in a nursery, in whose loop it is used.

    :ivar port: where it listens, from the beginning; connections wait until it runs.
    :ivar connections: how many have come.
    """

    def __init__(
        self,
        target: tuple[str, int] | Path,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        path: Path | None = None,
        seed: int | str = 0,
    ) -> None:
        """:param target: an address and port, or a Unix socket. :param host: where to listen.

        :param port: likewise; 0: any that is free. :param path: a Unix socket to listen at instead.
        """
        self.connections = 0
        self._passed = {"there": 0, "back": 0}
        self._target = target
        self._seed = seed
        self._weather = FAIR
        self._forecast: deque[Weather] = deque()
        self._changed = trio.Event()
        self._left = trio.Event()
        self._links: set[_Link] = set()
        self._path = path
        # The socket that never listens keeps the port while nobody does.
        self._place = socket.socket(socket.AF_UNIX) if path else _bind((host, port))
        self.address: tuple[str, int] = ("", 0) if path else self._place.getsockname()[:2]
        self.port = self.address[1]
        self._listener: trio.socket.SocketType | None = None
        self._tend()

    @property
    def open(self) -> int:
        """How many connections there are now."""
        return len(self._links)

    @property
    def there(self) -> int:
        """Octets that have passed to the target."""
        return self._passed["there"]

    @property
    def back(self) -> int:
        """Octets that have passed from the target."""
        return self._passed["back"]

    @property
    def weather(self) -> Weather:
        """What befalls connections now, also those that there are."""
        return self._weather

    @weather.setter
    def weather(self, weather: Weather) -> None:
        self._weather = weather
        self._tend()
        self._changed.set()
        self._changed = trio.Event()

    def forecast(self, weathers: Iterable[Weather]) -> None:
        """Give each of the next connections a weather of its own, to its end."""
        self._forecast.extend(weathers)

    async def wait_idle(self) -> None:
        """Wait until there are no connections."""
        while self._links:
            await self._left.wait()

    def cut(self) -> None:
        """Reset every connection that there is now."""
        for link in tuple(self._links):
            link.reset()

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled; then nobody listens any more."""
        try:
            async with trio.open_nursery() as nursery:
                task_status.started()
                while True:
                    changed, listener = self._changed, self._listener
                    if listener is None:
                        await changed.wait()
                        continue
                    with suppress(OSError, trio.ClosedResourceError):
                        sock, _ = await listener.accept()
                        nursery.start_soon(self._serve, _taken(sock))
                    await trio.lowlevel.checkpoint()
        finally:
            self.close()

    def close(self) -> None:
        """Listen no more; for a proxy that was never run."""
        self._close_listener()
        self._place.close()

    def _tend(self) -> None:
        """Listen, or do not, as the weather says."""
        if self._weather.arrival == "refuse":
            self._close_listener()
        elif self._listener is None and self._place.fileno() >= 0:
            sock = _bind(self._path or self.address)
            sock.listen(_BACKLOG)
            self._listener = trio.socket.from_stdlib_socket(sock)

    def _close_listener(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None
            if self._path is not None:
                self._path.unlink(missing_ok=True)

    async def _serve(self, near: SocketStream) -> None:
        self.connections += 1
        own = self._forecast.popleft() if self._forecast else None
        link = _Link(near, _random(f"{self._seed}/{self.connections}"))
        self._links.add(link)
        try:
            await self._hand_on(link, lambda: own or self._weather)
        except* (NetError, OSError):
            link.reset()
        except* _OverError:
            pass
        finally:
            self._links.discard(link)
            self._left.set()
            self._left = trio.Event()
            await link.aclose()

    async def _hand_on(self, link: _Link, weather: Callable[[], Weather]) -> None:
        while weather().arrival == "hang":
            await self._changed.wait()
        arrival, answer = weather().arrival, weather().answer
        if arrival == "close":
            raise _OverError
        if arrival != "accept":
            raise ClosedError("reset on arrival")
        if answer is not None:
            await link.near.receive(_CHUNK)
            await link.near.send_all(answer)
            raise _OverError
        link.far = far = await self._connect()
        draw = link.random.getrandbits
        async with trio.open_nursery() as both:
            for name, source, sink, wind in (
                ("there", link.near, far, lambda: weather().there),
                ("back", far, link.near, lambda: weather().back),
            ):
                both.start_soon(self._pump, name, source, sink, wind, _random(draw(64)))

    async def _connect(self) -> SocketStream:
        if not isinstance(self._target, Path):
            return await dial(*self._target)
        sock = socket.socket(socket.AF_UNIX)
        try:
            sock.setblocking(False)
            sock.connect(str(self._target))
        except BaseException:
            sock.close()
            raise
        return SocketStream(sock)

    async def _pump(
        self,
        name: str,
        source: SocketStream,
        sink: SocketStream,
        wind: Callable[[], Wind],
        random: Random,
    ) -> None:
        """Hand on what one side says, and that it has ended."""
        blowing, gust = wind(), Gust(wind(), random)
        while data := await source.receive(_CHUNK):
            while data:
                if wind() is not blowing:
                    blowing, gust = wind(), Gust(wind(), random)
                passed, data = gust.feed(data)
                await self._pass(name, passed, sink, wind, random)
                if gust.ended == "hang":
                    await self._wait_out(blowing, wind)
                elif gust.ended not in (None, "noise"):
                    await _finish(gust.ended, source, sink)
                    return
        if gust.ended == "hang":
            await self._wait_out(blowing, wind)
        _send_eof(sink)

    async def _pass(
        self,
        name: str,
        octets: bytes,
        sink: SocketStream,
        wind: Callable[[], Wind],
        random: Random,
    ) -> None:
        blowing = wind()
        if blowing.delay != (0.0, 0.0):
            await self._wait_out(blowing, wind, random.uniform(*blowing.delay))
        size = max(1, int(blowing.rate / _SLICES)) if blowing.rate else len(octets)
        while octets:
            piece = octets[: size if wind() is blowing else None]
            octets = octets[len(piece) :]
            await sink.send_all(piece)
            self._passed[name] += len(piece)
            if blowing.rate:
                await self._wait_out(blowing, wind, len(piece) / blowing.rate)

    async def _wait_out(
        self, blowing: Wind, wind: Callable[[], Wind], seconds: float = math.inf
    ) -> None:
        """Wait while this wind blows, or for so long."""
        with trio.move_on_after(seconds):
            while wind() is blowing:
                await self._changed.wait()


async def flap(proxy: FaultProxy, schedule: Iterable[tuple[Weather, float]]) -> None:
    """Set one weather after the other, each for so many seconds; the last one stays."""
    for weather, seconds in schedule:
        proxy.weather = weather
        await trio.sleep(seconds)


class _Link:
    """One connection: who has connected, and the target once it is reached."""

    def __init__(self, near: SocketStream, random: Random) -> None:
        self.near = near
        self.far: SocketStream | None = None
        self.random = random

    def reset(self) -> None:
        """End it on both sides at once; whoever reads from it or writes to it is told."""
        for stream in (self.near, self.far):
            if stream is not None and stream.socket.fileno() >= 0:
                if stream.socket.family != socket.AF_UNIX:
                    stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                stream.close()

    async def aclose(self) -> None:
        """End it in order, as far as it has not ended."""
        async with trio.open_nursery() as nursery:
            for stream in (self.near, self.far):
                if stream is not None:
                    nursery.start_soon(_close_in_order, stream)


async def _close_in_order(stream: SocketStream) -> None:
    await stream.aclose(linger=LINGER)


async def _finish(end: str, source: SocketStream, sink: SocketStream) -> None:
    """The end of a wind, but for those in which octets go on."""
    if end == "close":
        raise _OverError
    if end == "reset":
        raise ClosedError("reset by the weather")
    _send_eof(sink)
    while await source.receive(_CHUNK):
        pass  # said to nobody


def _random(seed: int | str) -> Random:
    return Random(seed)  # noqa: S311  whoever wants to foresee faults may


def _send_eof(stream: SocketStream) -> None:
    with suppress(OSError):
        stream.socket.shutdown(socket.SHUT_WR)


def _bind(address: tuple[str, int] | Path) -> socket.socket:
    family = socket.AF_UNIX
    if not isinstance(address, Path):
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(str(address) if isinstance(address, Path) else address)
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    return sock


def _taken(sock: trio.socket.SocketType) -> SocketStream:
    """The accepted socket as ours; trio's wrapper lets go of it."""
    return SocketStream(socket.socket(sock.family, sock.type, sock.proto, sock.detach()))
