"""The consumer's corridor keeps its order: sign, log, and only then let the signature go."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
import trio

from xgate.clock import SystemClock
from xgate.errors import Fault
from xgate.messagelog.record import LoggedRecord
from xgate.messagelog.sqlite import SqliteStore
from xgate.net.fetch import Response, fetch
from xgate.net.server import Exchange
from xgate.sandbox.country import CONSUMER, PROVIDER, Country, found_country
from xgate.sandbox.lines import Lines
from xgate.sandbox.messages import rest_url
from xgate.sandbox.pair import run_in_process, serve_surroundings
from xgate.sandbox.peer import Peer
from xgate.trust.seal import seal_of
from xgate.wire.faults import write_soap_fault
from xgate.wire.fields import find_header
from xgate.wire.transport import write_fault_head


class Provider:
    """A provider's server that only looks: what came, and what the consumer's log held then."""

    def __init__(self, country: Country) -> None:
        self.country = country
        self.body = b""
        self.logged: list[LoggedRecord] = []

    async def serve(self, exchange: Exchange) -> None:
        self.body = b""
        while data := await exchange.receive():
            self.body += data
        with closing(SqliteStore(self.country.consumer.messagelog, read_only=True)) as store:
            self.logged = list(store.find())
        refusal = write_soap_fault(Fault("server.serverproxy.service_disabled", "closed"))
        await exchange.respond(200, write_fault_head(), refusal)


@pytest.fixture
async def provider(tmp_path: Path, nursery: trio.Nursery) -> AsyncIterator[Provider]:
    """The consumer's server at work, and a stand-in for the provider's."""
    clock = SystemClock()
    country = found_country(tmp_path, datetime.now(UTC), kind="P-256")
    provider, lines = Provider(country), Lines()
    await nursery.start(serve_surroundings, country, clock)
    stand_in = Peer(country, country.provider, clock)
    await nursery.start(partial(stand_in.serve, provider.serve))
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(run_in_process(country.consumer, clock, lines))
        await lines.wait("OCSP responses refreshed", answered=2)
        yield provider


async def ask(country: Country, body: bytes = b"asked") -> Response:
    url = rest_url(country.consumer.address, country.ports.client, PROVIDER, "people", "/x")
    headers = [("X-Road-Client", CONSUMER.url), ("X-Road-Id", "q")]
    return await fetch(url, method="POST", headers=headers, body=body)


async def test_what_the_peer_holds_signed_is_in_the_log(provider: Provider) -> None:
    answer = await ask(provider.country)
    assert find_header(answer.headers, "x-road-error") == "server.serverproxy.service_disabled"
    assert b"signature/bdoc-1.0/ts" in provider.body
    (logged,) = provider.logged
    record = logged.record
    assert (record.query_id, record.owner, record.response) == ("q", CONSUMER, False)
    assert record.message in provider.body
    assert record.attachments == (b"asked",)
    assert record.evidence.signature in provider.body
    assert record.evidence.chain is not None
    assert seal_of(record.message, [b"asked"]).parts[0].name == "/message.xml"


async def test_without_a_log_no_signature_leaves(provider: Provider) -> None:
    """A body larger than may be logged cannot be logged; the peer gets no evidence of it."""
    answer = await ask(provider.country, bytes((10 << 20) + 1))
    assert answer.status == 500
    assert find_header(answer.headers, "x-road-error") == "server.clientproxy.io_error"
    assert b"Message size exceeds maximum loggable size" in answer.body
    assert b"signature/bdoc-1.0/ts" not in provider.body
    assert provider.logged == []


async def test_an_unknown_client_reaches_nobody(provider: Provider) -> None:
    country = provider.country
    url = rest_url(country.consumer.address, country.ports.client, PROVIDER, "people", "/x")
    answer = await fetch(url, headers=[("X-Road-Client", "XG/COM/100/stranger")])
    assert find_header(answer.headers, "x-road-error") == "server.clientproxy.unknown_member"
    assert provider.body == b""
