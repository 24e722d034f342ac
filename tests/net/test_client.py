"""A client against scripted servers: framing both ways, reuse, servers that break the rules."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock

from xgate.net.client import ClientConnection, HeadLimits, connect
from xgate.net.context import information_system_context, peer_client_context, service_context
from xgate.net.errors import ClosedError, ConnectError, HttpError, TimedOutError
from xgate.net.listen import listen_on, serve_listeners
from xgate.net.stream import SocketStream
from xgate.net.tls import TlsStream, accept_tls
from xgate.testing.network import make_identity, stream_pair

GET = b"GET /a HTTP/1.1\r\nHost: example.org\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


Connect = Callable[[], tuple[ClientConnection, SocketStream]]


@pytest.fixture
def a_client() -> Iterator[Connect]:
    """Makes a client and the server's raw end of its connection; closes them after the test."""
    streams: list[SocketStream] = []

    def make() -> tuple[ClientConnection, SocketStream]:
        near, far = stream_pair()
        streams.extend((near, far))
        return ClientConnection(near, "example.org"), far

    yield make
    for stream in streams:
        stream.socket.close()


async def exchange(client: ClientConnection, far: SocketStream, answer: bytes) -> bytes:
    """GET /a, have the server say this, and return the body."""
    await client.request("GET", "/a", [])
    assert await far.receive() == GET
    await far.send_all(answer)
    await client.receive_head()
    return await read_body(client)


async def read_body(client: ClientConnection) -> bytes:
    pieces = []
    while piece := await client.receive():
        pieces.append(piece)
    return b"".join(pieces)


@pytest.mark.parametrize(
    ("heads", "said"),
    [
        (HeadLimits(len(OK) - 6), ""),
        (HeadLimits(len(OK) - 7), "the head has more than 33 bytes"),
        (HeadLimits(fields=1), ""),
        (HeadLimits(fields=0), "the head has more than 0 headers"),
    ],
)
async def test_the_head_of_an_answer_has_its_limits(heads: HeadLimits, said: str) -> None:
    near, far = stream_pair()
    client = ClientConnection(near, "example.org", heads)
    try:
        if not said:
            assert await exchange(client, far, OK) == b"ok"
            return
        with pytest.raises(HttpError, match=said):
            await exchange(client, far, OK)
    finally:
        for stream in (near, far):
            stream.socket.close()


async def test_sized_and_chunked_requests_keep_their_names_and_order(a_client: Connect) -> None:
    client, far = a_client()
    await client.request("POST", "/b?c", [("x-hash-algorithm", "SHA-512"), ("X-B", "1")], b"hello")
    assert await far.receive() == (
        b"POST /b?c HTTP/1.1\r\nHost: example.org\r\nx-hash-algorithm: SHA-512\r\nX-B: 1\r\n"
        b"Content-Length: 5\r\n\r\nhello"
    )
    await far.send_all(OK)
    head = await client.receive_head()
    assert (head.status, head.reason) == (200, "OK")
    assert head.headers == (("Content-Length", "2"),)
    assert head.find_header("content-length") == "2"
    assert await read_body(client) == b"ok"
    assert await client.receive() == b""

    async def pieces() -> AsyncIterator[bytes]:
        yield b"one"
        yield b""
        yield b"two"

    await client.request("PUT", "/", [("Host", "localhost:5500")], pieces())
    wanted = (
        b"PUT / HTTP/1.1\r\nHost: localhost:5500\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"
    )
    received = b""
    while len(received) < len(wanted):
        received += await far.receive()
    assert received == wanted


async def test_every_kind_of_end_is_found(a_client: Connect) -> None:
    client, far = a_client()
    assert await exchange(client, far, OK) == b"ok"
    assert client.reusable
    chunked = b"HTTP/1.1 200 \r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
    assert await exchange(client, far, chunked) == b"ok"
    assert client.reusable
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\n"
    assert await exchange(client, far, interim + OK) == b"ok"
    assert (
        await exchange(client, far, b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n")
        == b""
    )
    assert client.reusable
    await client.request("HEAD", "/a", [])
    await far.receive()
    await far.send_all(OK[:-2])
    await client.receive_head()
    assert await client.receive() == b""
    assert client.reusable
    await client.request("GET", "/a", [])
    await far.receive()
    await far.send_all(b"HTTP/1.0 200 OK\r\n\r\nuntil the end")
    far.close()
    await client.receive_head()
    assert await read_body(client) == b"until the end"
    assert not client.reusable


async def test_a_connection_is_not_reused_when_there_is_any_doubt(a_client: Connect) -> None:
    client, far = a_client()
    assert await exchange(client, far, OK) == b"ok"
    far.close()
    assert not client.reusable
    client, far = a_client()
    assert await exchange(client, far, OK) == b"ok"
    await far.send_all(b"HTTP/1.1 200 OK\r\n")  # an answer to nothing
    assert not client.reusable
    client, far = a_client()
    assert await exchange(client, far, OK + OK) == b"ok"
    assert not client.reusable
    client, far = a_client()
    close = OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    assert await exchange(client, far, close) == b"ok"
    assert not client.reusable
    client, far = a_client()
    await client.start("POST", "/", [])
    await far.send_all(OK)  # before it heard all
    await client.receive_head()
    assert await read_body(client) == b"ok"
    assert not client.reusable


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
        b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 20 + OK,
        b"HTTP/1.1 200 OK\r\nA: " + b"a" * 70_000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\noka",
        b"nonsense\r\n\r\n",
    ],
)
async def test_a_server_that_breaks_the_rules_is_told_apart(
    a_client: Connect, answer: bytes
) -> None:
    client, far = a_client()
    with pytest.raises(HttpError):
        await exchange(client, far, answer)
    assert not client.reusable


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n",
    ],
)
async def test_a_server_that_hangs_up_is_a_closed_connection(
    a_client: Connect, answer: bytes
) -> None:
    client, far = a_client()
    await client.request("GET", "/a", [])
    await far.receive()
    await far.send_all(answer)
    far.close()
    with pytest.raises(ClosedError):
        await read_answer(client)
    assert not client.reusable


async def read_answer(client: ClientConnection) -> bytes:
    await client.receive_head()
    return await read_body(client)


async def test_the_first_octets_of_a_body_leave_together_with_the_head(a_client: Connect) -> None:
    client, far = a_client()
    await client.start("POST", "/", [], b"first")
    assert (await far.receive()).endswith(b"\r\n\r\n5\r\nfirst\r\n")
    client, far = a_client()
    await client.start("POST", "/", [("Content-Length", "5")], b"first")
    assert (await far.receive()).endswith(b"\r\n\r\nfirst")


async def test_an_early_answer_can_be_read_though_the_request_could_not_be_sent(
    a_client: Connect,
) -> None:
    client, far = a_client()
    await client.start("POST", "/", [])
    await far.receive()
    await far.send_all(OK)
    await far.aclose(linger=0)
    with pytest.raises(ClosedError):
        await pour(client)
    assert (await client.receive_head()).status == 200
    assert await read_body(client) == b"ok"
    assert not client.reusable


async def pour(client: ClientConnection) -> None:
    for _ in range(100):
        await client.send(bytes(1 << 20))


async def test_waiting_is_bounded_by_the_timeout_and_unbounded_without(
    a_client: Connect,
    autojump_clock: MockClock,
) -> None:
    client, far = a_client()
    client.timeout = 60
    await client.request("GET", "/", [])
    with pytest.raises(TimedOutError):
        await client.receive_head()
    assert trio.current_time() == pytest.approx(60)
    client, far = a_client()
    await client.request("GET", "/", [])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.receive_head)
        await trio.sleep(86_400)
        await far.send_all(OK)


async def test_an_answer_that_never_ends_is_ended_where_a_rate_is_demanded(
    a_client: Connect, autojump_clock: MockClock
) -> None:
    client, far = a_client()
    client.timeout, client.rate = 60, 100

    async def trickle() -> None:
        await far.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while True:
            await far.send_all(b"x")
            await trio.sleep(1)

    await client.request("GET", "/", [])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trickle)
        with pytest.raises(TimedOutError):
            await exhaust(client)
        nursery.cancel_scope.cancel()
    assert 60 < trio.current_time() < 63


async def exhaust(client: ClientConnection) -> None:
    await client.receive_head()
    await read_body(client)


async def test_what_http_cannot_carry_is_not_sent(a_client: Connect) -> None:
    client, far = a_client()
    for method, target, headers in [
        ("GET", "/a b", []),
        ("GET", "/a\r\nX: y", []),
        ("G T", "/", []),
        ("GET", "/", [("A", "b\r\nC: d")]),
    ]:
        with pytest.raises(ValueError, match="cannot carry"):
            await client.request(method, target, headers)
    await client.request("GET", "/a", [])
    assert await far.receive() == GET


# --- making connections ---------------------------------------------------------------------


@asynccontextmanager
async def a_server(handler: Callable[[SocketStream], object]) -> AsyncIterator[int]:
    async with trio.open_nursery() as nursery:
        listeners = await listen_on("127.0.0.1", 0)
        await nursery.start(serve_listeners, listeners, handler)
        yield listeners[0].getsockname()[1]
        nursery.cancel_scope.cancel()


async def answer_once(stream: SocketStream) -> None:
    await stream.receive()
    await stream.send_all(OK)


async def test_a_name_is_resolved_and_the_host_named() -> None:
    seen: list[bytes] = []

    async def answer(stream: SocketStream) -> None:
        seen.append(await stream.receive())
        await stream.send_all(OK)

    async with a_server(answer) as port:
        client = await connect("localhost", port)
        await client.request("GET", "/", [])
        assert (await client.receive_head()).status == 200
        await client.aclose()
    assert f"Host: localhost:{port}\r\n".encode() in seen[0]


async def test_the_cause_of_a_failed_connection_is_told() -> None:
    with pytest.raises(ConnectError, match="has no address"):
        await connect("no such name", 80)


async def test_connecting_has_a_time_limit(autojump_clock: MockClock) -> None:
    async def stall(stream: SocketStream) -> None:
        await stream.receive()
        await trio.sleep_forever()

    async with a_server(stall) as port:
        with pytest.raises(TimedOutError):
            await connect("127.0.0.1", port, tls=service_context(), timeout=9)
        assert trio.current_time() == pytest.approx(9)


async def test_over_tls_the_servers_certificate_is_there_to_be_judged() -> None:
    server, other = make_identity("server"), make_identity("client")

    async def answer(stream: SocketStream) -> None:
        tls = await accept_tls(stream, information_system_context(server))
        await tls.receive()
        await tls.send_all(OK)
        await tls.aclose()

    async with a_server(answer) as port:
        for context in (service_context(), peer_client_context(other)):
            client = await connect("127.0.0.1", port, tls=context)
            assert isinstance(client.stream, TlsStream)
            assert client.stream.peer_chain == server.chain
            await client.request("GET", "/", [])
            assert (await client.receive_head()).status == 200
            assert await read_body(client) == b"ok"
            await client.aclose()


async def test_a_message_that_ends_with_the_connection_needs_a_proper_end() -> None:
    server = make_identity("server")

    async def cut(stream: SocketStream) -> None:
        tls = await accept_tls(stream, information_system_context(server))
        await tls.receive()
        await tls.send_all(b"HTTP/1.0 200 OK\r\n\r\nhalf a mess")
        stream.close()

    async with a_server(cut) as port:
        client = await connect("127.0.0.1", port, tls=service_context())
        await client.request("GET", "/", [])
        with pytest.raises(ClosedError, match="cut"):
            await read_answer(client)
        await client.aclose()
