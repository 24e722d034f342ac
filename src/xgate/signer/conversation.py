"""One connection to the signer's socket, from the signer's side.

The rule: whoever has connected is told apart by the kernel before a word is read; then requests are
read and answered side by side. A client is bounded in what it may have under way and in the time it
may take to say or to hear something; what goes wrong is its own affair.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import suppress

import trio

from xgate.errors import Fault, first_cause
from xgate.net.drain import Drain
from xgate.net.errors import TimedOutError
from xgate.net.stream import LINGER, SocketStream
from xgate.signer.door import check_visitor
from xgate.signer.protocol import (
    LARGEST_REQUEST,
    VERSION,
    Answer,
    FrameReader,
    Hello,
    Login,
    Logout,
    Numbered,
    Refused,
    Request,
    Watch,
    Welcome,
    read_request,
    write_frame,
)
from xgate.signer.service import SignerService, public_ring

__all__ = ["converse"]

_PENDING = 256  # requests of one connection that are under way
_PATIENCE = 10.0  # seconds to say hello, to end a frame that was begun, to take an answer


async def converse(
    stream: SocketStream,
    service: SignerService,
    drain: Drain,
    others: frozenset[int] = frozenset(),
    strangers: trio.CapacityLimiter | None = None,
) -> None:
    """Answer one connection until it ends, or until ``drain`` starts and all is answered.

    :param others: ids of users who may ask besides root and this process's own, for signatures.
    :param strangers: how many of all others are told at a time why they may not; more are left
        without a word, for who may not ask must not keep those out who may.
    :raises NetError: the client broke off, or was too slow.
    """
    line = _Line(stream)
    try:
        keeper = check_visitor(stream.socket, others)
    except Fault as fault:
        with suppress(trio.WouldBlock):
            await _turn_away(line, fault, strangers or trio.CapacityLimiter(1))
        return
    try:
        await _Conversation(line, service, drain, keeper).run()
    except Fault as fault:
        await line.end(fault)
    except BaseExceptionGroup as group:
        raise first_cause(group) from None


async def _turn_away(line: _Line, why: Fault, strangers: trio.CapacityLimiter) -> None:
    strangers.acquire_nowait()
    try:
        await line.end(why)
    finally:
        strangers.release()


class _Conversation:
    def __init__(self, line: _Line, service: SignerService, drain: Drain, keeper: bool) -> None:
        """:param keeper: the client may log in to tokens, and out of them."""
        self._line = line
        self._service = service
        self._drain = drain
        self._keeper = keeper
        self._free = trio.Semaphore(_PENDING)
        self._greeted = False
        self._fault: Fault | None = None

    async def run(self) -> None:
        async with trio.open_nursery() as watching:
            async with trio.open_nursery() as answering:
                try:
                    await self._read(answering, watching)
                except Fault as fault:  # what was asked before it is still answered
                    self._fault = fault
            watching.cancel_scope.cancel()
        if self._fault is not None:
            raise self._fault

    async def _read(self, answering: trio.Nursery, watching: trio.Nursery) -> None:
        while (requests := await self._line.hear(self._drain)) is not None:
            for request in requests:
                if isinstance(request, Hello):
                    _check_version(request)
                    self._greeted = True
                    await self._line.say(Welcome())
                elif not self._greeted:
                    raise Fault("internal_error", "A client of the signer begins with hello")
                elif isinstance(request, Watch):
                    if not watching.child_tasks:
                        watching.start_soon(self._tell_rings)
                else:
                    await self._free.acquire()
                    answering.start_soon(self._reply, request)

    async def _reply(self, request: Numbered) -> None:
        try:
            await self._line.say(await self._answer(request))
        finally:
            self._free.release()

    async def _answer(self, request: Numbered) -> Answer:
        """What is for servers, servers may ask; a PIN that is tried may lock a token for all."""
        if isinstance(request, Login | Logout) and not self._keeper:
            text = "Only root and the signer's own user may log in to tokens, or out of them"
            return Refused(request.id, "access_denied", text)
        return await self._service.answer(request)

    async def _tell_rings(self) -> None:
        ring = self._service.ring
        while True:
            version = ring.version
            await self._line.say(public_ring(ring.value))
            await ring.wait_changed(version)


class _Line:
    """Frames over a stream; several tasks may say something."""

    def __init__(self, stream: SocketStream) -> None:
        self._stream = stream
        self._stream.deadline = trio.current_time() + _PATIENCE
        self._reader = FrameReader(LARGEST_REQUEST)
        self._turn = trio.Lock()

    async def say(self, answer: Answer) -> None:
        frame = write_frame(answer)
        async with self._turn:
            with trio.move_on_after(_PATIENCE) as scope:
                await self._stream.send_all(frame)
        if scope.cancelled_caught:
            raise TimedOutError("a client of the signer took too long to take an answer")

    async def end(self, why: Fault) -> None:
        await self.say(Refused(0, why.code, why.text))
        await self._stream.aclose(linger=LINGER)  # a close at once would take the reason along

    async def hear(self, drain: Drain) -> Iterator[Request] | None:
        """What the client asks next; None when it has gone or the drain starts."""
        octets = b""
        with drain.idle():
            octets = await self._stream.receive()
        return self._take(octets) if octets else None

    def _take(self, octets: bytes) -> Iterator[Request]:
        for frame in self._reader.feed(octets):
            self._stream.deadline = math.inf
            yield read_request(frame)
        if self._reader.partial and self._stream.deadline == math.inf:
            self._stream.deadline = trio.current_time() + _PATIENCE


def _check_version(hello: Hello) -> None:
    if hello.version != VERSION:
        raise Fault(
            "internal_error",
            f"The signer speaks version {VERSION} of its protocol and not {hello.version}; "
            "restart whichever of the two processes is the older one",
        )
