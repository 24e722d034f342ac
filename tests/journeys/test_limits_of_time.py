"""Whoever is slow, in whichever phase, at whichever door, is let go in time and told so.

Real sockets at real doors. Who is refused before there is a request hears HTTP's own 408, or
nothing where nothing was said; from then on a fault, where one can still be told.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import trio

from xgate.clock import SystemClock
from xgate.net.client import connect
from xgate.net.context import service_context
from xgate.net.errors import NetError
from xgate.net.stream import Stream
from xgate.sandbox.background import run_in_background
from xgate.sandbox.country import CONSUMER, PROVIDER, Place
from xgate.sandbox.desk import Desk
from xgate.sandbox.peer import Peer
from xgate.wire.transport import write_request_head

if TYPE_CHECKING:
    from tests.journeys.conftest import Caller

TIMES = """[limits]
idle-seconds = 0.6
handshake-seconds = 0.6
head-seconds = 0.6
pause-seconds = 0.6
bytes-per-second = 2000
soap-seconds = 1.2
request-seconds = 2
"""
TOO_LONG = "the peer took too long"
BEAT = 0.1


def limit(place: Place) -> None:
    text = place.settings.read_text()
    place.settings.write_text(text.replace("[globalconf]", f"{TIMES}\n[globalconf]"))


@pytest.fixture(scope="module")
def hurried(founding: Any, calling: Any) -> Iterator[Caller]:
    """A country whose servers have little time."""
    country = founding("hurried")
    for place in country.places:
        limit(place)
    with (
        run_in_background(country, SystemClock(), services=Desk().serve) as running,
        closing(calling(running)) as caller,
    ):
        yield caller


# Doors, and what begins a request there


async def plain(caller: Caller) -> Stream:
    return (await connect(*caller.door)).stream


async def secure(caller: Caller) -> Stream:
    host, _ = caller.door
    port = caller.country.ports.client_tls
    return (await connect(host, port, tls=service_context(None))).stream


async def of_servers(caller: Caller) -> Stream:
    peer = Peer(caller.country, caller.country.consumer, SystemClock())
    return (await peer.connect(caller.country.provider)).stream


Door = Callable[["Caller"], Awaitable[Stream]]
DOORS = [plain, secure, of_servers]


def rest_head() -> bytes:
    lines = [
        f"POST /r1/{PROVIDER.url}/echo/x HTTP/1.1",
        *("Host: x", f"X-Road-Client: {CONSUMER.url}", "Transfer-Encoding: chunked"),
    ]
    return "\r\n".join([*lines, "", ""]).encode()


SOAP_HEAD = (
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\nTransfer-Encoding: chunked\r\n\r\n"
)


def head_of_servers() -> bytes:
    headers = write_request_head(
        "REST",
        boundary="b",
        original_content_type="",
        soap_action="",
        request_id="00000000-0000-0000-0000-000000000001",
    )
    fields = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return f"POST / HTTP/1.1\r\nHost: x\r\n{fields}Transfer-Encoding: chunked\r\n\r\n".encode()


def chunk(size: int) -> bytes:
    return b"%x\r\n" % size + b" " * size + b"\r\n"


# How one may be slow


class Slow(msgspec.Struct, frozen=True):
    """Octets that are said at once, and others that follow each beat; none: silence."""

    begin: bytes
    more: bytes = b""

    async def heard(self, stream: Stream) -> bytes:
        """All that the server says until it hangs up."""
        await stream.send_all(self.begin)
        said = bytearray()
        async with trio.open_nursery() as nursery:
            if self.more:
                nursery.start_soon(self._go_on, stream)
            with suppress(NetError):
                while data := await stream.receive():
                    said += data
                    if _is_whole(bytes(said)):
                        break
            nursery.cancel_scope.cancel()
        await stream.aclose()
        return bytes(said)

    async def _go_on(self, stream: Stream) -> None:
        with suppress(NetError):
            while True:
                await trio.sleep(BEAT)
                await stream.send_all(self.more)


def _is_whole(said: bytes) -> bool:
    head, end, body = said.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: (\d+)", head)
    return bool(end) and length is not None and len(body) >= int(length[1])


async def outcome(caller: Caller, door: Door, slow: Slow) -> tuple[str, float]:
    """What is heard, and after how many seconds."""
    stream = await door(caller)
    began = trio.current_time()
    with trio.fail_after(10):
        said = await slow.heard(stream)
    return said.decode(), trio.current_time() - began


@pytest.mark.parametrize("door", DOORS)
async def test_who_says_nothing_is_let_go_without_a_word(hurried: Caller, door: Door) -> None:
    said, took = await outcome(hurried, door, Slow(b""))
    assert (said, took < 3) == ("", True)


@pytest.mark.parametrize("slow", [Slow(b"POST / HT"), Slow(b"POST / HTTP/1.1\r\nX: ", b"x")])
@pytest.mark.parametrize("door", DOORS)
async def test_a_head_has_its_time(hurried: Caller, door: Door, slow: Slow) -> None:
    said, took = await outcome(hurried, door, slow)
    assert said.startswith("HTTP/1.1 408 ")
    assert said.endswith("the request took too long")
    assert 0.5 < took < 3


@pytest.mark.parametrize("port", ["client_tls", "server"])
async def test_a_handshake_has_its_time(hurried: Caller, port: str) -> None:
    ports, host = hurried.country.ports, hurried.country.consumer.address
    with socket.create_connection((host, getattr(ports, port)), 10) as silent:
        silent.sendall(b"\x16\x03\x01")  # a record of TLS begins
        assert silent.recv(1) == b""


STILL, TRICKLING, LASTING = chunk(10), (chunk(10), chunk(10)), (chunk(10), chunk(4000))
PACES = [
    pytest.param(Slow(STILL), id="it-stands-still"),
    pytest.param(Slow(*TRICKLING), id="an-octet-now-and-then"),
    pytest.param(Slow(*LASTING), id="it-never-ends"),
]


@pytest.mark.parametrize("pace", PACES)
@pytest.mark.parametrize("door", [plain, secure])
async def test_a_body_has_its_time(hurried: Caller, door: Door, pace: Slow) -> None:
    said, took = await outcome(hurried, door, Slow(rest_head() + pace.begin, pace.more))
    assert "server.clientproxy.io_error" in said, said
    assert TOO_LONG in said
    assert 0.5 < took < 5


@pytest.mark.parametrize("pace", PACES)
@pytest.mark.parametrize("door", [plain, secure])
async def test_a_soap_message_has_its_time(hurried: Caller, door: Door, pace: Slow) -> None:
    said, took = await outcome(hurried, door, Slow(SOAP_HEAD + pace.begin, pace.more))
    if pace.more == LASTING[1]:
        assert "<faultcode>server.clientproxy.internal_error</faultcode>" in said, said
        assert "Reading SOAP from request timed out" in said
    else:
        assert said.startswith("HTTP/1.1 408 ")
    assert 0.5 < took < 5


@pytest.mark.parametrize("pace", PACES)
async def test_another_servers_message_has_its_time(hurried: Caller, pace: Slow) -> None:
    said, took = await outcome(hurried, of_servers, Slow(head_of_servers() + pace.begin, pace.more))
    assert "<faultcode>server.serverproxy.service_failed.io_error</faultcode>" in said, said
    assert TOO_LONG in said
    assert 0.5 < took < 5
