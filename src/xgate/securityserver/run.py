"""Assembles a security server from its settings and runs it until it is told to stop.

The rule: start needs the settings, the key store and a global configuration, and nothing else: OCSP
responders, timestamping services and peers may come later, and what cannot work without them says
so when it is asked for. Draining: listeners close, running exchanges end, then the keepers.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import msgspec
import trio

from xgate.cell import Cell
from xgate.clock import Clock
from xgate.errors import Fault
from xgate.keepers.globalconf import keep_globalconf
from xgate.keepers.ocsp import keep_ocsp
from xgate.keepers.timestamps import keep_timestamps
from xgate.messagelog.sqlite import SqliteStore
from xgate.messagelog.writer import MessageLog
from xgate.net.context import information_system_context, service_context
from xgate.net.drain import Drain
from xgate.net.errors import HttpError, NetError
from xgate.net.fetch import fetch
from xgate.net.listen import AcceptLimits, listen_on, serve_listeners
from xgate.net.server import Exchange, ServerLimits, serve_connection
from xgate.net.stream import SocketStream, Stream
from xgate.net.tls import accept_tls
from xgate.policy.world import World
from xgate.securityserver.conf_source import Loader, at_mapped_host, open_loader
from xgate.securityserver.corridor import ask, provide
from xgate.securityserver.identity import PeerIdentity, load_internal_identity
from xgate.securityserver.journal import Journal
from xgate.securityserver.ocsp_responder import answer_ocsp_query
from xgate.securityserver.peers import Peers
from xgate.securityserver.registry import read_serverconf
from xgate.securityserver.server import SecurityServer
from xgate.securityserver.services import Services
from xgate.securityserver.settings import KeysSettings, Settings, SettingsError
from xgate.signer.keyring import Keyring, read_keyring
from xgate.signer.ocsp_cache import OcspCache
from xgate.signer.signer import Signer
from xgate.signer.store import read_store

__all__ = ["Ports", "run_server"]

_ANSWER_BYTES = 256 * 1024
_ANSWER_SECONDS = 60.0


class Ports(msgspec.Struct, frozen=True):
    """Where the server listens; None for a listener that is left out."""

    client_http: int | None
    client_https: int | None
    server: int | None
    ocsp: int | None


async def run_server(
    settings: Settings,
    folder: Path,
    clock: Clock,
    journal: Journal,
    drain: Drain,
    *,
    task_status: trio.TaskStatus[Ports] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Run until ``drain`` is started and all exchanges have ended.

    :param folder: where relative paths of the settings count from.
    :raises SettingsError: something that the settings name cannot be used.
    :raises Fault: the key store does not open, or there is no usable global configuration.
    :raises NetError: a port cannot be had.
    """
    serverconf = read_serverconf(settings, folder)
    ring = _open_keys(settings.keys, folder)
    loader = open_loader(settings.globalconf, folder, clock.now, settings.peers.hosts)
    conf = await trio.to_thread.run_sync(loader.load)
    world = Cell(World(conf, serverconf))
    store = SqliteStore(folder / settings.messagelog.path)
    try:
        server = _assemble(settings, folder, clock, journal, world, ring, store)
        async with trio.open_nursery() as keepers:
            await keepers.start(server.signer.run)
            await keepers.start(server.messagelog.run)
            _start_keepers(keepers, server, loader)
            await _serve(server, settings, drain, journal, task_status)
            keepers.cancel_scope.cancel()
        await server.peers.aclose()
        await server.services.aclose()
    finally:
        store.close()


def _open_keys(settings: KeysSettings, folder: Path) -> Keyring:
    if settings.pin_file:
        try:
            pin = (folder / settings.pin_file).read_text().split("\n", 1)[0]
        except OSError as error:
            raise SettingsError(f"pin-file {settings.pin_file}: {error.strerror}") from None
    elif settings.pin_env in os.environ:
        pin = os.environ[settings.pin_env]
    else:
        raise SettingsError(
            f"the environment variable {settings.pin_env} (pin-env) is not set"
            if settings.pin_env
            else "[keys] needs pin-file or pin-env"
        )
    return read_keyring(read_store(folder / settings.store).unlock(pin))


def _assemble(
    settings: Settings,
    folder: Path,
    clock: Clock,
    journal: Journal,
    world: Cell[World],
    ring: Keyring,
    store: SqliteStore,
) -> SecurityServer:
    ocsp = OcspCache()
    internal = load_internal_identity(settings.tls, folder, clock.now())
    identity = PeerIdentity(world, ring, ocsp, clock)
    return SecurityServer(
        settings=settings,
        clock=clock,
        journal=journal,
        world=world,
        ring=ring,
        ocsp=ocsp,
        signer=Signer(clock),
        messagelog=MessageLog(store, max_body=settings.messagelog.max_body_bytes),
        identity=identity,
        peers=Peers(settings.peers, ocsp, identity.client_context, clock.monotonic),
        services=Services(service_context(internal), clock.monotonic),
        spool_folder=None,
        internal=internal,
    )


def _start_keepers(keepers: trio.Nursery, server: SecurityServer, loader: Loader) -> None:
    settings, journal, world = server.settings, server.journal, server.world
    stamping = settings.messagelog.timestamping

    def services() -> list[str]:
        known = [service.url for service in world.value.globalconf.tsas()]
        return list(stamping.services) or known

    def interval() -> float:
        said = world.value.globalconf.timestamping_interval.total_seconds()
        return stamping.interval_seconds or max(60.0, said)

    post = partial(_post, settings.peers.hosts)
    keepers.start_soon(
        keep_globalconf, world, loader.load, settings.globalconf.refresh_seconds, journal.event
    )
    keepers.start_soon(
        keep_ocsp, server.ring.certificates, world, server.ocsp, server.clock, post, journal.event
    )
    keepers.start_soon(
        keep_timestamps,
        server.messagelog.store,
        world,
        services,
        interval,
        stamping.batch,
        post,
        journal.event,
    )


async def _post(hosts: dict[str, str], url: str, body: bytes, kind: str) -> bytes:
    """POST to an OCSP responder or timestamping service (``keepers.ocsp.Post``)."""
    try:
        answer = await fetch(
            at_mapped_host(url, hosts),
            method="POST",
            headers=[("Content-Type", kind)],
            body=body,
            timeout=_ANSWER_SECONDS,
            max_bytes=_ANSWER_BYTES,
        )
    except ValueError as error:
        raise NetError(str(error)) from None
    if answer.status != 200 or not answer.body:
        raise HttpError(f"the answer is {answer.status} {answer.reason}".rstrip())
    return answer.body


async def _serve(
    server: SecurityServer,
    settings: Settings,
    drain: Drain,
    journal: Journal,
    task_status: trio.TaskStatus[Ports],
) -> None:
    """Open all listeners, tell where they are, and serve until drained."""
    listen = settings.listen
    doors = [
        (listen.client_host, listen.client_http_port, _plain(server, ask, drain)),
        (listen.client_host, listen.client_https_port, _information_system(server, drain)),
        (listen.server_host, listen.server_port, _peer(server, drain)),
        (listen.ocsp_host, listen.ocsp_port, _ocsp(server, drain)),
    ]
    limits = AcceptLimits(
        total=settings.limits.connections, per_address=settings.limits.connections_per_address
    )
    opened: list[list[socket.socket]] = []
    try:
        for host, port, _ in doors:
            opened.append([] if port is None else await listen_on(host, port))
    except BaseException:
        for listener in (one for listeners in opened for one in listeners):
            listener.close()
        raise
    ports = Ports(*(ls[0].getsockname()[1] if ls else None for ls in opened))
    async with trio.open_nursery() as nursery:
        for (_, _, handler), listeners in zip(doors, opened, strict=True):
            if listeners:
                await nursery.start(
                    partial(
                        serve_listeners,
                        listeners,
                        handler,
                        limits=limits,
                        drain=drain,
                        grace=settings.limits.drain_seconds,
                    )
                )
        journal.event("serving", id=server.id.short, **msgspec.structs.asdict(ports))
        task_status.started(ports)
    journal.event("stopped", id=server.id.short)


_Handler = Callable[[SocketStream], Awaitable[None]]
_Journey = Callable[[Exchange, SecurityServer], Awaitable[None]]


def _connection(
    server: SecurityServer, journey: _Journey, drain: Drain
) -> Callable[[Stream], Awaitable[None]]:
    limits = ServerLimits(
        idle=server.settings.limits.idle_seconds, head_time=server.settings.limits.head_seconds
    )

    async def handle(exchange: Exchange) -> None:
        await journey(exchange, server)

    async def serve(stream: Stream) -> None:
        await serve_connection(stream, handle, limits, server.clock, drain)

    return serve


def _plain(server: SecurityServer, journey: _Journey, drain: Drain) -> _Handler:
    return _connection(server, journey, drain)


def _information_system(server: SecurityServer, drain: Drain) -> _Handler:
    serve = _connection(server, ask, drain)
    context = information_system_context(server.internal)

    async def handle(stream: SocketStream) -> None:
        await serve(await accept_tls(stream, context))

    return handle


def _peer(server: SecurityServer, drain: Drain) -> _Handler:
    serve = _connection(server, provide, drain)

    async def handle(stream: SocketStream) -> None:
        try:
            context = server.identity.server_context(server.world.value)
        except Fault as fault:
            server.journal.event("peer refused", peer=stream.peer_address, cause=fault.text)
            return
        await serve(await accept_tls(stream, context))

    return handle


def _ocsp(server: SecurityServer, drain: Drain) -> _Handler:
    async def journey(exchange: Exchange, server: SecurityServer) -> None:
        await answer_ocsp_query(exchange, server.ocsp, server.ring.certificates)

    return _connection(server, journey, drain)
