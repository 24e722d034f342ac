"""Assembles a security server from its settings and runs it until it is told to stop.

The rule: start needs the settings, the key store and a global configuration, and nothing else: OCSP
responders, timestamping services and peers may come later, and what cannot work without them says
so when it is asked for. Draining: listeners close, running exchanges end, then the keepers.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import trio

from xgate.cell import Cell
from xgate.clock import Clock
from xgate.keepers.globalconf import keep_globalconf
from xgate.keepers.ocsp import keep_ocsp
from xgate.keepers.timestamps import keep_timestamps, stamp_records
from xgate.messagelog.outage import Outage
from xgate.messagelog.store import Waiting
from xgate.messagelog.writer import MessageLog
from xgate.net.context import service_context
from xgate.net.drain import Drain
from xgate.net.errors import HttpError, NetError
from xgate.net.fetch import fetch
from xgate.policy.world import World
from xgate.securityserver.archiving import keep_archived, open_archiver
from xgate.securityserver.conf_source import Loader, at_mapped_host, open_loader
from xgate.securityserver.doors import Ports, open_doors, serve_doors
from xgate.securityserver.identity import PeerIdentity, load_internal_identity
from xgate.securityserver.journal import Journal
from xgate.securityserver.log_store import open_log
from xgate.securityserver.peers import Peers
from xgate.securityserver.registry import read_serverconf
from xgate.securityserver.server import SecurityServer
from xgate.securityserver.services import Services
from xgate.securityserver.settings import (
    KeysSettings,
    Settings,
    SettingsError,
    TimestampSettings,
)
from xgate.signer.keyring import Keyring, read_keyring
from xgate.signer.ocsp_cache import OcspCache
from xgate.signer.signer import Signer
from xgate.signer.store import read_store

__all__ = ["Ports", "run_server"]

_ANSWER_BYTES = 256 * 1024
_ANSWER_SECONDS = 60.0


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
    conf = await trio.to_thread.run_sync(loader.begin)
    world = Cell(World(conf, serverconf))
    with ExitStack() as opened:
        store = open_log(settings.messagelog, folder)
        opened.callback(store.close)
        stamping = settings.messagelog.timestamping
        outage = Outage(
            partial(_stampers, stamping, world), clock.monotonic, stamping.accepted_failure_seconds
        )
        log = MessageLog(store, max_body=settings.messagelog.max_body_bytes, outage=outage)
        server = _assemble(settings, folder, clock, journal, world, ring, log, loader)
        archiver = open_archiver(settings.messagelog.archive, folder, store, clock, journal)
        doors = await open_doors(settings.listen)
        opened.callback(doors.close)
        async with trio.open_nursery() as keepers:
            await keepers.start(server.signer.run)
            await keepers.start(server.messagelog.run)
            _start_keepers(keepers, server, loader, outage)
            if archiver is not None:
                keepers.start_soon(keep_archived, server, archiver)
            async with trio.open_nursery() as serving:
                await serving.start(serve_doors, doors, server, drain)
                journal.event("serving", id=server.id.short, **doors.ports.named())
                task_status.started(doors.ports)
            journal.statistics(server.signer.batch_sizes(), server.messagelog.batch_sizes())
            journal.event("stopped", id=server.id.short)
            keepers.cancel_scope.cancel()
        await server.peers.aclose()
        await server.services.aclose()


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
    log: MessageLog,
    loader: Loader,
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
        messagelog=log,
        identity=identity,
        peers=Peers(settings.peers, ocsp, identity.client_context, clock.monotonic),
        services=Services(service_context(internal), clock.monotonic),
        spool_folder=None,
        internal=internal,
        loaded_conf=lambda: loader.loaded,
        stamp_now=partial(_stamp_now, settings, world, log, clock, journal),
    )


async def _stamp_now(
    settings: Settings,
    world: Cell[World],
    log: MessageLog,
    clock: Clock,
    journal: Journal,
    waiting: Waiting,
) -> None:
    """A timestamp for one message, while somebody waits for it (asic 6, ``force``)."""
    services = _stampers(settings.messagelog.timestamping, world)
    post = partial(_post, settings.peers.hosts)
    await stamp_records([waiting], log.store, world.value, services, clock, post, journal.event)


def _stampers(settings: TimestampSettings, world: Cell[World]) -> list[str]:
    """The URLs of the timestamping services, in order of preference."""
    return list(settings.services) or [tsa.url for tsa in world.value.globalconf.tsas()]


def _start_keepers(
    keepers: trio.Nursery, server: SecurityServer, loader: Loader, outage: Outage
) -> None:
    settings, journal, world = server.settings, server.journal, server.world
    stamping = settings.messagelog.timestamping

    def interval() -> float:
        said = world.value.globalconf.timestamping_interval.total_seconds()
        return stamping.interval_seconds or min(max(60.0, said), 86_400.0)  # messagelog 3.1

    post = partial(_post, settings.peers.hosts)
    keepers.start_soon(
        keep_globalconf, world, loader.load, settings.globalconf.refresh_seconds, journal.event
    )
    keepers.start_soon(
        keep_ocsp, server.ring.certificates, world, server.ocsp, server.clock, post, journal.event
    )
    keepers.start_soon(
        partial(keep_timestamps, retry=stamping.retry_seconds),
        server.messagelog.store,
        world,
        partial(_stampers, stamping, world),
        interval,
        stamping.batch,
        outage,
        server.clock,
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
