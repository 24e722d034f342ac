"""Listening sockets, and the limits at the door.

The rule: each accepted connection gets one task, within a limit for all and one for each address
(pipeline 11), and its failure ends nothing but itself. No address may hold more connections than
are still free, so there is room for whoever comes next. When descriptors run out, accepting pauses.
"""

from __future__ import annotations

import errno
import ipaddress
import logging
import socket
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence

import msgspec
import trio

from xgate.net.drain import Drain
from xgate.net.errors import ConnectError, NetError
from xgate.net.stream import SocketStream

__all__ = ["AcceptLimits", "Crowd", "listen_on", "serve_listeners", "source_of"]

_LOG = logging.getLogger(__name__)
_PAUSE = 0.1  # seconds without accepting when descriptors or memory run out
_SHORTAGE = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class AcceptLimits(msgspec.Struct, frozen=True):
    """How many connections may be open at once.

    :param total: over all; more wait in the kernel's queue.
    :param per_address: from one peer address, or one IPv6 network of 64 bits, which is what one
        machine has; more are closed at once.
    """

    total: int = 5000
    per_address: int = 1000


async def listen_on(
    host: str, port: int, *, backlog: int = 1024, reuse_port: bool = False
) -> list[socket.socket]:
    """Open a listening socket for each address that ``host`` has; the caller closes them.

    :param host: address or name. :param port: 0 for any free one, the same for all addresses.
    :param reuse_port: let several processes share the port, each with sockets of its own.
    :raises ConnectError: the name has no address, or an address cannot be had.
    """
    try:
        found = await trio.socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except OSError as error:
        raise ConnectError(f"{host} has no address: {error.strerror}") from None
    listeners: list[socket.socket] = []
    try:
        for family, address in dict.fromkeys((entry[0], entry[4]) for entry in found):
            chosen = listeners[0].getsockname()[1] if listeners else port
            place = (address[0], chosen, *address[2:])
            listeners.append(_open_listener(family, place, backlog, reuse_port))
    except OSError as error:
        for listener in listeners:
            listener.close()
        raise ConnectError(f"cannot listen on {host} port {port}: {error.strerror}") from None
    return listeners


async def serve_listeners(
    listeners: Sequence[socket.socket],
    handler: Callable[[SocketStream], Awaitable[None]],
    *,
    limits: AcceptLimits | None = None,
    crowd: Crowd | None = None,
    drain: Drain | None = None,
    grace: float = 30.0,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Accept connections and run ``handler`` for each in a task of its own; then close it.

    Runs until ``drain`` starts; then stops accepting, gives the running handlers ``grace`` seconds
    to come to their end, cancels the rest and returns. Closes the listeners whatever happens.

    :param crowd: counts these connections with those of other listeners, by its own limits.
    """
    door = _Door(handler, crowd or Crowd(limits or AcceptLimits()))
    drain = drain or Drain()
    try:
        async with trio.open_nursery() as connections:
            async with trio.open_nursery() as acceptors:
                for listener in listeners:
                    acceptors.start_soon(door.accept_from, listener, connections)
                task_status.started()
                await drain.wait()
                acceptors.cancel_scope.cancel()
            _close_all(listeners)
            connections.cancel_scope.deadline = trio.current_time() + grace
    finally:
        _close_all(listeners)


class Crowd:
    """Who is inside, behind one door or several, and who may still come in."""

    def __init__(
        self, limits: AcceptLimits, tell: Callable[[str], None] = lambda source: None
    ) -> None:
        """:param tell: is told whose connection was refused."""
        self.limits = limits
        self.refused = 0
        """Connections that were closed at once, because their source has so many."""
        self._tell = tell
        self._inside: Counter[str] = Counter()
        self._free = trio.Semaphore(limits.total)

    @property
    def inside(self) -> int:
        """How many are inside."""
        return self._inside.total()

    async def wait_room(self) -> None:
        """Take a place as soon as there is one; it belongs to nobody yet."""
        await self._free.acquire()

    def let_in(self, source: str) -> bool:
        """Whether one from this source may have the place that was taken; else it is free again."""
        free = self._free.value + 1
        if self._inside[source] >= min(self.limits.per_address, free):
            self.give_back()
            self.refused += 1
            self._tell(source)
            return False
        self._inside[source] += 1
        return True

    def give_back(self) -> None:
        """Nobody came."""
        self._free.release()

    def leaves(self, source: str) -> None:
        """One from this source has gone."""
        self._free.release()
        self._inside[source] -= 1
        if not self._inside[source]:
            del self._inside[source]


class _Door:
    """One door into a crowd."""

    def __init__(self, handler: Callable[[SocketStream], Awaitable[None]], crowd: Crowd) -> None:
        self._handler = handler
        self._crowd = crowd

    async def accept_from(self, listener: socket.socket, connections: trio.Nursery) -> None:
        while True:
            await self._crowd.wait_room()
            try:
                sock, _ = listener.accept()
            except OSError as error:
                self._crowd.give_back()
                await _wait_after(error, listener)
            else:
                self._let_in(SocketStream(sock), connections)

    def _let_in(self, stream: SocketStream, connections: trio.Nursery) -> None:
        if not self._crowd.let_in(source_of(stream.peer_address)):
            stream.close()
            return
        connections.start_soon(self._serve, stream)

    async def _serve(self, stream: SocketStream) -> None:
        try:
            await self._handler(stream)
        except NetError as error:
            _LOG.info("connection from %s: %s", stream.peer_address, error)
        except Exception:  # noqa: BLE001 - a defect in one exchange must not end the others
            _LOG.exception("connection from %s ended by a defect", stream.peer_address)
        finally:
            stream.close()
            self._crowd.leaves(source_of(stream.peer_address))


def source_of(address: str) -> str:
    """What stands for one machine: its IPv4 address, or its IPv6 network."""
    if ":" not in address:
        return address
    whole = ipaddress.IPv6Address(address)
    if whole.ipv4_mapped is not None:
        return str(whole.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(whole) >> 64 << 64, 64)))


async def _wait_after(error: OSError, listener: socket.socket) -> None:
    """Wait until accepting may succeed, after it did not."""
    if isinstance(error, BlockingIOError):
        await trio.lowlevel.wait_readable(listener)
    elif error.errno in _SHORTAGE:
        _LOG.warning("accepting pauses: %s", error.strerror)
        await trio.sleep(_PAUSE)
    elif error.errno == errno.EBADF:
        raise error
    else:  # the connection died in the queue, or the network under it did
        await trio.lowlevel.checkpoint()


def _open_listener(
    family: int, place: tuple[object, ...], backlog: int, reuse_port: bool
) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.setblocking(False)
        listener.bind(place)
        listener.listen(backlog)
    except BaseException:
        listener.close()
        raise
    return listener


def _close_all(listeners: Sequence[socket.socket]) -> None:
    for listener in listeners:
        if listener.fileno() >= 0:
            trio.lowlevel.notify_closing(listener)
            listener.close()
