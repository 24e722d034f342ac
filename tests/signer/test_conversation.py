"""Clients of the signer's socket: many at once, hostile ones, slow ones, and a drain."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
import trio
import trio.testing

from xgate.errors import Fault
from xgate.net.stream import SocketStream
from xgate.signer import conversation
from xgate.signer.conversation import converse
from xgate.signer.keyring import Keyring
from xgate.signer.protocol import (
    Answer,
    Counted,
    FrameReader,
    Hello,
    ListTokens,
    Logout,
    PublicRing,
    Refused,
    Request,
    Signed,
    Statistics,
    Watch,
    Welcome,
    read_answer,
    write_frame,
)
from xgate.trust.seal import seal_of
from xgate.trust.verify import Evidence

if TYPE_CHECKING:
    from tests.signer.conftest import Desk


class Client:
    """Somebody at the socket, who may say anything."""

    def __init__(self, sock: socket.socket) -> None:
        self.stream = SocketStream(sock)
        self._reader = FrameReader()
        self._heard: list[bytes] = []

    async def say(self, *requests: Request) -> None:
        await self.stream.send_all(b"".join(map(write_frame, requests)))

    async def hear(self) -> Answer | None:
        """The next answer; None at the end."""
        while not self._heard:
            octets = await self.stream.receive()
            if not octets:
                return None
            self._heard += self._reader.feed(octets)
        return read_answer(self._heard.pop(0))


@asynccontextmanager
async def client(desk: Desk) -> AsyncIterator[Client]:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(os.fspath(desk.path))
        yield Client(sock)


async def test_many_requests_are_under_way_at_once(desk: Desk) -> None:
    seals = {number: seal_of(b"%d" % number) for number in range(1, 21)}
    async with desk.running(), client(desk) as one, client(desk) as other:
        for number, seal in seals.items():
            await (one if number % 2 else other).say(Hello(), desk.request(number, seal))
        found = []
        for somebody in (one, other):
            answers = [await somebody.hear() for _ in range(20)]
            found += [answer for answer in answers if isinstance(answer, Signed)]
    assert {answer.id for answer in found} == set(seals)
    for answer in found:
        evidence = Evidence(answer.signature, answer.chain_result, answer.chain)
        assert desk.holds(evidence, seals[answer.id])


async def test_two_clients_share_one_signature(desk: Desk) -> None:
    desk.token.open.clear()
    async with desk.running(), client(desk) as first, client(desk) as one, client(desk) as other:
        await first.say(Hello(), desk.request(1, seal_of(b"first")))
        await trio.testing.wait_all_tasks_blocked(0.01)
        await one.say(Hello(), desk.request(2, seal_of(b"two")))
        await other.say(Hello(), desk.request(3, seal_of(b"three")))
        await trio.testing.wait_all_tasks_blocked(0.01)
        desk.token.open.set()
        evidence = []
        for somebody, seal in ((one, seal_of(b"two")), (other, seal_of(b"three"))):
            assert await somebody.hear() == Welcome()
            answer = await somebody.hear()
            assert isinstance(answer, Signed)
            evidence.append(Evidence(answer.signature, answer.chain_result, answer.chain))
            assert desk.holds(evidence[-1], seal)
    assert evidence[0].signature == evidence[1].signature
    assert desk.signer.batch_sizes() == {1: 1, 2: 1}


async def test_who_watches_sees_every_change_of_the_ring(desk: Desk) -> None:
    async with desk.running(), client(desk) as watcher, client(desk) as other:
        await watcher.say(Hello(), Watch(), Watch())
        assert await watcher.hear() == Welcome()
        told = await watcher.hear()
        assert isinstance(told, PublicRing)
        assert told.signing[0].certificate == desk.sign.certificate.der
        await other.say(Hello(), Logout(1, "0"))
        assert await watcher.hear() == PublicRing((), ())
        desk.ring.set(Keyring((), desk.full().authentication))
        told = await watcher.hear()
        assert isinstance(told, PublicRing)
        assert len(told.authentication) == 1


@pytest.mark.parametrize(
    ("octets", "said"),
    [
        (write_frame(ListTokens(1)), "begins with hello"),
        (write_frame(Hello(version=2)), "version 1 of its protocol and not 2"),
        (struct.pack(">I", (1 << 20) + 1), "too large"),
        (struct.pack(">I", 3) + b"\xc1\xc1\xc1", "no message of this protocol"),
        (b"GET / HTTP/1.1\r\n\r\n", "too large"),
    ],
)
async def test_a_hostile_client_is_told_and_closed(desk: Desk, octets: bytes, said: str) -> None:
    async with desk.running(), client(desk) as hostile, client(desk) as other:
        await hostile.stream.send_all(octets)
        told = await hostile.hear()
        assert isinstance(told, Refused)
        assert told.id == 0
        assert said in told.text
        assert await hostile.hear() is None
        await other.say(Hello(), desk.request(1, seal_of(b"x")))
        assert await other.hear() == Welcome()
        assert isinstance(await other.hear(), Signed)


async def test_what_was_asked_before_the_nonsense_is_answered(desk: Desk) -> None:
    async with desk.running(), client(desk) as hostile:
        await hostile.say(Hello(), desk.request(1, seal_of(b"x")))
        await hostile.stream.send_all(struct.pack(">I", 1) + b"\xc1")
        answers = [await hostile.hear() for _ in range(4)]
    assert [type(answer) for answer in answers] == [Welcome, Signed, Refused, type(None)]


async def test_nobody_else_is_heard(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise Fault("access_denied", "Process 1 of user 2 may not use this signer")

    monkeypatch.setattr(conversation, "check_visitor", refuse)
    async with desk.running(), client(desk) as stranger:
        await stranger.say(Hello(), ListTokens(1))
        told = await stranger.hear()
        assert isinstance(told, Refused)
        assert (told.id, told.code) == (0, "access_denied")


async def test_a_crowd_of_strangers_is_not_told_one_by_one(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, autojump_clock: trio.testing.MockClock
) -> None:
    def refuse(*_: object) -> None:
        raise Fault("access_denied", "Process 1 of user 2 may not use this signer")

    monkeypatch.setattr(conversation, "check_visitor", refuse)
    told = trio.CapacityLimiter(1)

    async def serve(sock: socket.socket) -> None:
        with sock:
            await converse(SocketStream(sock), desk.service, desk.drain, frozenset(), told)

    (one, its), (other, others) = (socket.socketpair(socket.AF_UNIX) for _ in range(2))
    with one, other:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve, its)
            assert isinstance(await Client(one).hear(), Refused)
            began = trio.current_time()
            await serve(others)
            assert trio.current_time() == began
            assert await Client(other).hear() is None
    assert told.available_tokens == 1


@pytest.mark.parametrize("octets", [b"", write_frame(Hello()) + b"\0\0\0\x05\x91"])
async def test_a_client_that_says_half_a_thing_is_given_up(
    desk: Desk, octets: bytes, autojump_clock: trio.testing.MockClock
) -> None:
    async with desk.running(), client(desk) as slow:
        if octets:
            await slow.stream.send_all(octets)
            assert await slow.hear() == Welcome()
        began = trio.current_time()
        assert await slow.hear() is None
        assert trio.current_time() - began <= 10.5


async def test_a_client_that_is_silent_after_hello_may_stay(
    desk: Desk, autojump_clock: trio.testing.MockClock
) -> None:
    async with desk.running(), client(desk) as quiet:
        await quiet.say(Hello())
        assert await quiet.hear() == Welcome()
        await trio.sleep(3600)
        await quiet.say(Statistics(5))
        assert await quiet.hear() == Counted(5, {})


async def test_a_client_that_never_reads_is_given_up(
    desk: Desk, autojump_clock: trio.testing.MockClock
) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    with ours, theirs:
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        deaf = Client(ours)
        await deaf.say(Hello(), *(Statistics(number) for number in range(2000)))
        with pytest.raises(Exception, match="too long to take an answer"):
            await converse(SocketStream(theirs), desk.service, desk.drain)


async def test_a_drain_answers_what_was_asked_and_then_ends(desk: Desk) -> None:
    desk.token.open.clear()
    async with desk.running(), client(desk) as one, client(desk) as idle:
        await idle.say(Hello())
        assert await idle.hear() == Welcome()
        await one.say(Hello(), desk.request(1, seal_of(b"x")))
        assert await one.hear() == Welcome()
        await trio.testing.wait_all_tasks_blocked(0.01)
        desk.drain.start()
        assert await idle.hear() is None
        desk.token.open.set()
        assert isinstance(await one.hear(), Signed)
        assert await one.hear() is None
