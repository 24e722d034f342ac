"""Names and their addresses: one lookup for all who ask, and no name in another's way."""

from __future__ import annotations

import socket
import threading

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from xgate.net.resolve import in_url, resolve

REAL = socket.getaddrinfo


class Resolver:
    """Answers for ``*.slow`` when it is let go, and for anything else at once."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.go = threading.Event()

    def __call__(self, host: str, port: int, **more: object) -> object:
        if more.get("flags") == socket.AI_NUMERICHOST:
            return REAL(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        self.asked.append(host)
        if host.endswith(".slow"):
            self.go.wait(30)
        if host.startswith("no."):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, 1, 6, "", ("192.0.2.1", port))] * 2


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Resolver:
    asked = Resolver()
    monkeypatch.setattr("xgate.net.resolve.socket.getaddrinfo", asked)
    return asked


async def test_an_address_is_its_own_and_nobody_is_asked(resolver: Resolver) -> None:
    assert await resolve("127.0.0.1", 80) == [(socket.AF_INET, ("127.0.0.1", 80))]
    assert [in_url(host) for host in ("::1", "127.0.0.1", "a.b")] == ["[::1]", "127.0.0.1", "a.b"]
    assert await resolve("::1", 80) == [(socket.AF_INET6, ("::1", 80, 0, 0))]
    assert resolver.asked == []


async def test_each_address_of_a_name_is_told_once(resolver: Resolver) -> None:
    assert await resolve("name.example", 80) == [(socket.AF_INET, ("192.0.2.1", 80))]


async def test_a_name_without_addresses_is_an_error_for_everyone_who_asked(
    resolver: Resolver,
) -> None:
    refused = []

    async def ask() -> None:
        with pytest.raises(OSError, match="not known"):
            await resolve("no.slow", 80)
        refused.append(True)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        nursery.start_soon(ask)
        await wait_all_tasks_blocked()
        resolver.go.set()
    assert refused == [True, True]
    assert resolver.asked == ["no.slow"]


async def test_who_asks_for_the_same_name_shares_one_lookup(resolver: Resolver) -> None:
    async with trio.open_nursery() as nursery:
        for _ in range(200):
            nursery.start_soon(resolve, "same.slow", 80)
        await wait_all_tasks_blocked()
        resolver.go.set()
    assert resolver.asked == ["same.slow"]
    await resolve("same.slow", 80)
    assert resolver.asked == ["same.slow"] * 2  # nothing is kept: the resolver knows for how long


async def test_a_slow_name_delays_no_other_and_holds_none_of_the_common_threads(
    resolver: Resolver, mock_clock: MockClock
) -> None:
    common = trio.to_thread.current_default_thread_limiter()
    async with trio.open_nursery() as nursery:
        for _ in range(100):  # more than there are threads
            nursery.start_soon(resolve, "hangs.slow", 80)
        await wait_all_tasks_blocked()
        assert await resolve("quick.example", 80)
        assert common.borrowed_tokens == 0
        assert trio.current_time() == 0
        nursery.cancel_scope.cancel()
    resolver.go.set()
