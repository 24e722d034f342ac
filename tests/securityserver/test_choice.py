"""Which of several servers is chosen: by speed, by memory, and by who proves itself."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from xgate.errors import Fault
from xgate.net.client import ClientConnection
from xgate.net.errors import ClosedError, TimedOutError, TlsError
from xgate.net.stream import SocketStream
from xgate.securityserver.choice import Choice
from xgate.securityserver.peer_settings import PeerSettings
from xgate.testing.clock import FakeClock

A, B, C = "127.0.0.11", "127.0.0.12", "127.0.0.13"
STRANGER = Fault("ssl_authentication_failed", "nobody knows it")
HANGS = "hangs"


class Servers:
    """TCP servers that listen on one port of several addresses, and what each proves to be."""

    def __init__(self, stack: ExitStack, **settings: Any) -> None:
        self.stack = stack
        self.clock = FakeClock()
        probe = socket.create_server((A, 0))
        self.port = probe.getsockname()[1]
        stack.enter_context(probe)
        for address in (B, C):
            stack.enter_context(socket.create_server((address, self.port)))
        self.choice = Choice(PeerSettings(server_port=self.port, **settings), self.clock.monotonic)
        self.flaws: dict[str, Exception | str] = {}
        self.proved: list[tuple[str, float]] = []

    async def connect(self, *addresses: str) -> str:
        connection = await self.choice.connect(addresses, self._prove)
        await connection.aclose()
        return connection.target

    async def refusal(self, *addresses: str) -> Fault:
        with pytest.raises(Fault) as caught:
            await self.connect(*addresses)
        return caught.value

    @property
    def asked(self) -> list[str]:
        asked, self.proved = [address for address, _ in self.proved], []
        return asked

    async def _prove(self, address: str, stream: SocketStream, timeout: float) -> ClientConnection:
        self.proved.append((address, round(timeout, 1)))
        assert stream.peer_address == address
        flaw = self.flaws.get(address)
        connection = ClientConnection(stream, address)
        connection.target = address
        try:
            if flaw == HANGS:
                await trio.sleep(timeout)
                raise TimedOutError("the handshake hangs")
            if isinstance(flaw, Exception):
                raise flaw
        except BaseException:
            await connection.aclose()
            raise
        return connection


@contextmanager
def servers_with(**settings: Any) -> Iterator[Servers]:
    with ExitStack() as stack:
        yield Servers(stack, **settings)


@pytest.fixture
def servers() -> Iterator[Servers]:
    with servers_with() as made:
        yield made


def silence(servers: Servers, address: str) -> None:
    """Nobody is told no at this address, and nobody gets in."""
    full = servers.stack.enter_context(socket.socket())
    full.bind((address, servers.port))
    full.listen(0)
    filler = servers.stack.enter_context(socket.socket())
    filler.connect(full.getsockname())


async def test_the_only_one_is_asked(servers: Servers) -> None:
    assert await servers.connect(A) == A
    assert servers.proved == [(A, 30.0)]


async def test_the_first_to_connect_counts_and_silent_ones_cost_no_time(
    servers: Servers, autojump_clock: MockClock
) -> None:
    silence(servers, "127.0.0.14")
    assert await servers.connect("127.0.0.14", A, "127.0.0.99") == A
    assert trio.current_time() < 1


async def test_the_good_one_is_remembered_for_its_set_of_candidates(servers: Servers) -> None:
    good = await servers.connect(A, B, C)
    assert {await servers.connect(C, B, A) for _ in range(20)} == {good}
    assert servers.asked == [good] * 21
    others = {A, B, C} - {good}
    assert await servers.connect(*others) in others


async def test_it_is_forgotten_after_an_hour(servers: Servers) -> None:
    servers.flaws = {A: STRANGER}
    assert await servers.connect(A, B) == B
    servers.flaws = {}
    servers.clock.advance(3599)
    servers.choice._turns.failed(B)  # counts for nothing while it is remembered
    assert await servers.connect(A, B) == B
    servers.clock.advance(1)
    servers.choice._turns.failed(B)
    assert await servers.connect(A, B) == A


async def test_memory_may_be_off() -> None:
    with servers_with(remember_seconds=0) as servers:
        await servers.connect(A, B)
        assert servers.choice._good == {}


async def test_the_memory_is_bounded(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xgate.securityserver.choice._REMEMBERED", 1)
    await servers.connect(A, B)
    await servers.connect(A, C)
    assert list(servers.choice._good) == [frozenset((A, C))]


async def test_who_does_not_prove_itself_is_passed_over_and_rests(servers: Servers) -> None:
    servers.flaws = {A: STRANGER, B: TlsError("no common cipher")}
    assert await servers.connect(A, B, C) == C
    assert servers.asked[-1] == C
    servers.choice._good.clear()
    assert await servers.connect(A, B, C) in (A, B, C)
    failed = set(servers.choice._turns._failed)
    assert C not in failed


async def test_the_remembered_one_that_fails_is_forgotten_and_the_others_have_their_full_time(
    servers: Servers,
) -> None:
    servers.flaws = {A: STRANGER}
    assert await servers.connect(A, B) == B
    servers.proved.clear()
    servers.flaws = {B: ClosedError("gone")}
    assert await servers.connect(A, B) == A
    assert servers.proved == [(B, 30.0), (A, 30.0)]
    assert await servers.connect(A, B) == A
    assert servers.proved[2:] == [(A, 30.0)]


async def test_after_each_failure_the_time_is_halved_but_never_below_five_seconds() -> None:
    with servers_with(connect_timeout=12) as servers:
        servers.flaws = dict.fromkeys((A, B, C), STRANGER)
        await servers.refusal(A, B, C)
        assert [timeout for _, timeout in servers.proved] == [12.0, 6.0, 5.0]
    with servers_with(connect_timeout=2) as servers:
        servers.flaws = dict.fromkeys((A, B), STRANGER)
        await servers.refusal(A, B)
        assert [timeout for _, timeout in servers.proved] == [2.0, 2.0]


async def test_one_that_hangs_while_it_proves_itself_has_seconds_while_there_are_others(
    servers: Servers, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    servers.flaws = {A: HANGS}
    monkeypatch.setattr(random, "sample", lambda names, _: sorted(names))
    servers.choice._turns.failed(B)  # so that A is asked first
    assert await servers.connect(A, B) == B
    assert servers.asked == [A, B]
    assert trio.current_time() == pytest.approx(5, abs=0.1)
    assert await servers.connect(A, B) == B  # which is remembered
    assert servers.asked == [B]


async def test_the_remembered_one_that_hangs_has_seconds_too(
    servers: Servers, autojump_clock: MockClock
) -> None:
    servers.flaws = {A: STRANGER}
    assert await servers.connect(A, B) == B
    servers.flaws = {B: HANGS}
    assert await servers.connect(A, B) == A
    assert trio.current_time() == pytest.approx(5, abs=0.1)


async def test_the_last_one_has_all_the_time_there_is(
    servers: Servers, autojump_clock: MockClock
) -> None:
    servers.flaws = {A: HANGS}
    fault = await servers.refusal(A)
    assert trio.current_time() == pytest.approx(30, abs=0.1)
    assert fault.code == "network_error"


async def test_the_last_refusal_with_a_code_is_the_answer(servers: Servers) -> None:
    servers.flaws = {A: STRANGER}
    assert await servers.refusal(A, "127.0.0.99") is STRANGER
    servers.flaws = {A: TlsError("no common cipher")}
    fault = await servers.refusal(A, "nobody.invalid")
    assert fault.code == "ssl_authentication_failed"
    assert fault.text == "TLS handshake failed: no common cipher"
    fault = await servers.refusal("127.0.0.98", "127.0.0.99")
    assert fault.code == "network_error"
    assert fault.text == (
        "Could not connect to any target host "
        f"([https://127.0.0.98:{servers.port}/, https://127.0.0.99:{servers.port}/])"
    )


async def test_a_name_and_an_ipv6_address_are_candidates_too() -> None:
    with ExitStack() as stack:
        six = stack.enter_context(socket.create_server(("::1", 0), family=socket.AF_INET6))
        settings = PeerSettings(server_port=six.getsockname()[1], hosts={"six.example": "::1"})
        choice = Choice(settings, FakeClock().monotonic)

        async def prove(address: str, stream: SocketStream, _: float) -> ClientConnection:
            assert stream.peer_address == "::1"
            return ClientConnection(stream, address)

        for address in ("::1", "six.example"):
            await (await choice.connect([address, "nobody.invalid"], prove)).aclose()
