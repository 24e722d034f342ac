"""A thousand clients that never finish, at each door: messages and health go on, they are let go.

Servers in processes of their own, so that nobody is slow because the attacker is.
"""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing, suppress
from typing import TYPE_CHECKING, Any

import pytest
import trio

from xgate.clock import SystemClock
from xgate.net.descriptors import take_descriptors
from xgate.net.errors import NetError
from xgate.net.fetch import fetch
from xgate.sandbox.authority import Authority
from xgate.sandbox.background import Running
from xgate.sandbox.country import Country, Place
from xgate.sandbox.desk import Desk
from xgate.sandbox.lines import Lines
from xgate.sandbox.pair import serve_surroundings, start_process
from xgate.sandbox.peer import Peer

if TYPE_CHECKING:
    from tests.journeys.conftest import Caller

SECONDS = 12  # that a slow client is given
SETTINGS = f"""[health]
host = "127.0.0.1"
port = 0
admin-port = 0

[limits]
idle-seconds = {SECONDS}
handshake-seconds = {SECONDS}
head-seconds = {SECONDS}
"""
EACH = 1000
SOURCES = 10
TRICKLE = 0.5  # seconds between two octets


def told(place: Place) -> dict[str, Any]:
    """The line of a server that serves."""
    lines = (place.folder / "server.log").read_bytes().splitlines()
    return next(line for line in map(json.loads, lines) if line["event"] == "serving")


async def statistics_of(place: Place) -> dict[str, Any]:
    said = await fetch(f"http://127.0.0.1:{told(place)['health']}/statistics", timeout=5)
    statistics: dict[str, Any] = json.loads(said.body)
    return statistics


@pytest.fixture
async def besieged(
    found: Callable[..., Country], calling: Callable[[Running], Caller]
) -> AsyncIterator[Caller]:
    """An information system whose server, and the provider's, run as processes."""
    take_descriptors()
    country = found({"[globalconf]": f"{SETTINGS}\n[globalconf]"})
    authority = Authority(country, SystemClock())
    async with trio.open_nursery() as nursery:
        await nursery.start(
            lambda **status: serve_surroundings(
                country, SystemClock(), services=Desk().serve, authority=authority, **status
            )
        )
        processes = [await start_process(place) for place in country.places]
        with closing(calling(Running(country, authority, Lines(), Lines()))) as caller:
            yield caller
        for process in processes:
            assert await process.stop() == 0
        nursery.cancel_scope.cancel()


async def come(source: str, host: str, port: int) -> trio.SocketStream:
    sock = trio.socket.socket()
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    await sock.bind((source, 0))
    await sock.connect((host, port))
    return trio.SocketStream(sock)


@asynccontextmanager
async def siege(
    host: str, port: int, begin: bytes, more: bytes, network: str
) -> AsyncIterator[list[trio.SocketStream]]:
    """Many slow clients, a third of whom say nothing, another one no more than its beginning."""
    streams = [
        await come(f"{network}.{number % SOURCES + 1}", host, port) for number in range(EACH)
    ]

    async def go_on(talking: list[trio.SocketStream]) -> None:
        while True:
            await trio.sleep(TRICKLE)
            for stream in talking:
                with suppress(trio.BrokenResourceError):
                    await stream.send_all(more)

    async with trio.open_nursery() as nursery:
        for stream in streams[EACH // 3 :]:
            await stream.send_all(begin)
        nursery.start_soon(go_on, streams[2 * EACH // 3 :])
        yield streams
        nursery.cancel_scope.cancel()
    for stream in streams:
        await stream.aclose()


async def is_let_go(stream: trio.SocketStream) -> bool:
    """Whether the server hangs up, with a word or without."""
    with suppress(trio.BrokenResourceError):
        while await stream.receive_some():
            pass
    return True


async def assert_served(caller: Caller) -> None:
    """Messages in both protocols, health and the switch, on both servers, each in good time."""
    for number in range(10):
        with trio.fail_after(5):
            rest = await caller.rest("POST", "/echo", body=b"x" * 1000)
            soap = await caller.soap("tell", f"besieged-{number}")
        assert (rest.status, rest.code, soap.code) == (200, "", "")
    for place in caller.country.places:
        ports = told(place)
        for path in ("/livez", "/readyz", "/statistics"):
            answer = await fetch(f"http://127.0.0.1:{ports['health']}{path}", timeout=5)
            assert answer.status == 200, answer.body
        switch = await fetch(f"http://127.0.0.1:{ports['admin']}/maintenance", timeout=5)
        assert (switch.status, switch.body) == (200, b"false\n")


async def test_slow_clients_by_the_thousand_stop_nobody(besieged: Caller) -> None:
    country = besieged.country
    consumer, provider = country.places
    peer = Peer(country, consumer, SystemClock())
    head = b"POST / HTTP/1.1\r\nHost: x\r\nX-Slow: "
    with trio.fail_after(30):
        while True:
            if not (await besieged.rest("GET", "/echo")).code:  # OCSP responses are there
                break
            await trio.sleep(0.05)
    async with (
        siege(*besieged.door, head, b"x", "127.0.1") as callers,
        siege(provider.address, country.ports.server, b"\x16\x03\x01", b"", "127.0.2") as servers,
    ):
        known = [await peer.connect(provider) for _ in range(20)]  # slow ones with good keys
        for connection in known:
            await connection.stream.send_all(head)
        for place in country.places:
            inside = (await statistics_of(place))["connections"]["inside"]
            assert inside >= EACH, (place.name, inside)

        await assert_served(besieged)

        with trio.fail_after(3 * SECONDS):
            for stream in (*callers, *servers):
                assert await is_let_go(stream)
            for connection in known:
                with suppress(NetError):
                    while await connection.stream.receive():
                        pass
                await connection.aclose()
    with trio.fail_after(10):
        for place in country.places:
            while True:
                if (await statistics_of(place))["connections"]["inside"] <= SOURCES:
                    break
                await trio.sleep(0.05)
    await assert_served(besieged)
