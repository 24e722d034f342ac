"""Evidence for information systems: their own messages as containers, and the configuration that
proves them to anyone.

The rule: whoever may send messages for a client may have that client's evidence, and nobody else;
the configuration is for everybody. A container that is large is made in a file, one at a time, and
no reading of the log is open while a slow client takes what it asked for. Where archives are
encrypted, so is this. The threads of this work are few and their own.
Source: asic 6.
"""

from __future__ import annotations

import tempfile
from collections.abc import Awaitable, Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, closing
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import IO, TypeVar

import msgspec
import trio

from xgate.algorithms import SHA512
from xgate.errors import Fault
from xgate.globalconf.verification import write_verification_zip
from xgate.ids import ClientId
from xgate.messagelog.envelope import Envelope
from xgate.messagelog.evidence import write_evidence_to
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
_IN_MEMORY = 1 << 20  # octets of what is handed out; more go to a file
_THREADS = 2
_LIMITER: trio.lowlevel.RunVar[trio.CapacityLimiter] = trio.lowlevel.RunVar("downloads")


class _Found(msgspec.Struct, frozen=True):
    """Which records there are, by number, and which of them have no time-stamp."""

    numbers: list[int]
    waiting: list[Waiting]


class _Made(msgspec.Struct, frozen=True):
    """A container: its name, its octets and how many, and its record's time."""

    name: str
    file: IO[bytes]
    size: int
    time: datetime


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
    with closing(_containers(store, numbers)) as containers:
        made = await _in_thread(lambda: next(containers, None))
        if made is None:
            raise nothing_found()
        head = _head(MIME_TYPE, f'attachment; filename="{made.name}"')
        await exchange.settle_request()
        await exchange.start(200, [*head, ("Content-Length", str(made.size))])
        for piece in _pieces(made.file):
            await exchange.send(piece)
        await exchange.finish()


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
    with ExitStack() as opened:
        name = bundle_name(wanted)
        pieces: Iterator[bytes] = opened.enter_context(closing(_bundle(store, numbers)))
        if wanted.unique:
            containers = opened.enter_context(closing(_containers(store, numbers)))
            made = await _in_thread(lambda: next(containers, None))
            if made is None:
                raise nothing_found()
            name, pieces = made.name, _pieces(made.file)
        folder = opened.enter_context(tempfile.TemporaryDirectory(prefix="xgate-"))
        path = Path(folder) / "sealed"
        member = owner.member if grouped else None
        if not await _in_thread(lambda: _seal(server.envelope, path, member, pieces)):
            raise nothing_found()
        head = _head(_BINARY, f'attachment; filename="{name}.gpg"')
        await exchange.settle_request()
        await exchange.start(200, head)
        with path.open("rb") as file:
            for piece in _pieces(file):
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
    """The octets of a zip of containers, as they are made; none at all without containers."""
    with _file() as out, _file() as directory, closing(_containers(store, numbers)) as containers:
        writer = ZipWriter(out, directory)
        for made in containers:
            writer.add_all_of(made.name, made.file, made.time)
            yield from _taken(out)
        if directory.tell():
            writer.finish()
            yield from _taken(out)


def _containers(store: LogStore, numbers: Sequence[int]) -> Generator[_Made, None, None]:
    """One after the other, each gone with the next; what has gone meanwhile is passed over."""
    for number in numbers:
        for outline in tuple(store.outlines(number=number)):  # no reading stays open at a yield
            if outline.stamp is not None:
                with _file() as file:
                    name = write_evidence_to(store, outline, file)
                    yield _Made(name, file, file.tell(), outline.time)


def _file() -> IO[bytes]:
    """In memory as long as it is small, and then without a name."""
    return tempfile.SpooledTemporaryFile(_IN_MEMORY)


def _taken(file: IO[bytes]) -> Iterator[bytes]:
    """All that was written; the file is empty then."""
    yield from _pieces(file)
    file.seek(0)
    file.truncate()


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    """All of it, from the beginning."""
    file.seek(0)
    while piece := file.read(_PIECE):
        yield piece


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
