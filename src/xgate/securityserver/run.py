"""Assembles a security server from its settings and runs it until it is told to stop.

The rule: start needs the settings, the key store and a global configuration, and nothing else: OCSP
responders, timestamping services and peers may come later, and what cannot work without them says
so when it is asked for. Draining: listeners close, running exchanges end, then the keepers.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import msgspec
import trio

from xgate.cell import Cell
from xgate.clock import Clock
from xgate.keepers.audit import Audit, keep_auditing
from xgate.keepers.files import keep_files
from xgate.keepers.globalconf import keep_globalconf
from xgate.keepers.keys import keep_auth_states
from xgate.keepers.opdata import keep_opdata
from xgate.keepers.pulse import Pulse
from xgate.keepers.serverconf import keep_serverconf
from xgate.messagelog.archiver import Archiver
from xgate.messagelog.envelope import Envelope, PlainEnvelope
from xgate.messagelog.store import Waiting
from xgate.messagelog.writer import MessageLog
from xgate.net.client import HeadLimits
from xgate.net.drain import Drain
from xgate.net.own_address import find_own_address
from xgate.net.room import Room
from xgate.opmonitor.buffer import OperationalBuffer
from xgate.opmonitor.sqlite import SqliteOperationalStore
from xgate.opmonitor.store import OperationalStore
from xgate.policy.world import World
from xgate.securityserver.archiving import keep_archived, open_archiver
from xgate.securityserver.conf_source import Loader, begin_soon, open_loader
from xgate.securityserver.doors import Doors, Ports, open_crowd, open_doors, serve_doors
from xgate.securityserver.gate import open_gates
from xgate.securityserver.identity import PeerIdentity
from xgate.securityserver.internal_identity import InternalIdentity
from xgate.securityserver.journal import Journal
from xgate.securityserver.key_holder import open_key_holder
from xgate.securityserver.log_store import open_log
from xgate.securityserver.occupancy import look_at
from xgate.securityserver.opmonitor_settings import OpmonitorSettings
from xgate.securityserver.peers import Peers
from xgate.securityserver.server import SecurityServer
from xgate.securityserver.serverconf_source import open_configuration
from xgate.securityserver.services import Services
from xgate.securityserver.settings import Settings, SettingsError
from xgate.securityserver.spool_settings import open_room
from xgate.securityserver.stamping import Stamping
from xgate.securityserver.vouching import Vouching
from xgate.serverconf.model import ServerConf
from xgate.signer.holder import KeyHolder

__all__ = ["Ports", "run_server"]


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
    load_serverconf = open_configuration(settings, folder)
    signer = open_key_holder(settings.keys, folder, clock, journal)
    loader = open_loader(settings.globalconf, folder, clock.now, settings.peers.hosts)
    conf = await begin_soon(loader)
    world = Cell(World(conf, load_serverconf()))
    with ExitStack() as opened:
        store = open_log(settings.messagelog, folder)
        opened.callback(store.close)
        stamping = Stamping(settings, folder, store, world, clock, journal.event)
        log = stamping.open_log(settings.messagelog.max_body_bytes)
        archiver = open_archiver(settings.messagelog.archive, folder, store, clock, journal)
        envelope = PlainEnvelope() if archiver is None else archiver.envelope
        server = _assemble(
            settings,
            folder,
            clock,
            journal,
            world,
            signer,
            log,
            loader,
            stamping.stamp_now,
            envelope,
            load_serverconf,
            open_room(settings.spool, folder),
        )
        opstore = _open_opstore(settings.opmonitor, folder)
        if opstore is not None:
            opened.callback(opstore.close)
        doors = await open_doors(settings.listen, settings.health)
        opened.callback(doors.close)
        async with trio.open_nursery() as keepers:
            await keepers.start(server.signer.run)
            await keepers.start(server.messagelog.run)
            _start_keepers(keepers, server, loader, stamping)
            _start_optional_keepers(keepers, server, opstore, archiver)
            await _serve(server, doors, drain, keepers, task_status)
            keepers.cancel_scope.cancel()
        await server.peers.aclose()
        await server.services.aclose()


async def _serve(
    server: SecurityServer,
    doors: Doors,
    drain: Drain,
    keepers: trio.Nursery,
    task_status: trio.TaskStatus[Ports],
) -> None:
    """Until all exchanges have ended; then the journal gets what was counted."""
    journal = server.journal
    pulse = Pulse(server.settings.health.beat_milliseconds / 1000)
    keepers.start_soon(pulse.keep)
    async with trio.open_nursery() as serving:
        await serving.start(serve_doors, doors, server, drain)
        journal.event("serving", id=server.id.short, **doors.ports.named())
        task_status.started(doors.ports)
    journal.statistics(
        server.signer.batch_sizes(),
        server.messagelog.batch_sizes(),
        {"records": server.audit.records, "failed": server.audit.failed},
        pulse.told(),
        msgspec.structs.asdict(look_at(server)),
    )
    journal.event("stopped", id=server.id.short)


def _start_optional_keepers(
    keepers: trio.Nursery,
    server: SecurityServer,
    opstore: OperationalStore | None,
    archiver: Archiver | None,
) -> None:
    """Those that only some settings ask for."""
    settings, journal = server.settings, server.journal
    if opstore is not None:
        days = settings.opmonitor.keep_days
        keep = partial(keep_opdata, server.opdata, opstore, days, server.clock, journal.event)
        keepers.start_soon(keep)
    if archiver is not None:
        keepers.start_soon(keep_archived, server, archiver)
    if settings.serverconf.use != "settings":
        seconds, load = settings.serverconf.watch_seconds, server.load_serverconf
        keepers.start_soon(keep_serverconf, server.world, load, seconds, journal.event)


def _open_opstore(settings: OpmonitorSettings, folder: Path) -> OperationalStore | None:
    if settings.use != "sqlite":
        return None
    try:
        return SqliteOperationalStore(folder / settings.path, spare=settings.free_bytes)
    except OSError as error:
        raise SettingsError(f"[opmonitor] {error}") from None


def _assemble(
    settings: Settings,
    folder: Path,
    clock: Clock,
    journal: Journal,
    world: Cell[World],
    signer: KeyHolder,
    log: MessageLog,
    loader: Loader,
    stamp_now: Callable[[Waiting], Awaitable[None]],
    envelope: Envelope,
    load_serverconf: Callable[[], ServerConf],
    room: Room,
) -> SecurityServer:
    vouching = Vouching(settings, folder, world, signer.ring, clock, journal.event)
    ocsp = vouching.cache
    internal = InternalIdentity(settings.tls, folder, clock)
    identity = PeerIdentity(world, signer.ring, ocsp, clock)
    heads = HeadLimits(settings.limits.answer_head_bytes, settings.limits.head_fields)
    return SecurityServer(
        settings=settings,
        clock=clock,
        journal=journal,
        world=world,
        vouching=vouching,
        signer=signer,
        messagelog=log,
        identity=identity,
        peers=Peers(settings.peers, ocsp, identity.client_context, clock.monotonic, heads=heads),
        services=Services(
            lambda: internal.for_services,
            clock.monotonic,
            rate=settings.limits.bytes_per_second,
            heads=heads,
        ),
        room=room,
        internal=internal,
        loaded_conf=lambda: loader.loaded,
        stamp_now=stamp_now,
        audit=Audit(),
        envelope=envelope,
        opdata=OperationalBuffer(settings.opmonitor.taken),
        gates=open_gates(settings.limits, lambda: log.delay),
        crowd=open_crowd(settings.limits, clock, journal),
        own_address=find_own_address(),
        load_serverconf=load_serverconf,
    )


def _start_keepers(
    keepers: trio.Nursery,
    server: SecurityServer,
    loader: Loader,
    stamping: Stamping,
) -> None:
    settings, journal, world = server.settings, server.journal, server.world
    keepers.start_soon(
        keep_globalconf,
        world,
        loader.load,
        settings.globalconf.refresh_seconds,
        server.clock,
        journal.event,
    )
    note = server.signer.note_registered
    keepers.start_soon(keep_auth_states, world, note, server.id, journal.event)
    keepers.start_soon(server.vouching.keep)
    keepers.start_soon(server.gates.strain.keep)
    if server.internal.paths:
        internal = server.internal
        what = "TLS certificate"
        keepers.start_soon(keep_files, what, internal.paths, internal.renew, journal.event)
    keepers.start_soon(stamping.keep)
    audit = settings.messagelog.audit
    if audit.interval_seconds:
        keepers.start_soon(
            keep_auditing,
            server.audit,
            server.messagelog.store,
            world,
            audit.interval_seconds,
            audit.sample,
            journal.event,
        )
