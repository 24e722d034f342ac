"""Connections to services: kept for the same address, dropped when they are no longer fit."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from xgate.net.context import service_context
from xgate.net.server import Exchange
from xgate.securityserver.services import Services
from xgate.testing.clock import FakeClock

Serve = Callable[[Callable[[Exchange], Awaitable[None]]], Awaitable[int]]


async def answer(exchange: Exchange) -> None:
    closing = [("Connection", "close")] if exchange.target == "/close" else []
    await exchange.respond(200, closing, b"ok")


async def call(services: Services, port: int, target: str = "/", *, whole: bool = True) -> object:
    connection = await services.open("127.0.0.1", port, False, 5.0)
    await connection.request("GET", target, [])
    await connection.receive_head()
    while whole and await connection.receive():
        pass
    await services.give_back(connection)
    return connection


async def test_a_connection_serves_the_next_call(serve: Serve) -> None:
    port = await serve(answer)
    services = Services(service_context, FakeClock().monotonic)
    first = await call(services, port)
    assert await call(services, port) is first
    await services.aclose()


async def test_another_address_gets_another_connection(serve: Serve) -> None:
    services = Services(service_context, FakeClock().monotonic)
    first = await call(services, await serve(answer))
    assert await call(services, await serve(answer)) is not first
    await services.aclose()


async def test_what_is_unfinished_or_closed_or_old_is_not_used_again(serve: Serve) -> None:
    port = await serve(answer)
    clock = FakeClock()
    services = Services(service_context, clock.monotonic)
    unfinished = await call(services, port, whole=False)
    closed = await call(services, port, "/close")
    assert closed is not unfinished
    kept = await call(services, port)
    assert kept is not closed
    clock.advance(60)
    assert await call(services, port) is not kept
    await services.aclose()


async def test_a_dropped_connection_does_not_come_back(serve: Serve) -> None:
    port = await serve(answer)
    services = Services(service_context, FakeClock().monotonic)
    connection = await services.open("127.0.0.1", port, False, 5.0)
    await services.drop(connection)
    another = await services.open("127.0.0.1", port, False, 5.0)
    assert another is not connection
    await services.drop(another)
