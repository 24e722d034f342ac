"""Limits on the heads of answers at their exact border: a service's, and another server's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from tests.journeys.rows import good
from tests.journeys.spoken import http, saying

from xgate.clock import SystemClock
from xgate.errors import Fault
from xgate.net.server import Exchange
from xgate.sandbox.background import run_in_background
from xgate.sandbox.country import Place
from xgate.sandbox.ports import find_free_ports
from xgate.sandbox.script import Headers, stand_in
from xgate.wire.faults import write_soap_fault
from xgate.wire.transport import write_fault_head

if TYPE_CHECKING:
    from tests.journeys.conftest import Caller

HEAD, FIELDS, FAULT = 2000, 20, 3000
NARROW = f"""[limits]
answer-head-bytes = {HEAD}
head-fields = {FIELDS}
fault-bytes = {FAULT}
"""
TOO_LONG = f"the head has more than {HEAD} bytes"
TOO_MANY = f"the head has more than {FIELDS} headers"


def limit(place: Place) -> None:
    text = place.settings.read_text()
    place.settings.write_text(text.replace("[globalconf]", f"{NARROW}\n[globalconf]"))


# Of a service


@pytest.fixture(scope="module")
def served_here(founding: Any, calling: Any) -> Iterator[tuple[Caller, int]]:
    """A provider with narrow limits whose service ``tell`` is the test's own, at this port."""
    country = founding("served-here")
    (port,) = find_free_ports(1, ["127.0.0.1"])
    settings = country.provider.settings
    settings.write_text(
        re.sub(r'"http://[^"]*/soap/tell"', f'"http://127.0.0.1:{port}/tell"', settings.read_text())
    )
    limit(country.provider)
    with (
        run_in_background(country, SystemClock()) as running,
        closing(calling(running)) as caller,
    ):
        yield caller, port


def answer(*more: str, size: int = 0) -> bytes:
    octets = http(good().replace(b"p:tell", b"p:tellResponse"), "text/xml", "200 OK", *more)
    bare = octets.index(b"\r\n\r\n")
    return octets.replace(b"X-Long: ", b"X-Long: " + b"v" * (size - bare)) if size else octets


@pytest.mark.parametrize(
    ("fits", "more", "text"),
    [
        (answer("X-Long: ", size=HEAD), answer("X-Long: ", size=HEAD + 1), TOO_LONG),
        (answer(*["X: y"] * (FIELDS - 2)), answer(*["X: y"] * (FIELDS - 1)), TOO_MANY),
    ],
    ids=["octets", "fields"],
)
async def test_the_head_of_a_services_answer(
    served_here: tuple[Caller, int], fits: bytes, more: bytes, text: str
) -> None:
    caller, port = served_here
    async with saying(port, fits):
        first = await caller.post(good())
    async with saying(port, more):
        second = await caller.post(good())

    assert first.code == "", first.text
    code = "server.serverproxy.service_failed.io_error"
    assert (second.code, second.text) == (code, text)


# Of another server


@pytest.fixture(scope="module")
def alone(founding: Any, calling: Any) -> Iterator[Caller]:
    """A consumer with narrow limits; its provider's server is left to the tests."""
    country = founding("alone")
    limit(country.consumer)
    with (
        run_in_background(country, SystemClock(), provider=False) as running,
        closing(calling(running)) as caller,
    ):
        yield caller


@pytest.mark.parametrize("text", [TOO_LONG, TOO_MANY])
async def test_the_head_of_another_servers_answer(alone: Caller, text: str) -> None:
    def padded(headers: Headers) -> Headers:
        more = [("X-Long", "v" * HEAD)] if text is TOO_LONG else [("X", "y")] * FIELDS
        return [*headers, *more]

    async with stand_in(alone.country) as script:
        first = await alone.rest("GET", "/echo")
        script.headers = padded
        second = await alone.rest("GET", "/echo")

    assert first.code == "", first.text
    assert (second.code, second.text) == ("server.clientproxy.io_error", text)


@pytest.mark.parametrize("size", [FAULT, FAULT + 1])
async def test_a_fault_of_another_server(alone: Caller, size: int) -> None:
    bare = write_soap_fault(Fault("server.serverproxy.unknown_member", ""))
    fault = write_soap_fault(Fault("server.serverproxy.unknown_member", "x" * (size - len(bare))))
    assert len(fault) == size

    async def refuse(exchange: Exchange) -> None:
        await exchange.respond(200, write_fault_head(), fault)

    async with stand_in(alone.country) as script:
        script.act = refuse
        reply = await alone.soap("tell", "fault")

    if size == FAULT:
        assert (reply.code, reply.body) == ("server.serverproxy.unknown_member", fault)
        return
    code = "server.clientproxy.service_failed.io_error"
    text = f"The fault document is larger than {FAULT} bytes"
    assert (reply.code, reply.text) == (code, text)
