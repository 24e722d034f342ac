"""What does not pass from an information system: refused by name, nothing logged, served on.

The codes are those of soap-protocol 9 and rest-protocol 7.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio
from tests.journeys.rows import good

from xgate.sandbox.country import CONSUMER, PROVIDER
from xgate.sandbox.messages import multipart_related

if TYPE_CHECKING:
    from tests.journeys.conftest import Caller

pytestmark = pytest.mark.usefixtures("served_on")


# SOAP at the information system's port


async def test_a_fault_sent_as_a_request_is_told_back(caller: Caller) -> None:
    fault = (
        b'<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><e:Fault>'
        b"<faultcode>Some.Code</faultcode><faultstring>why</faultstring></e:Fault></e:Body>"
        b"</e:Envelope>"
    )

    reply = await caller.post(fault)

    assert (reply.code, reply.text) == ("client.some.code", "why")


async def test_a_message_beyond_its_limit(caller: Caller) -> None:
    reply = await caller.post(good("big-1", content="x" * (10 << 20)))

    assert (reply.status, reply.code) == (200, "client.invalid_message")
    assert caller.counts("big-1") == [0, 0]


async def test_broken_mime_after_the_message_ends_the_exchange_everywhere(caller: Caller) -> None:
    kind, body = multipart_related(good("mime-1"), [("text/plain", b"x" * 100_000)])
    broken = body.replace(b"Content-ID", b"C" * 2000, 1)

    reply = await caller.post(broken, kind)

    assert reply.code == "client.mime_parsing_failed"
    assert caller.counts("mime-1") == [0, 0]
    line = await caller.running.provider.wait("exchange", id="mime-1")
    assert line["code"] == "server.serverproxy.missing_signature"


# REST at the information system's port


@pytest.mark.parametrize(
    "target",
    [
        "/r1/XG//GOV/200/registry/echo",
        "/r1/XG/GOV/200/registry/echo/%2e%2e/x",
        "/r1/XG/GOV/200/registry/echo/%25",
        "/r1/XG/GOV/200/registry/echo/a%5Cb",
        "/r1/XG/GOV/200/registry/echo/%00",
        "/r1/XG/GOV/200/registry/echo/%FF",
        "/r1/XG/GOV/200/registry/echo/{x}",
        "/some//path",
        "/some/%2e/path",
        "http://elsewhere.example/r1/XG/GOV/200/registry/echo",
        "*",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_targets_that_two_servers_could_read_differently(
    caller: Caller, method: str, target: str
) -> None:
    reply = await caller.send(method, target, [("X-Road-Client", CONSUMER.url)])

    assert reply.status == 400
    assert reply.all("x-road-error") == []


async def test_an_absolute_target_of_this_host_is_the_same_as_its_path(caller: Caller) -> None:
    host = f"{caller.country.consumer.address}:{caller.country.ports.client}"
    target = f"http://{host}/r1/{PROVIDER.url}/echo"

    reply = await caller.send("GET", target, [("X-Road-Client", CONSUMER.url)])

    assert reply.status == 200


async def test_who_is_refused_while_uploading_can_write_all_and_then_learns_why(
    caller: Caller,
) -> None:
    size = 40 << 20
    for target, code in (
        ("/r1/XG/GOV/200/nobody/echo", b"X-Road-Error: server.clientproxy.unknown_member"),
        ("/", b"<faultcode>client.invalid_content_type"),
    ):
        head = (
            f"POST {target} HTTP/1.1\r\nHost: a\r\nX-Road-Client: {CONSUMER.url}\r\n"
            f"Content-Type: image/png\r\nContent-Length: {size}\r\n\r\n"
        )
        async with await trio.open_tcp_stream(*caller.door) as stream:
            await stream.send_all(head.encode() + bytes(size))
            said = b"".join([piece async for piece in stream])
        assert code in said


async def test_a_caller_that_goes_away_in_the_middle_leaves_nothing(caller: Caller) -> None:
    country = caller.country
    stream = await trio.open_tcp_stream(country.consumer.address, country.ports.client)
    seen = len(caller.running.consumer)
    async with stream:
        head = (
            f"POST /r1/{PROVIDER.url}/echo HTTP/1.1\r\nHost: a\r\nX-Road-Client: {CONSUMER.url}\r\n"
            "X-Road-Id: away-1\r\nContent-Length: 1000000\r\n\r\n"
        )
        await stream.send_all(head.encode() + bytes(100_000))
    line = await caller.running.consumer.wait("exchange", since=seen, id="away-1")
    other = await caller.running.provider.wait("exchange", id="away-1")

    assert (line["code"], other["outcome"]) == ("server.clientproxy.io_error", "fault")
    assert caller.counts("away-1") == [0, 0]


# Octets that are no HTTP


_POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Type: text/xml\r\n"


@pytest.mark.parametrize(
    ("octets", "status"),
    [
        (b"GARBAGE\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\n\r\n", b"400"),
        (_POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nx", b"400"),
        (_POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 9000 + b"\r\n\r\n", b"431"),
        (_POST + b"Transfer-Encoding: chunked\r\n\r\nnot a size\r\n", b"400"),
        (_POST + b"Content-Length: 9\r\n\r\nx", b""),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"400"),
        (b"", b""),
    ],
)
@pytest.mark.parametrize("door", ["client", "ocsp"])
async def test_octets_that_are_no_request(
    caller: Caller, door: str, octets: bytes, status: bytes
) -> None:
    country = caller.country
    port = {"client": country.ports.client, "ocsp": country.ports.ocsp}[door]
    stream = await trio.open_tcp_stream(country.consumer.address, port)
    async with stream:
        await stream.send_all(octets)
        await stream.send_eof()
        answer = b"".join([data async for data in stream])

    if door == "client":
        assert answer.split(b" ", 2)[1:2] == ([status] if status else [])
    assert b"200 OK" not in answer
