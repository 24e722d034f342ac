"""Limits at their exact border: what just fits goes through, one octet or part more does not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from xgate.clock import SystemClock
from xgate.net.client import connect
from xgate.sandbox.background import run_in_background
from xgate.sandbox.country import CONSUMER, PROVIDER, Place
from xgate.sandbox.desk import Desk
from xgate.sandbox.messages import soap_request
from xgate.sandbox.peer import Peer

if TYPE_CHECKING:
    from tests.journeys.conftest import Caller

SOAP, BODY, HEAD, ATTACHMENTS, FIELDS = 6000, 50_000, 2048, 3, 20
NARROW = f"""[limits]
soap-bytes = {SOAP}
body-bytes = {BODY}
attachments = {ATTACHMENTS}
head-bytes = {HEAD}
head-fields = {FIELDS}
"""
CLIENT_SIDE, SERVER_SIDE = "server.clientproxy.", "server.serverproxy."


def limit(place: Place) -> None:
    text = place.settings.read_text()
    place.settings.write_text(text.replace("[globalconf]", f"{NARROW}\n[globalconf]"))


def run_with(country: Any, calling: Any) -> Iterator[Caller]:
    with (
        run_in_background(country, SystemClock(), services=Desk().serve) as running,
        closing(calling(running)) as caller,
    ):
        yield caller


@pytest.fixture(scope="module")
def strict_consumer(founding: Any, calling: Any) -> Iterator[Caller]:
    country = founding("consumer")
    limit(country.consumer)
    yield from run_with(country, calling)


@pytest.fixture(scope="module")
def strict_provider(founding: Any, calling: Any) -> Iterator[Caller]:
    country = founding("provider")
    limit(country.provider)
    yield from run_with(country, calling)


def soap_of(size: int, query_id: str) -> bytes:
    """A request of so many octets, to a service whose answer is small: a fault of its own."""
    bare = len(soap_request(CONSUMER, PROVIDER, "faulty", query_id, version="", content=""))
    octets = soap_request(
        CONSUMER, PROVIDER, "faulty", query_id, version="", content="x" * (size - bare)
    )
    assert len(octets) == size
    return octets


# On the side of the information system


async def test_a_message_has_its_octets(strict_consumer: Caller) -> None:
    fits = await strict_consumer.post(soap_of(SOAP, "soap-1"))
    more = await strict_consumer.post(soap_of(SOAP + 1, "soap-2"))

    assert (fits.code, more.code) == ("s:Server", "client.invalid_message")
    assert strict_consumer.counts("soap-2") == [0, 0]


async def test_a_body_has_its_octets(strict_consumer: Caller) -> None:
    fits = await strict_consumer.rest("POST", "/echo", body=bytes(BODY))
    more = await strict_consumer.rest("POST", "/echo", body=bytes(BODY + 1))

    assert (fits.code, len(fits.body)) == ("", BODY)
    assert (more.code, more.text) == (CLIENT_SIDE + "io_error", f"more than {BODY} octets")


async def test_so_has_the_body_of_an_answer(strict_consumer: Caller) -> None:
    fits = await strict_consumer.rest("GET", f"?size={BODY}", service="test")
    more = await strict_consumer.rest("GET", f"?size={BODY + 1}", service="test")

    assert (fits.code, len(fits.body)) == ("", BODY)
    assert more.code == CLIENT_SIDE + "service_failed.io_error"


async def test_a_message_has_its_attachments(strict_consumer: Caller) -> None:
    some = [(f"a{number}", b"x") for number in range(ATTACHMENTS + 1)]
    fits = await strict_consumer.soap("tell", "parts-1", some[:-1])
    more = await strict_consumer.soap("tell", "parts-2", some)

    assert (fits.code, more.code) == ("", "client.invalid_message")


async def raw(caller: Caller, octets: bytes) -> bytes:
    """The status line that these octets get."""
    connection = await connect(*caller.door)
    await connection.stream.send_all(octets)
    answer = await connection.stream.receive()
    await connection.aclose()
    return answer.partition(b"\r\n")[0]


async def test_a_head_has_its_octets_and_its_lines(strict_consumer: Caller) -> None:
    start = b"GET /listClients?xRoadInstance=XG HTTP/1.1\r\nHost: x\r\n"
    filled = start + b"X: " + b"a" * (HEAD - len(start) - 3)
    assert len(filled) == HEAD
    line = b"A: b\r\n"

    assert b" 200 " in await raw(strict_consumer, filled + b"\r\n\r\n")
    assert b" 431 " in await raw(strict_consumer, filled + b"a\r\n\r\n")
    assert b" 200 " in await raw(strict_consumer, start + line * (FIELDS - 1) + b"\r\n")
    assert b" 431 " in await raw(strict_consumer, start + line * FIELDS + b"\r\n")


# On the side of another server


async def test_another_servers_head_has_its_octets_and_its_lines(strict_provider: Caller) -> None:
    country = strict_provider.country
    peer = Peer(country, country.consumer, SystemClock())

    async def status(*headers: tuple[str, str]) -> int:
        connection = await peer.connect(country.provider)
        await connection.request("POST", "/", headers)
        head = await connection.receive_head()
        await connection.aclose()
        return head.status

    start = f"POST / HTTP/1.1\r\nHost: {country.provider.address}:{country.ports.server}\r\n"
    start += "X: \r\nContent-Length: 0"
    filled = "a" * (HEAD - len(start))
    line = ("A", "b")

    assert await status(("X", filled)) == 200
    assert await status(("X", filled + "a")) == 431
    assert await status(*[line] * (FIELDS - 2)) == 200
    assert await status(*[line] * (FIELDS - 1)) == 431


async def test_another_servers_message_has_its_octets(strict_provider: Caller) -> None:
    fits = await strict_provider.post(soap_of(SOAP, "there-1"))
    more = await strict_provider.post(soap_of(SOAP + 1, "there-2"))

    assert (fits.code, more.code) == ("s:Server", SERVER_SIDE + "service_failed.invalid_message")


async def test_another_servers_body_has_its_octets(strict_provider: Caller) -> None:
    async def pieces(size: int) -> AsyncIterator[bytes]:
        yield bytes(size)

    fits = await strict_provider.rest("POST", "/echo", body=pieces(BODY))
    more = await strict_provider.rest("POST", "/echo", body=pieces(BODY + 1))

    assert (fits.code, len(fits.body)) == ("", BODY)
    assert more.code == SERVER_SIDE + "service_failed.io_error"


async def test_a_services_answer_has_its_octets_too(strict_provider: Caller) -> None:
    fits = await strict_provider.rest("GET", f"?size={BODY}", service="test")
    more = await strict_provider.rest("GET", f"?size={BODY + 1}", service="test")

    assert (fits.code, len(fits.body)) == ("", BODY)
    assert more.code == SERVER_SIDE + "io_error"


async def test_another_servers_message_has_its_attachments(strict_provider: Caller) -> None:
    some = [(f"a{number}", b"x") for number in range(ATTACHMENTS + 1)]
    fits = await strict_provider.soap("tell", "there-3", some[:-1])
    more = await strict_provider.soap("tell", "there-4", some)

    assert (fits.code, more.code) == ("", SERVER_SIDE + "service_failed.invalid_message")
