"""Sending to a peer that hangs up: what it said counts more than the broken pipe."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import trio

from xgate.errors import Fault
from xgate.net.client import ClientConnection, connect
from xgate.net.errors import ClosedError, TimedOutError
from xgate.net.listen import listen_on, serve_listeners
from xgate.net.server import Exchange
from xgate.net.stream import SocketStream
from xgate.securityserver.outlet import Outlet, PeerSaidError, read_fault_body
from xgate.wire.faults import write_soap_fault
from xgate.wire.transport import TransportLimits, write_fault_head
from xgate.wire.xml import Bounds

Serve = Callable[[Callable[[Exchange], Awaitable[None]]], Awaitable[int]]

REFUSAL = write_soap_fault(Fault("server.serverproxy.service_failed.unknown_member", "who?"))
PIECE = bytes(1 << 16)


async def refuse_early(exchange: Exchange) -> None:
    await exchange.start(200, write_fault_head())
    await exchange.finish(REFUSAL)


async def send_much(connection: ClientConnection) -> None:
    outlet = Outlet(connection)
    await outlet.start("POST", "/", [("Content-Type", "x")])
    for _ in range(1000):
        await outlet.send(PIECE)
    await outlet.finish(b"")


async def test_an_early_refusal_is_heard(serve: Serve) -> None:
    connection = await connect("127.0.0.1", await serve(refuse_early))
    with pytest.raises(PeerSaidError) as caught:
        await send_much(connection)
    assert caught.value.fault.code == "server.serverproxy.service_failed.unknown_member"
    assert caught.value.fault.raw == REFUSAL
    await connection.aclose()


async def test_a_peer_that_only_hangs_up_has_said_nothing(nursery: trio.Nursery) -> None:
    async def hang_up(stream: SocketStream) -> None:
        await stream.receive()  # and that is the end: the listener closes it

    listeners = await listen_on("127.0.0.1", 0)
    await nursery.start(serve_listeners, listeners, hang_up)
    connection = await connect("127.0.0.1", listeners[0].getsockname()[1])
    with pytest.raises(ClosedError):
        await send_much(connection)
    await connection.aclose()


async def test_what_all_was_sent_is_all_received(serve: Serve) -> None:
    sizes = []

    async def count(exchange: Exchange) -> None:
        size = 0
        while data := await exchange.receive():
            size += len(data)
        sizes.append(size)
        await exchange.respond(200, [])

    connection = await connect("127.0.0.1", await serve(count))
    await send_much(connection)
    assert (await connection.receive_head()).status == 200
    assert sizes == [1000 * len(PIECE)]
    await connection.aclose()


async def test_an_answer_has_its_time_and_no_more(serve: Serve) -> None:
    async def keep_silent(exchange: Exchange) -> None:
        while await exchange.receive():
            pass
        await trio.sleep_forever()

    connection = await connect("127.0.0.1", await serve(keep_silent))
    outlet = Outlet(connection, patience=0.2, rate=1024)
    assert (connection.timeout, connection.rate) == (30, 0)
    await outlet.start("POST", "/", [("Content-Type", "x")])
    await outlet.finish(b"")
    assert connection.rate == 1024
    with trio.fail_after(5), pytest.raises(TimedOutError):
        await connection.receive_head()
    await connection.aclose()


@pytest.mark.parametrize(
    ("octets", "code"),
    [
        (REFUSAL, "server.serverproxy.service_failed.unknown_member"),
        (b"<a/>", "service_failed.invalid_message"),
        (b"no xml", "service_failed.invalid_soap"),
        (bytes((1 << 20) + 1), "service_failed.io_error"),
    ],
)
async def test_a_body_is_a_fault_or_refused(serve: Serve, octets: bytes, code: str) -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.respond(200, write_fault_head(), octets)

    connection = await connect("127.0.0.1", await serve(answer))
    await connection.request("GET", "/", [])
    await connection.receive_head()
    try:
        found = await read_fault_body(connection, TransportLimits())
    except Fault as fault:
        found = fault
    assert found.code == code
    await connection.aclose()


async def test_a_fault_has_its_octets_and_its_form(serve: Serve) -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.respond(200, write_fault_head(), REFUSAL)

    async def read(limits: TransportLimits) -> Fault:
        connection = await connect("127.0.0.1", await serve(answer))
        await connection.request("GET", "/", [])
        await connection.receive_head()
        try:
            return await read_fault_body(connection, limits)
        finally:
            await connection.aclose()

    size = len(REFUSAL)
    assert "unknown_member" in (await read(TransportLimits(fault=size))).code
    with pytest.raises(Fault, match=f"io_error: .* larger than {size - 1} bytes"):
        await read(TransportLimits(fault=size - 1))
    with pytest.raises(Fault, match="invalid_soap: elements are nested deeper than 2"):
        await read(TransportLimits(xml=Bounds(depth=2)))
