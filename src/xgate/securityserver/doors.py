"""The doors of a security server: where it listens, and what is served behind each.

The rule: all sockets are had before anything is served, so a port that is taken is told at once;
those for messages share their connections, and leave descriptors to everything else. Draining
closes the doors and lets finish who is in.
"""

from __future__ import annotations

import math
import socket
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial

import msgspec
import trio

from xgate.clock import Clock
from xgate.errors import Fault
from xgate.net.descriptors import count_descriptors
from xgate.net.drain import Drain
from xgate.net.errors import NetError
from xgate.net.http import Pace
from xgate.net.listen import AcceptLimits, Crowd, listen_on, serve_listeners, source_of
from xgate.net.server import Exchange, ServerLimits, serve_connection
from xgate.net.stream import SocketStream, Stream
from xgate.net.tls import TlsStream, accept_tls
from xgate.securityserver.corridor import ask, provide
from xgate.securityserver.health import Health
from xgate.securityserver.health_door import answer_admin, answer_health
from xgate.securityserver.health_settings import HealthSettings
from xgate.securityserver.journal import Journal
from xgate.securityserver.limit_settings import LimitSettings
from xgate.securityserver.occupancy import look_at
from xgate.securityserver.ocsp_responder import answer_ocsp_query
from xgate.securityserver.seldom import Seldom
from xgate.securityserver.server import SecurityServer
from xgate.securityserver.settings import ListenSettings

__all__ = [
    "FILES_EACH",
    "OTHER_FILES",
    "Doors",
    "Ports",
    "open_crowd",
    "open_doors",
    "serve_doors",
]

FILES_EACH = 2
"""Descriptors that a connection for messages takes: its own, and where it leads on to."""
OTHER_FILES = 200
"""Descriptors that no such connection gets."""

_MESSAGE_DOORS = 4  # the first ones; behind the others stand those who watch over this server
_HEARD_OUT, _HEARD_OUT_SECONDS = 64 << 20, 60.0
_WATCHERS_SECONDS = 2.0  # who holds one of their few places does so for no longer
_WATCHERS = AcceptLimits(total=64, per_address=32)
# Of each source that is refused one line is written in so many seconds.

_Handler = Callable[[SocketStream], Awaitable[None]]
_Journey = Callable[[Exchange], Awaitable[None]]


class Ports(msgspec.Struct, frozen=True):
    """Where the server listens; None for a listener that is left out."""

    client_http: int | None
    client_https: int | None
    server: int | None
    ocsp: int | None
    health: int | None
    admin: int | None

    def named(self) -> dict[str, int | None]:
        """Port by name, for a log line."""
        return msgspec.structs.asdict(self)


class Doors(msgspec.Struct, frozen=True):
    """The listening sockets of each door; none for one that is left out."""

    client_http: list[socket.socket]
    client_https: list[socket.socket]
    server: list[socket.socket]
    ocsp: list[socket.socket]
    health: list[socket.socket]
    admin: list[socket.socket]

    @property
    def ports(self) -> Ports:
        """Where they are."""
        return Ports(
            *(sockets[0].getsockname()[1] if sockets else None for sockets in self.sockets())
        )

    def sockets(self) -> tuple[list[socket.socket], ...]:
        """In the order of ``Ports``."""
        return (
            *(self.client_http, self.client_https),
            *(self.server, self.ocsp),
            *(self.health, self.admin),
        )

    def close(self) -> None:
        """Close what is still open."""
        for listener in (one for sockets in self.sockets() for one in sockets):
            listener.close()


async def open_doors(listen: ListenSettings, health: HealthSettings) -> Doors:
    """Open every listener that the settings ask for, or none.

    :raises NetError: a port cannot be had.
    """
    doors = Doors([], [], [], [], [], [])
    try:
        for host, port, sockets in (
            (listen.client_host, listen.client_http_port, doors.client_http),
            (listen.client_host, listen.client_https_port, doors.client_https),
            (listen.server_host, listen.server_port, doors.server),
            (listen.ocsp_host, listen.ocsp_port, doors.ocsp),
            (health.host, health.port, doors.health),
            ("127.0.0.1", health.admin_port, doors.admin),
        ):
            if port is not None:
                sockets += await listen_on(host, port)
    except BaseException:
        doors.close()
        raise
    return doors


async def serve_doors(
    doors: Doors,
    server: SecurityServer,
    drain: Drain,
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve at all doors until ``drain`` has started and whoever was inside has left."""
    settings = server.settings.limits
    health = Health(server)
    look = partial(look_at, server)
    seldom = Seldom(server.journal, server.clock)
    watched = partial(
        _connection, server, drain=drain, seldom=seldom, most_seconds=_WATCHERS_SECONDS
    )
    handlers = (
        _for_callers(server, drain, seldom),
        _information_system(server, drain, seldom),
        _peer(server, drain, seldom),
        _connection(server, partial(_ocsp, server=server), drain, seldom),
        watched(partial(answer_health, health=health, look=look)),
        watched(partial(answer_admin, health=health)),
    )
    async with trio.open_nursery() as nursery:
        for number, (sockets, handler) in enumerate(zip(doors.sockets(), handlers, strict=True)):
            if sockets:
                behind = server.crowd if number < _MESSAGE_DOORS else Crowd(_WATCHERS)
                serve = partial(serve_listeners, crowd=behind, drain=drain)
                await nursery.start(partial(serve, sockets, handler, grace=settings.drain_seconds))
        task_status.started()


def open_crowd(settings: LimitSettings, clock: Clock, journal: Journal) -> Crowd:
    """Who may be inside at all doors for messages together; whom it refuses, the journal tells."""
    limits = AcceptLimits(_most_connections(settings.connections), settings.connections_per_address)
    limit = f"[limits] connections-per-address = {limits.per_address}, and no more than are free"
    seldom = Seldom(journal, clock)

    def tell(source: str) -> None:
        seldom.event(source, "connection refused", peer=source, limit=limit)

    return Crowd(limits, tell)


def _most_connections(wanted: int) -> int:
    """So few that descriptors are left: for where each leads on to, for files and for watchers."""
    return max(1, min(wanted, (count_descriptors() - OTHER_FILES) // FILES_EACH))


def _connection(
    server: SecurityServer,
    handle: _Journey,
    drain: Drain,
    seldom: Seldom,
    *,
    ignored: int = 0,
    ignored_time: float = math.inf,
    most_seconds: float = math.inf,
) -> Callable[[Stream], Awaitable[None]]:
    """``ignored`` and ``ignored_time`` as in ``ServerLimits``.

    :param most_seconds: that any of its waits for the other side takes, whatever the settings say.
    """
    settings = server.settings.limits
    pace = Pace(min(settings.pause_seconds, most_seconds), settings.bytes_per_second)
    limits = ServerLimits(
        ignored=ignored,
        ignored_time=ignored_time,
        head=settings.head_bytes,
        fields=settings.head_fields,
        idle=min(settings.idle_seconds, most_seconds),
        head_time=min(settings.head_seconds, most_seconds),
        body=pace,
        answer=pace,
        request_time=settings.request_seconds or math.inf,
    )

    async def serve(stream: Stream) -> None:
        def refused(status: int, text: str) -> None:
            who = stream.peer_address
            thing = (source_of(who), text)
            seldom.event(thing, "request refused", peer=who, status=status, cause=text)

        await serve_connection(stream, handle, limits, server.clock, drain, refused=refused)

    return serve


def _for_callers(
    server: SecurityServer, drain: Drain, seldom: Seldom
) -> Callable[[Stream], Awaitable[None]]:
    """Who is refused while it uploads is heard out for a minute, for it learns of it at the end."""
    ask_here = partial(ask, server=server)
    return _connection(
        server, ask_here, drain, seldom, ignored=_HEARD_OUT, ignored_time=_HEARD_OUT_SECONDS
    )


def _information_system(server: SecurityServer, drain: Drain, seldom: Seldom) -> _Handler:
    serve = _for_callers(server, drain, seldom)

    async def handle(stream: SocketStream) -> None:
        seconds = server.settings.limits.handshake_seconds
        with _failures_told(seldom, stream, "client_https"):
            tls = await accept_tls(stream, server.internal.for_callers, timeout=seconds)
        await serve(tls)

    return handle


@contextmanager
def _failures_told(seldom: Seldom, stream: SocketStream, door: str) -> Iterator[None]:
    """A handshake that fails gets a line: of whoever is refused there nothing else is known."""
    try:
        yield
    except NetError as error:
        who, cause = stream.peer_address, str(error)
        thing = (source_of(who), door, cause)
        seldom.event(thing, "handshake failed", door=door, peer=who, cause=cause)
        raise


def _peer(server: SecurityServer, drain: Drain, seldom: Seldom) -> _Handler:
    limits = server.settings.limits
    provide_here = partial(provide, server=server)
    # The reference's client side reads nothing before it has written all (pipeline 16.5).
    serve = _connection(server, provide_here, drain, seldom, ignored=limits.body_bytes)
    inside: Counter[bytes] = Counter()

    async def serve_server(stream: TlsStream) -> None:
        (leaf, *_) = stream.peer_chain
        if inside[leaf] >= limits.connections_per_server:
            server.servers_refused += 1
            seldom.event(
                leaf,
                "peer refused",
                peer=stream.peer_address,
                cause=f"it has {limits.connections_per_server} connections already",
                limit=f"[limits] connections-per-server = {limits.connections_per_server}",
            )
            await stream.aclose()
            return
        inside[leaf] += 1
        try:
            await serve(stream)
        finally:
            inside[leaf] -= 1
            if not inside[leaf]:
                del inside[leaf]

    async def handle(stream: SocketStream) -> None:
        try:
            context = await server.wait_peer_context(server.world.value)
        except Fault as fault:
            who = stream.peer_address
            seldom.event((source_of(who), fault.text), "peer refused", peer=who, cause=fault.text)
            return
        with _failures_told(seldom, stream, "server"):
            tls = await accept_tls(stream, context, timeout=limits.handshake_seconds)
        await serve_server(tls)

    return handle


async def _ocsp(exchange: Exchange, server: SecurityServer) -> None:
    vouching = server.vouching
    await answer_ocsp_query(exchange, vouching.find_all, vouching.in_use)
