"""A connected socket as a stream of octets.

The rule: try first, wait only when the kernel says it would block (performance 4.2). A wait ends
with ``TimedOutError`` when the stream's ``deadline`` passes; no deadline, no cost. An operation
that never blocks gives way to other tasks now and then, before it touches the socket, so that
cancellation loses no octets.
"""

from __future__ import annotations

import errno
import math
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Protocol

import trio

from xgate.net.errors import ClosedError, ResetError, TimedOutError

__all__ = ["LINGER", "Octets", "SocketStream", "Stream"]

Octets = bytes | bytearray | memoryview

LINGER = 1.0
"""Seconds a refused peer is given to read the reason before its connection is closed."""

_TURNS = 16  # operations that may succeed at once before other tasks get their turn
_IOV_MAX = 1024
# A machine that vanished without a word is noticed within two minutes, also by who waits for it
# without a limit; by itself Linux takes two hours, or a quarter of one for what was sent.
_VIGILANCE = [
    (getattr(socket, name), value)
    for name, value in (
        ("TCP_KEEPIDLE", 60),
        ("TCP_KEEPINTVL", 10),
        ("TCP_KEEPCNT", 6),
        ("TCP_USER_TIMEOUT", 120_000),
    )
    if hasattr(socket, name)
]
_DRAIN_LIMIT = 256 * 1024


class Stream(Protocol):
    """What HTTP needs of a connection, plain or TLS."""

    deadline: float
    """``trio.current_time()`` at which a wait for the peer ends; ``math.inf`` is never.

    An operation keeps to the deadline that stood when it was called.
    """

    @property
    def secure(self) -> bool:
        """True for TLS."""
        ...

    @property
    def peer_chain(self) -> tuple[bytes, ...]:
        """DER certificates the peer presented, leaf first; empty without TLS or certificate."""
        ...

    @property
    def peer_address(self) -> str:
        """The peer's IP address as text."""
        ...

    @property
    def cut_off(self) -> bool:
        """True if the stream ended without the peer's saying so (TLS without close_notify)."""
        ...

    @property
    def quiet(self) -> bool:
        """True if the connection stands and the peer has sent nothing that was not received."""
        ...

    @property
    def heard(self) -> bool:
        """True if ``receive`` would not wait: the peer has said something, or is gone."""
        ...

    async def receive(self, max_bytes: int = 65536) -> bytes:
        """Some octets, at least one; ``b""`` at the end.

        :raises ClosedError: the connection broke. :raises TimedOutError: ``deadline`` passed.
        """
        ...

    async def send_all(self, data: Octets) -> None:
        """Send all of it. A send that does not complete leaves the stream fit only for closing.

        :raises ClosedError: the connection broke. :raises TimedOutError: ``deadline`` passed.
        """
        ...

    async def send_vector(self, parts: Sequence[Octets]) -> None:
        """Send several pieces in order, in as few packets as may be; errors as ``send_all``."""
        ...

    async def aclose(self, *, linger: float = 0.0) -> None:
        """Close; wait up to ``linger`` seconds for the peer to read what was sent last."""
        ...


class SocketStream:
    """A TCP connection. Takes ownership of the socket.

    :param sock: connected stream socket; made non-blocking here.
    """

    secure = False
    cut_off = False
    peer_chain: tuple[bytes, ...] = ()

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        if sock.family in (socket.AF_INET, socket.AF_INET6):
            with suppress(OSError):  # the peer may be gone already: the first read will tell
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                for option, value in _VIGILANCE:
                    sock.setsockopt(socket.IPPROTO_TCP, option, value)
        self.socket = sock
        self.deadline = math.inf
        self.peer_address, self.peer_port = _peer(sock)
        self._turns = 0
        self._broken = False

    @property
    def quiet(self) -> bool:
        """See ``Stream.quiet``."""
        try:
            self.socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False  # the peer has sent something, or its end

    @property
    def heard(self) -> bool:
        """See ``Stream.heard``."""
        return not self.quiet

    async def receive(self, max_bytes: int = 65536) -> bytes:
        """See ``Stream.receive``."""
        deadline = self.deadline
        await self.give_way()
        while True:
            try:
                return self.socket.recv(max_bytes)
            except BlockingIOError:
                pass
            except OSError as error:
                raise _closed(error) from None
            await self.wait_readable(deadline)

    async def send_all(self, data: Octets) -> None:
        """See ``Stream.send_all``."""
        await self.send_vector((data,))

    async def send_vector(self, parts: Sequence[Octets]) -> None:
        """See ``Stream.send_vector``."""
        self.check_sendable()
        deadline = self.deadline
        await self.give_way()
        left = [memoryview(part).cast("B") for part in parts if len(part)]
        self._broken = True  # until all of it is out
        while left:
            try:
                sent = self.socket.sendmsg(left[:_IOV_MAX])
            except BlockingIOError:
                await self.wait_writable(deadline)
            except OSError as error:
                raise _closed(error) from None
            else:
                left = _after(left, sent)
        self._broken = False

    async def aclose(self, *, linger: float = 0.0) -> None:
        """See ``Stream.aclose``. Closing twice is harmless; a cancelled close closes at once."""
        try:
            if linger > 0 and self.socket.fileno() >= 0:
                await self._drain(linger)
        finally:
            self.close()

    def close(self) -> None:
        """Close at once, and wake whoever waits on this stream with a ``ClosedError``."""
        if self.socket.fileno() >= 0:
            trio.lowlevel.notify_closing(self.socket)
            self.socket.close()

    async def wait_readable(self, deadline: float) -> None:
        """Wait until there is something to read, or the deadline (``TimedOutError``)."""
        await self._wait(trio.lowlevel.wait_readable, deadline)

    async def wait_writable(self, deadline: float) -> None:
        """Wait until the peer takes more, or the deadline (``TimedOutError``)."""
        await self._wait(trio.lowlevel.wait_writable, deadline)

    async def give_way(self) -> None:
        """Let other tasks run if this stream has had its turns without ever waiting."""
        self._turns += 1
        if self._turns >= _TURNS:
            self._turns = 0
            await trio.lowlevel.checkpoint()

    def check_sendable(self) -> None:
        """Raise ``ClosedError`` if an earlier send was cut short."""
        if self._broken:
            raise ClosedError("an earlier message was cut short on this connection")

    async def _wait(
        self, wait: Callable[[socket.socket], Awaitable[None]], deadline: float
    ) -> None:
        self._turns = 0
        try:
            if deadline == math.inf:
                await wait(self.socket)
                return
            with trio.CancelScope(deadline=deadline) as scope:
                await wait(self.socket)
        except (trio.ClosedResourceError, OSError, ValueError):
            raise ClosedError("the connection was closed on this side") from None
        if scope.cancelled_caught:
            raise TimedOutError("the peer took too long")

    async def _drain(self, seconds: float) -> None:
        """Read away what the peer still sends.

        A close with unread input makes the kernel send a reset, and a reset may overtake the
        alert or the error response in the peer's hands.
        """
        left = _DRAIN_LIMIT
        with suppress(OSError, ClosedError, TimedOutError):
            self.socket.shutdown(socket.SHUT_WR)
            self.deadline = trio.current_time() + seconds
            while left > 0 and (data := await self.receive()):
                left -= len(data)

    def __repr__(self) -> str:
        return f"<SocketStream {self.peer_address}:{self.peer_port}>"


def _peer(sock: socket.socket) -> tuple[str, int]:
    """The peer's address without an IPv6 zone, and its port; blank if it has gone or has none."""
    try:
        name = sock.getpeername()
    except OSError:
        return "", 0
    if isinstance(name, tuple):
        return str(name[0]).partition("%")[0], int(name[1])
    return "", 0


def _after(parts: list[memoryview], sent: int) -> list[memoryview]:
    """What is left of the pieces when ``sent`` octets have gone."""
    for number, part in enumerate(parts):
        if sent < len(part):
            return [part[sent:], *parts[number + 1 :]]
        sent -= len(part)
    return []


def _closed(error: OSError) -> ClosedError:
    if error.errno == errno.EBADF:
        return ClosedError("the connection was closed on this side")
    return ResetError(f"the connection broke: {error.strerror or error}")
