"""Evidence for information systems: their own messages as containers, and the configuration that
proves them to anyone.

The rule: whoever may send messages for a client may have that client's evidence, and nobody else;
the configuration is for everybody. A container is in memory at a time, and no reading of the log is
open while a slow client takes what it asked for. Where archives are encrypted, so is this. The
threads of this work are few and their own.
Source: asic 6.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Awaitable, Callable, Generator, Iterator, Sequence
from contextlib import closing
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import TypeVar

import msgspec
import trio

from xgate.algorithms import SHA512
from xgate.errors import Fault
from xgate.globalconf.verification import write_verification_zip
from xgate.ids import ClientId
from xgate.messagelog.envelope import Envelope
from xgate.messagelog.evidence import write_evidence
from xgate.messagelog.store import LogStore, Waiting
from xgate.net.server import Exchange
from xgate.policy.admit import check_registered
from xgate.securityserver.intake import check_information_system
from xgate.securityserver.note import Note
from xgate.securityserver.server import SecurityServer
from xgate.trust.asic import MIME_TYPE
from xgate.trust.zip_writer import ZipWriter
from xgate.wire.download import (
    CONF_PATH,
    NOT_STAMPED,
    NotHandedOut,
    Wanted,
    bundle_name,
    check_unique,
    nothing_found,
    read_owner,
    read_parameters,
    read_wanted,
)
from xgate.wire.target import Target

__all__ = ["hand_out"]

T = TypeVar("T")

_ZIP, _BINARY = "application/zip", "application/octet-stream"
_PIECE = 1 << 18
_THREADS = 2
_LIMITER: trio.lowlevel.RunVar[trio.CapacityLimiter] = trio.lowlevel.RunVar("downloads")


class _Found(msgspec.Struct, frozen=True):
    """Which records there are, by number, and which of them have no time-stamp."""

    numbers: list[int]
    waiting: list[Waiting]


async def hand_out(target: Target, exchange: Exchange, server: SecurityServer, note: Note) -> None:
    """Answer one download (``wire.download.is_download``).

    :raises NotHandedOut: the refusals of asic 6, in its order. :raises Fault: what else fails.
    """
    note.protocol = target.path[1:]
    if target.path == CONF_PATH:
        loaded = server.loaded_conf()
        octets = await _in_thread(lambda: write_verification_zip(loaded, server.clock.now()))
        await exchange.respond(200, _head(_ZIP, 'filename="verificationconf.zip"'), octets)
        return
    parameters = read_parameters(target.query)
    owner = read_owner(parameters)
    note.client = owner.short
    _check_asker(owner, exchange, server)
    wanted = read_wanted(parameters)
    note.id = wanted.query_id
    store = server.messagelog.store
    found = await _in_thread(lambda: _find(store, owner, wanted))
    if not found.numbers:
        raise nothing_found()
    await _ensure_stamped(found.waiting, wanted, server.stamp_now)
    check_unique(wanted)
    if server.envelope.encrypted:
        await _hand_out_sealed(found.numbers, owner, wanted, exchange, server)
    elif wanted.unique:
        await _hand_out_one(found.numbers, exchange, store)
    else:
        await _hand_out_all(found.numbers, wanted, exchange, store)


def _check_asker(owner: ClientId, exchange: Exchange, server: SecurityServer) -> None:
    try:
        client = check_registered(server.world.value.serverconf, owner)
        check_information_system(exchange, client, server, always=True)
    except Fault as fault:
        raise NotHandedOut(401, fault.code, fault.text) from fault


def _find(store: LogStore, owner: ClientId, wanted: Wanted) -> _Found:
    found = _Found([], [])
    outlines = store.outlines(query_id=wanted.query_id, owner=owner, response=wanted.response)
    for outline in outlines:
        found.numbers.append(outline.id)
        if outline.stamp is None:
            found.waiting.append((outline.id, SHA512.of(outline.evidence.signature)))
    return found


async def _ensure_stamped(
    waiting: Sequence[Waiting],
    wanted: Wanted,
    stamp_now: Callable[[Waiting], Awaitable[None]],
) -> None:
    if waiting and not wanted.force:
        raise NotHandedOut(500, "internal_error", NOT_STAMPED)
    for one in waiting:
        await stamp_now(one)


async def _hand_out_one(numbers: Sequence[int], exchange: Exchange, store: LogStore) -> None:
    made = await _in_thread(lambda: next(_containers(store, numbers), None))
    if made is None:
        raise nothing_found()
    name, octets, _ = made
    await exchange.respond(200, _head(MIME_TYPE, f'attachment; filename="{name}"'), octets)


async def _hand_out_all(
    numbers: Sequence[int], wanted: Wanted, exchange: Exchange, store: LogStore
) -> None:
    """A zip that leaves while it is made; a failure on the way cuts it off."""
    with closing(_bundle(store, numbers)) as pieces:
        piece = await _in_thread(lambda: next(pieces, b""))
        if not piece:
            raise nothing_found()
        head = _head(_ZIP, f'attachment; filename="{bundle_name(wanted)}"')
        await exchange.settle_request()
        await exchange.start(200, head)
        while piece:
            await exchange.send(piece)
            piece = await _in_thread(lambda: next(pieces, b""))
        await exchange.finish()


async def _hand_out_sealed(
    numbers: Sequence[int],
    owner: ClientId,
    wanted: Wanted,
    exchange: Exchange,
    server: SecurityServer,
) -> None:
    """Encrypted as this client's archives are: made whole in a file, and then sent."""
    store = server.messagelog.store
    grouped = server.settings.messagelog.archive.grouping != "none"
    name = bundle_name(wanted)
    pieces: Iterator[bytes] = _bundle(store, numbers)
    if wanted.unique:
        container = await _in_thread(lambda: next(_containers(store, numbers), None))
        if container is None:
            raise nothing_found()
        name, pieces = container[0], iter([container[1]])
    with tempfile.TemporaryDirectory(prefix="xgate-") as folder:
        path = Path(folder) / "sealed"
        member = owner.member if grouped else None
        if not await _in_thread(lambda: _seal(server.envelope, path, member, pieces)):
            raise nothing_found()
        head = _head(_BINARY, f'attachment; filename="{name}.gpg"')
        await exchange.settle_request()
        await exchange.start(200, head)
        with path.open("rb") as file:
            while piece := file.read(_PIECE):
                await exchange.send(piece)
        await exchange.finish()


def _seal(envelope: Envelope, path: Path, member: ClientId | None, pieces: Iterator[bytes]) -> bool:
    """Write the pieces through the envelope; False if there were none."""
    first = next(pieces, b"")
    if not first:
        return False
    with envelope.open(path, member) as file:
        for piece in chain([first], pieces):
            file.write(piece)
    return True


def _bundle(store: LogStore, numbers: Sequence[int]) -> Generator[bytes, None, None]:
    """The octets of a zip of containers, a container at a time; none at all without containers."""
    out = io.BytesIO()
    with tempfile.TemporaryFile() as directory:
        writer = ZipWriter(out, directory)
        for name, octets, at in _containers(store, numbers):
            writer.add(name, octets, at)
            yield out.getvalue()
            out.seek(0)
            out.truncate()
        if directory.tell():
            writer.finish()
            yield out.getvalue()


def _containers(store: LogStore, numbers: Sequence[int]) -> Iterator[tuple[str, bytes, datetime]]:
    """Name, octets and time of each; what has gone meanwhile is passed over."""
    for number in numbers:
        for logged in store.find(number=number):
            if logged.stamp is not None:
                yield (*write_evidence(logged), logged.record.time)


def _head(content_type: str, disposition: str) -> list[tuple[str, str]]:
    return [("Content-Type", content_type), ("Content-Disposition", disposition)]


async def _in_thread(work: Callable[[], T]) -> T:
    return await trio.to_thread.run_sync(work, limiter=_limiter())


def _limiter() -> trio.CapacityLimiter:
    try:
        return _LIMITER.get()
    except LookupError:
        limiter = trio.CapacityLimiter(_THREADS)
        _LIMITER.set(limiter)
        return limiter
