"""Descriptions are fetched as their server answers, and never more than a document's worth."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import trio
import trio.testing

from xgate.errors import Fault
from xgate.ids import ServiceId
from xgate.net.context import service_context
from xgate.net.server import Exchange
from xgate.sandbox.places import PROVIDER
from xgate.securityserver.description_fetch import FetchedDescription, fetch_description
from xgate.securityserver.services import Services
from xgate.serverconf.model import Protocol, Service
from xgate.wire.descriptions import DESCRIPTION_LIMIT

Answering = Callable[[Exchange], Awaitable[None]]
Serve = Callable[[Answering], Awaitable[int]]


async def fetched(
    serve: Serve, answer: Callable[[Exchange], Awaitable[None]]
) -> FetchedDescription:
    url = f"http://127.0.0.1:{await serve(answer)}/doc?x"
    services = Services(service_context, lambda: 0.0)
    service = Service(ServiceId(PROVIDER, "svc"), Protocol.REST, "http://h/", description=url)
    try:
        return await fetch_description(service, (), services)
    finally:
        await services.aclose()


@pytest.mark.parametrize("status", [200, 302, 404])
async def test_the_answer_is_told_whatever_its_status(serve: Serve, status: int) -> None:
    async def answer(exchange: Exchange) -> None:
        assert exchange.target == "/doc?x"
        headers = [("Content-Type", "text/xml"), ("Location", "/elsewhere")]
        await exchange.respond(status, headers, b"document")

    found = await fetched(serve, answer)
    assert (found.status, found.content_type, found.octets) == (status, "text/xml", b"document")


async def test_more_than_a_document_is_refused(serve: Serve) -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.respond(200, [], bytes(DESCRIPTION_LIMIT + 1))

    with pytest.raises(Fault, match="larger than"):
        await fetched(serve, answer)


async def test_a_server_that_drips_is_not_waited_for_for_ever(
    serve: Serve, autojump_clock: trio.testing.MockClock
) -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.start(200, [])
        while True:
            await exchange.send(b" " * 65_536)  # more than a service must send in this time
            await trio.sleep(20)

    autojump_clock.autojump_threshold = 0.05  # what goes through a socket takes real time
    with pytest.raises(Fault, match="io_error: The description did not come within 60 seconds"):
        await fetched(serve, answer)
