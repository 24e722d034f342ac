"""Keys that the signer's process holds, used from here (``KeyHolder``).

The rule: one connection carries all requests at once. When it breaks, whoever waits is not told but
asked for again on the next one: a signature that never arrived was never given away. Only when the
signer has been away for some seconds is what needs it refused, and at once. The ring that was told
last stays: certificates are true without their keys. Where the socket is, is told in the log only:
refusals go to others.
"""

from __future__ import annotations

import math
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from pathlib import Path

import trio

from xgate.cell import Cell
from xgate.errors import Fault, first_cause
from xgate.globalconf.conf import GlobalConf
from xgate.ids import ServerId
from xgate.net.errors import ClosedError, ConnectError, NetError, TimedOutError
from xgate.net.stream import SocketStream
from xgate.signer.ask import read_ring
from xgate.signer.door import check_signer
from xgate.signer.keyring import Keyring
from xgate.signer.protocol import (
    VERSION,
    Answer,
    FrameReader,
    Hello,
    ListTokens,
    Noted,
    NoteRegistered,
    Numbered,
    PublicRing,
    Refused,
    Signed,
    SignSeal,
    Statistics,
    TokenStates,
    Watch,
    Welcome,
    read_answer,
    write_frame,
)
from xgate.signer.signer import SigningContext
from xgate.trust.seal import Seal
from xgate.trust.verify import Evidence

__all__ = ["RemoteKeys", "Report"]

Report = Callable[..., None]
"""Takes one event: its name, and what belongs to it."""

_NO_SIGNATURE = "cannot_create_signature.internal_error"
_HELLO = 10.0  # seconds for the signer's first words
_BEAT = 5.0  # seconds between signs of life, and for one
_AWAY = 5.0  # seconds for which the signer may be gone before what needs it is refused
_ANSWER = 60.0  # seconds for a signature: a slow token with a queue
_PAUSES = (0.05, 1.0)  # seconds between tries to connect: the first, and at most


class RemoteKeys:
    """The keys of the signer at ``path``.

    :param report: told when the signer is found and when it is lost.
    """

    def __init__(self, path: Path, report: Report) -> None:
        self._path = path.absolute()
        absent = "The signer has not been there yet: is xgate signer running?"
        self.ring = Cell(Keyring((), (), absent))
        self._report = report
        self._link: Cell[_Link | None] = Cell(None)
        self._away_since = math.inf

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Stay connected until cancelled; ready at once, whether the signer is there or not."""
        self._away_since = trio.current_time()
        task_status.started()
        pause, told = _PAUSES[0], ""
        while True:
            try:
                await self._stay_connected()
            except (OSError, NetError, Fault) as error:
                if self._link.value is not None:
                    self._link.set(None)
                    self._away_since = trio.current_time()
                    pause, told = _PAUSES[0], ""
                if str(error) != told:
                    told = str(error)
                    self._report("signer lost", signer=str(self._path), error=told)
            await trio.sleep(pause)
            pause = min(2 * pause, _PAUSES[1])

    async def sign(self, context: SigningContext, seal: Seal) -> Evidence:
        """See ``KeyHolder.sign``; merged with what other processes sign with the same key.

        :raises Fault: ``cannot_create_signature.internal_error``, also when the signer is away.
        """
        parts = tuple((part.name, part.digest) for part in seal.parts)
        sha256 = context.key.certificate.sha256
        answer = await self._ask(lambda number: SignSeal(number, sha256, context.ocsp, parts))
        if isinstance(answer, Signed):
            return Evidence(answer.signature, answer.chain_result, answer.chain)
        if isinstance(answer, Refused):
            raise _refusal(answer.code, answer.text)
        raise _refusal("internal_error", "The signer's answer is to another question")

    async def troubles(self) -> Sequence[str]:
        """See ``KeyHolder.troubles``; the signer is asked."""
        answer = await self._ask(ListTokens)
        if isinstance(answer, TokenStates):
            return answer.troubles
        raise _refusal("internal_error", "The signer's answer is to another question")

    async def note_registered(self, conf: GlobalConf, server: ServerId) -> bool:
        """See ``KeyHolder.note_registered``; the signer notes it, who knows no configuration."""
        found = conf.find_server(server)
        if found is None or not found.auth_cert_hashes:
            return False
        hashes = tuple(found.auth_cert_hashes)
        answer = await self._ask(lambda number: NoteRegistered(number, hashes))
        if isinstance(answer, Noted):
            return answer.changed
        if isinstance(answer, Refused):
            raise Fault(answer.code, answer.text)
        raise _refusal("internal_error", "The signer's answer is to another question")

    def batch_sizes(self) -> Mapping[int, int]:
        """None: the signer counts what it merges, and tells it at its own end."""
        return {}

    async def _ask(self, request: Callable[[int], Numbered]) -> Answer:
        with trio.move_on_after(_ANSWER):
            while True:
                link = await self._wait_link()
                try:
                    return await link.ask(request)
                except ClosedError:
                    if self._link.value is link:
                        await self._link.wait_changed()
                except Fault as fault:
                    raise _refusal(fault.code, fault.text) from None
        raise _refusal("token_not_available", "The signer took too long")

    async def _wait_link(self) -> _Link:
        while (link := self._link.value) is None:
            version = self._link.version
            deadline = self._away_since + _AWAY
            with trio.move_on_at(deadline) as scope:
                await self._link.wait_changed(version)
            if scope.cancelled_caught:
                raise _refusal("token_not_available", "The signer is not there")
        return link

    async def _stay_connected(self) -> None:
        """Returns never: a connection that ends, ends by an error."""

        def refused(fault: Fault) -> None:
            self._report("key not usable", code=fault.code, cause=fault.text)

        def take(told: PublicRing) -> None:
            self.ring.set(read_ring(told, self._path, refused))
            if self._link.value is None:
                self._link.set(link)
                self._report("signer found", signer=str(self._path))

        link = _Link(await _connect(self._path))
        try:
            await link.run(take)
        finally:
            link.end()


class _Call:
    """One request under way."""

    def __init__(self) -> None:
        self.over = trio.Event()
        self.answer: Answer | None = None


class _Link:
    """One connection: requests go out numbered, and answers find who waits for them."""

    def __init__(self, stream: SocketStream) -> None:
        self._stream = stream
        self._calls: dict[int, _Call] = {}
        self._numbers = count(1)
        self._unsent = [write_frame(Hello()), write_frame(Watch())]
        self._more = trio.Event()
        self._more.set()

    async def ask(self, request: Callable[[int], Numbered]) -> Answer:
        """The answer to one request.

        :raises ClosedError: the connection ended before it came. :raises Fault: it is too large to
            be asked: a signer would end the conversation of all by it, again and again.
        """
        number, call = next(self._numbers), _Call()
        frame = write_frame(request(number))
        self._calls[number] = call
        self._unsent.append(frame)
        self._more.set()
        try:
            await call.over.wait()
        finally:
            self._calls.pop(number, None)
        if call.answer is None:
            raise ClosedError("the signer's connection has ended")
        return call.answer

    async def run(self, take_ring: Callable[[PublicRing], None]) -> None:
        """Carry requests and answers until the connection ends.

        :raises NetError: it has ended. :raises Fault: what came is none of the protocol, or the
            signer ends the conversation by it.
        """
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._write)
                nursery.start_soon(self._listen_for_life)
                await self._read(take_ring)
        except BaseExceptionGroup as group:
            raise first_cause(group) from None

    def end(self) -> None:
        """Close, and wake everyone who waits."""
        self._stream.close()
        for call in self._calls.values():
            call.over.set()

    async def _write(self) -> None:
        while True:
            await self._more.wait()
            self._more = trio.Event()
            frames, self._unsent = self._unsent, []
            await self._stream.send_vector(frames)

    async def _listen_for_life(self) -> None:
        """Ask something that needs no token now and then: a process may be there and not move."""
        while True:
            await trio.sleep(_BEAT)
            with trio.move_on_after(_BEAT) as patience:
                await self.ask(Statistics)
            if patience.cancelled_caught:
                raise TimedOutError(f"the signer has not moved for {_BEAT:g} s")

    async def _read(self, take_ring: Callable[[PublicRing], None]) -> None:
        reader = FrameReader()
        self._stream.deadline = trio.current_time() + _HELLO
        while octets := await self._stream.receive():
            for frame in reader.feed(octets):
                self._take(read_answer(frame), take_ring)
        raise ClosedError("the signer has ended the connection")

    def _take(self, answer: Answer, take_ring: Callable[[PublicRing], None]) -> None:
        match answer:
            case Welcome():
                if answer.version != VERSION:
                    raise Fault("internal_error", "the signer speaks another protocol")
            case PublicRing():
                self._stream.deadline = math.inf
                take_ring(answer)
            case Refused(id=0):
                raise Fault(answer.code, answer.text)
            case _:
                call = self._calls.pop(answer.id, None)
                if call is not None:  # else whoever asked has gone
                    call.answer = answer
                    call.over.set()


async def _connect(path: Path) -> SocketStream:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.connect(os.fspath(path))  # on a Unix socket at once, or not at all
        check_signer(sock, path)
    except Fault:
        sock.close()
        raise
    except OSError as error:
        sock.close()
        raise ConnectError(error.strerror or str(error)) from None
    return SocketStream(sock)


def _refusal(code: str, text: str) -> Fault:
    if code == _NO_SIGNATURE:
        return Fault(code, text)
    return Fault(_NO_SIGNATURE, f"signer.{code}: {text}")
