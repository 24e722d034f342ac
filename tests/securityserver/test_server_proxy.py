"""The provider's corridor keeps its order: access, signature, log, service; sign, log, answer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
import trio

from xgate.clock import SystemClock
from xgate.messagelog.record import LoggedRecord
from xgate.messagelog.sqlite import SqliteStore
from xgate.net.server import Exchange
from xgate.sandbox.country import PROVIDER, Country, found_country
from xgate.sandbox.draft import Draft, rest_draft, rest_head
from xgate.sandbox.lines import Lines
from xgate.sandbox.pair import run_in_process, serve_surroundings
from xgate.sandbox.peer import Peer, Piece
from xgate.wire.transport_parts import SIGNATURE


class Service:
    """A service that only looks: how often it was called, and what was logged by then."""

    def __init__(self, country: Country) -> None:
        self.country = country
        self.calls = 0
        self.logged_before = 0

    async def serve(self, exchange: Exchange) -> None:
        self.calls += 1
        self.logged_before = len(self.records())
        await exchange.respond(200, [], b"answer")

    def records(self) -> list[LoggedRecord]:
        with closing(SqliteStore(self.country.provider.messagelog, read_only=True)) as store:
            return list(store.find())


@pytest.fixture
async def service(tmp_path: Path, nursery: trio.Nursery) -> AsyncIterator[Service]:
    """The provider's server at work in front of a service."""
    clock = SystemClock()
    country = found_country(tmp_path, datetime.now(UTC), kind="P-256")
    service, lines = Service(country), Lines()
    await nursery.start(partial(serve_surroundings, country, clock, services=service.serve))
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(run_in_process(country.provider, clock, lines))
        await lines.wait("OCSP responses refreshed", answered=2)
        yield service


def draft(service: Service, code: str = "people") -> Draft:
    peer = Peer(service.country, service.country.consumer, SystemClock())
    return rest_draft(peer, rest_head("q", "POST", f"/r1/{PROVIDER.url}/{code}/x"), b"body")


async def test_the_request_is_logged_before_the_service_is_called(service: Service) -> None:
    assert await draft(service).send() is None
    assert (service.calls, service.logged_before) == (1, 1)
    request, response = (logged.record for logged in service.records())
    assert (request.response, response.response) == (False, True)
    assert request.owner == response.owner == PROVIDER
    assert request.attachments == (b"body",)
    assert response.attachments == (b"answer",)


async def test_without_a_right_not_even_the_signature_is_looked_at(service: Service) -> None:
    refused = draft(service, "secret")
    refused.swap(SIGNATURE, Piece(SIGNATURE, b"no signature at all"))
    fault = await refused.send()
    assert fault is not None
    assert fault.code == "server.serverproxy.access_denied"
    assert (service.calls, service.records()) == (0, [])


async def test_with_a_bad_signature_nothing_is_logged_or_called(service: Service) -> None:
    forged = draft(service)
    forged.swap(SIGNATURE, Piece(SIGNATURE, b"<a/>"))
    fault = await forged.send()
    assert fault is not None
    assert fault.code == "server.serverproxy.signature_verification.malformed_signature"
    assert (service.calls, service.records()) == (0, [])


async def test_a_peer_must_serve_the_client_it_speaks_for(service: Service) -> None:
    """The provider's own server is registered too, but not for the consumer's client."""
    country = service.country
    peer = Peer(country, country.consumer, SystemClock(), auth=country.provider.auth)
    path = f"/r1/{PROVIDER.url}/people/x"
    fault = await rest_draft(peer, rest_head("q", "POST", path), b"body").send()
    assert fault is not None
    code = "server.serverproxy.service_failed.ssl_authentication_failed"
    assert fault.code == code
    assert (service.calls, service.records()) == (0, [])
