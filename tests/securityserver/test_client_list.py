"""``GET /listClients`` is known by its method and its exact path; journeys show its answers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest
import trio

from xgate.globalconf.index import MemberInfo
from xgate.ids import ClientId
from xgate.net.server import Exchange
from xgate.securityserver.client_list import asks_for_clients, list_clients
from xgate.securityserver.note import Note
from xgate.securityserver.server import SecurityServer
from xgate.testing.clock import FakeClock
from xgate.wire.target import Target


class Asked:
    def __init__(self, method: str) -> None:
        self.method = method


@pytest.mark.parametrize(
    ("method", "path", "asks"),
    [
        ("GET", "/listClients", True),
        ("POST", "/listClients", False),
        ("HEAD", "/listClients", False),
        ("GET", "/listclients", False),
        ("GET", "/listClients/", False),
        ("GET", "/r1/listClients", False),
    ],
)
def test_it_is_known_by_method_and_path(method: str, path: str, asks: bool) -> None:
    exchange = cast("Exchange", Asked(method))
    assert asks_for_clients(exchange, Target(path, None)) is asks


class Everybody:
    """A configuration that counts how often it is asked for everybody."""

    own = "XG"

    def __init__(self) -> None:
        self.asked = 0

    def members(self, instance: str) -> tuple[MemberInfo, ...]:
        self.asked += 1
        return (MemberInfo(ClientId(instance, "GOV", "1"), "One"),)


class Asking:
    """An exchange that keeps what it is answered."""

    def __init__(self, *headers: tuple[str, str]) -> None:
        self.headers = headers
        self.body = b""

    async def respond(self, status: int, _: object, body: bytes) -> None:
        assert status == 200
        self.body = body


async def ask(conf: Everybody, *headers: tuple[str, str]) -> bytes:
    world = SimpleNamespace(value=SimpleNamespace(globalconf=conf))
    server = cast("SecurityServer", SimpleNamespace(world=world))
    asking = Asking(*headers)
    note = Note("client", FakeClock())
    await list_clients(Target("/listClients", None), cast("Exchange", asking), server, note)
    return asking.body


async def test_a_list_is_written_once_however_many_ask() -> None:
    conf = Everybody()
    bodies: list[bytes] = []

    async def one() -> None:
        bodies.append(await ask(conf))

    async with trio.open_nursery() as nursery:
        for _ in range(50):
            nursery.start_soon(one)
    assert b"One" in bodies[0]
    assert len({id(body) for body in bodies}) <= 2  # as many as there are threads for it
    before = conf.asked
    assert before <= 2
    assert await ask(conf) is await ask(conf)
    assert (await ask(conf, ("Accept", "application/json"))).startswith(b"{")
    assert conf.asked == before + 1
    assert await ask(Everybody()) == bodies[0]
