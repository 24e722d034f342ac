"""What does not pass from an information system: refused by name, nothing logged, served on.

The codes are those of soap-protocol 9 and rest-protocol 7.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
import trio

from xgate.ids import ClientId
from xgate.sandbox.country import CONSUMER, PROVIDER
from xgate.sandbox.messages import multipart_related, soap_request

if TYPE_CHECKING:
    from tests.journeys.conftest import Caller

pytestmark = pytest.mark.usefixtures("served_on")

ELSEWHERE = ClientId("XG", "GOV", "200", "nobody")
ABROAD = ClientId("YY", "GOV", "200", "registry")
GHOST = ClientId("XG", "COM", "100", "ghost")


def good(query: str = "query", code: str = "tell", **more: ClientId | str) -> bytes:
    client, provider = more.pop("client", CONSUMER), more.pop("provider", PROVIDER)
    assert isinstance(client, ClientId)
    assert isinstance(provider, ClientId)
    return soap_request(client, provider, code, query, version="", **more)  # type: ignore[arg-type]


# SOAP at the information system's port


async def test_only_post_carries_soap(caller: Caller) -> None:
    for method in ("GET", "PUT", "DELETE", "OPTIONS"):
        reply = await caller.send(method, "/anything", [("Content-Type", "text/xml")])
        assert (reply.status, reply.code) == (200, "client.invalid_http_method")
        assert reply.header("content-type") == "text/xml;charset=utf-8"


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ([], "server.clientproxy.internal_error"),
        ([("Content-Type", "text/xml; charset=nonsense")], "server.clientproxy.internal_error"),
        ([("Content-Type", "application/json")], "client.invalid_content_type"),
        ([("Content-Type", "multipart/related")], "client.invalid_content_type"),
        ([("Content-Type", "text/xml"), ("SOAPAction", "bare")], "client.invalid_soap_action"),
        ([("Content-Type", "text/xml"), ("SOAPAction", '"a b"')], "client.invalid_soap_action"),
    ],
)
async def test_the_head_of_a_soap_request(
    caller: Caller, headers: list[tuple[str, str]], code: str
) -> None:
    reply = await caller.send("POST", "/", headers, good("head-1"))

    assert (reply.status, reply.code) == (200, code)
    assert caller.counts("head-1") == [0, 0]


def without(field: str) -> Callable[[bytes], bytes]:
    def change(octets: bytes) -> bytes:
        start = octets.index(f"<xrd:{field}".encode())
        tail = f"</xrd:{field}>".encode()
        return octets[:start] + octets[octets.index(tail) + len(tail) :]

    return change


def swapped(old: str, new: str, count: int = 1) -> Callable[[bytes], bytes]:
    def change(octets: bytes) -> bytes:
        assert old.encode() in octets
        return octets.replace(old.encode(), new.encode(), count)

    return change


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda _: b"", "invalid_soap"),
        (lambda _: b"not xml", "invalid_soap"),
        (lambda octets: octets[:-30], "invalid_soap"),
        (lambda octets: octets + b"<more/>", "invalid_soap"),
        (lambda octets: octets.replace(b"?>", b"?><!DOCTYPE e SYSTEM 'x'>", 1), "invalid_soap"),
        (lambda octets: octets.replace(b"id>", b"id>\xff", 1), "invalid_soap"),
        (swapped("/soap/envelope/", "/soap/other/"), "invalid_soap"),
        (without("protocolVersion"), "missing_header_field"),
        (without("client"), "missing_header_field"),
        (without("service"), "missing_header_field"),
        (without("id"), "missing_header_field"),
        (swapped("</xrd:id>", "</xrd:id><xrd:id>two</xrd:id>"), "duplicate_header_field"),
        (swapped(' id:objectType="SERVICE"', ""), "invalid_xml"),
        (swapped('"SERVICE"', '"OTHER"'), "invalid_xml"),
        (swapped('"SERVICE"', '"SERVER"'), "invalid_xml"),
        (swapped(">4.0<", ">3.1<"), "invalid_protocol_version"),
        (swapped("<e:Body>", "<e:Body><second/>"), "invalid_body"),
        (swapped("<e:Body>", "<e:Body2>"), "invalid_soap"),
        (swapped("p:tell", "p:other", 2), "inconsistent_headers"),
        (swapped(">GOV<", "> <"), "internal_error"),
    ],
)
async def test_the_message_itself(
    caller: Caller, change: Callable[[bytes], bytes], code: str
) -> None:
    reply = await caller.post(change(good("message-1")))

    assert (reply.status, reply.code) == (200, f"client.{code}")
    assert caller.counts("message-1") == [0, 0]


async def test_a_fault_sent_as_a_request_is_told_back(caller: Caller) -> None:
    fault = (
        b'<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><e:Fault>'
        b"<faultcode>Some.Code</faultcode><faultstring>why</faultstring></e:Fault></e:Body>"
        b"</e:Envelope>"
    )

    reply = await caller.post(fault)

    assert (reply.code, reply.text) == ("client.some.code", "why")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "missing_soap"),
        (b"--b--\r\n", "missing_soap"),
        (b"--b\r\n\r\nno type\r\n--b--\r\n", "invalid_content_type"),
        (b"--b\r\nContent-Type: image/png\r\n\r\nx\r\n--b--\r\n", "invalid_content_type"),
        (b"--b\r\nContent-Type: text/xml\r\n\r\nx\r\n--b--\r\n", "invalid_soap"),
        (b"--b\r\nX: " + b"y" * 2000 + b"\r\n\r\nx\r\n--b--\r\n", "mime_parsing_failed"),
    ],
)
async def test_a_multipart_without_a_message(caller: Caller, body: bytes, code: str) -> None:
    reply = await caller.post(body, "multipart/related; boundary=b")

    assert (reply.status, reply.code) == (200, f"client.{code}")


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
    ("path", "client", "code"),
    [
        (f"/r1/{PROVIDER.url}/echo", None, "invalid_client_identifier"),
        (f"/r1/{PROVIDER.url}/echo", "", "internal_error"),
        (f"/r1/{PROVIDER.url}/echo", "XG/COM", "internal_error"),
        (f"/r1/{PROVIDER.url}/echo", "XG/COM/100/por tal", "internal_error"),
        (f"/r1/{PROVIDER.url}/echo", "XG/COM/%FF/portal", "internal_error"),
        (f"/r1/{PROVIDER.url}", CONSUMER.url, "internal_error"),
        ("/r1/XG/GOV/%20/registry/echo", CONSUMER.url, "internal_error"),
        (f"/r1/{ELSEWHERE.url}/echo", CONSUMER.url, "unknown_member"),
        (f"/r1/{ABROAD.url}/echo", CONSUMER.url, "internal_error"),
        (f"/r1/{PROVIDER.url}/echo", GHOST.url, "unknown_member"),
        (f"/r1/{PROVIDER.url}/echo", PROVIDER.url, "unknown_member"),
    ],
)
async def test_who_asks_whom_in_rest(
    caller: Caller, path: str, client: str | None, code: str
) -> None:
    headers = [] if client is None else [("X-Road-Client", client)]
    reply = await caller.send("GET", path, [*headers, ("X-Road-Id", "rest-1")])

    assert (reply.status, reply.code) == (500, f"server.clientproxy.{code}")
    assert caller.counts("rest-1") == [0, 0]


@pytest.mark.parametrize(
    ("header", "value", "code"),
    [
        ("X-Road-Security-Server", "XG/GOV/200/NONE", "invalid_security_server"),
        ("X-Road-Security-Server", "XG/COM/100/CONSUMER", "invalid_security_server"),
        ("X-Road-Security-Server", "XG/GOV", "internal_error"),
        ("X-Road-Represented-Party", "a/b/c", "internal_error"),
        ("X-Road-Id", "", "internal_error"),
    ],
)
async def test_headers_of_x_road(caller: Caller, header: str, value: str, code: str) -> None:
    reply = await caller.rest("GET", "/echo", [(header, value)])

    assert (reply.status, reply.code) == (500, f"server.clientproxy.{code}")


async def test_a_query_id_too_long_to_be_logged_is_not_carried(caller: Caller) -> None:
    reply = await caller.rest("GET", "/echo", [("X-Road-Id", "i" * 300)])
    soap = await caller.soap("tell", "i" * 300)

    assert (reply.status, reply.code) == (500, "server.clientproxy.io_error")
    assert "logging_failed" in reply.text
    assert soap.code == "server.clientproxy.logging_failed"
    assert caller.counts("i" * 300) == [0, 0]


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


async def test_verbs_of_our_own_are_none(caller: Caller) -> None:
    for verb in ("PROPFIND", "get"):
        reply = await caller.rest(verb, "/echo")
        assert (reply.status, reply.code) == (500, "server.clientproxy.internal_error")


@pytest.mark.parametrize(
    ("client", "provider", "code"),
    [
        (GHOST, PROVIDER, "unknown_member"),
        (CONSUMER, ELSEWHERE, "unknown_member"),
        (CONSUMER, ABROAD, "internal_error"),
    ],
)
async def test_who_asks_whom_in_soap(
    caller: Caller, client: ClientId, provider: ClientId, code: str
) -> None:
    reply = await caller.soap("tell", "who-1", client=client, provider=provider)

    assert (reply.status, reply.code) == (200, f"server.clientproxy.{code}")
    assert caller.counts("who-1") == [0, 0]


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
