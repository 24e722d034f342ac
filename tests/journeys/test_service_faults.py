"""Services that answer with faults, errors, garbage or nothing: every row of the provider's tables.

soap-protocol 3 and 9 (the second half), rest-protocol 4 and 7, word for word. The service is a bare
socket that sends the octets it was told to, so nothing is too wrong to be said.
"""

from __future__ import annotations

import re
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import pytest
import trio
from tests.journeys.rows import MESSAGES, SOAP_NS, Row, assert_told, good
from tests.journeys.spoken import XML, http, interrupting, saying

from xgate.sandbox.country import CONSUMER, PROVIDER

if TYPE_CHECKING:
    from tests.journeys.conftest import Caller

Unserved = tuple["Caller", int]
PSS = "server.serverproxy."
FAILED = PSS + "service_failed."


def answer_to(octets: bytes) -> bytes:
    return re.sub(rb"(</?p:\w+)", rb"\1Response", octets)


# SOAP


def row(situation: str, octets: bytes, code: str, text: str = ".+") -> Row:
    return Row(situation, FAILED + code, text, lambda _: octets)


GOOD = answer_to(good("service-1"))
PART = b"--b\r\nContent-Type: text/xml\r\n\r\n" + GOOD + b"\r\n"
RELATED = "multipart/related; boundary=b"
NO_MESSAGE = "No response message received from service"
ANSWERS = [
    row("nothing at all", b"", "io_error"),
    row("no HTTP", b"\x16\x03\x01 what?\r\n\r\n", "io_error"),
    row("half a head", http(GOOD)[:30], "io_error"),
    row("half an answer", http(GOOD)[:-50], "io_error"),
    row("a head without an end", b"HTTP/1.1 200 OK\r\nX: " + b"y" * 200_000, "io_error"),
    row(
        "a chunk of no size",
        http(b"")[:-4] + b"\r\nTransfer-Encoding: chunked\r\n\r\nzz",
        "io_error",
    ),
    row("two lengths", http(GOOD, XML, "200 OK", "Content-Length: 1"), "io_error"),
    row("an upgrade", b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", "io_error"),
    *(
        row(
            f"status {status}",
            http(GOOD, XML, f"{status} Some Reason"),
            "http_error",
            f"Server responded with error {status}: Some Reason",
        )
        for status in (201, 202, 301, 400, 404, 503)
    ),
    row(
        "no type",
        http(GOOD, None),
        "invalid_content_type",
        "Could not get content type from response",
    ),
    row(
        "JSON",
        http(b"{}", "application/json"),
        "invalid_content_type",
        "Invalid content type: application/json",
    ),
    row(
        "SOAP 1.2",
        http(GOOD, "application/soap+xml"),
        "invalid_content_type",
        r"Invalid content type: application/soap\+xml",
    ),
    row("a charset of nobody", http(GOOD, "text/xml; charset=x"), "internal_error"),
    row("a multipart without a boundary", http(PART, "multipart/related"), "invalid_content_type"),
    row("an empty multipart", http(b"--b--\r\n", RELATED), "invalid_message", NO_MESSAGE),
    row("no parts", http(b"", RELATED), "invalid_message", NO_MESSAGE),
    row(
        "an attachment without a type",
        http(PART + b"--b\r\nX: y\r\n\r\nx\r\n--b--\r\n", RELATED),
        "invalid_content_type",
        "Could not get content type for part",
    ),
    row(
        "a first part that is no message",
        http(b"--b\r\nContent-Type: image/png\r\n\r\nx\r\n--b--\r\n", RELATED),
        "invalid_content_type",
        "Invalid content type: image/png",
    ),
    row(
        "MIME out of its syntax",
        http(b"--b\r\nX: " + b"y" * 2000 + b"\r\n\r\nx\r\n--b--\r\n", RELATED),
        "mime_parsing_failed",
    ),
    row("more than a message may have", http(b" " * ((10 << 20) + 1)), "invalid_message"),
]


@pytest.mark.parametrize("row", ANSWERS, ids=str)
async def test_what_is_no_answer(unserved: Unserved, row: Row) -> None:
    caller, port = unserved
    async with saying(port, row.change(b"")):
        reply = await caller.soap("tell", "service-1")

    assert_told(reply, row.code, row.text)
    answers = [logged for logged in caller.records("service-1")[1] if logged.record.response]
    assert answers == []


@pytest.mark.parametrize("row", MESSAGES, ids=str)
async def test_what_is_wrong_with_an_answer(unserved: Unserved, row: Row) -> None:
    caller, port = unserved
    async with saying(port, http(answer_to(row.change(good("service-2"))))):
        reply = await caller.soap("tell", "service-2")

    assert_told(reply, FAILED + row.code, row.text)
    answers = [logged for logged in caller.records("service-2")[1] if logged.record.response]
    assert answers == []


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\n", http(GOOD)[:-100]])
@pytest.mark.parametrize("trickle", [False, True])
async def test_who_stops_in_the_middle_or_never_ends(
    unserved: Unserved, said: bytes, trickle: bool
) -> None:
    """Silence ends after the time of the service; octets now and then do not make it longer."""
    caller, port = unserved

    async def serve(stream: trio.SocketStream) -> None:
        async with stream:
            with suppress(trio.BrokenResourceError):
                await stream.receive_some()
                await stream.send_all(said)
                while trickle:
                    await trio.sleep(0.05)
                    await stream.send_all(b"x")
                await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        await nursery.start(partial(trio.serve_tcp, serve, port, host="127.0.0.1"))
        with trio.fail_after(10):
            reply = await caller.soap("late", "slow-1")
        nursery.cancel_scope.cancel()

    assert_told(reply, FAILED + "io_error", "The service took too long")


async def test_a_connection_that_is_torn_down(unserved: Unserved) -> None:
    caller, port = unserved
    async with saying(port, b"", reset=True):
        soap = await caller.soap("tell", "reset-1")
    async with saying(port, b"", reset=True):
        rest = await caller.rest("GET", "/x", service="echo")

    assert_told(soap, FAILED + "network_error", ".+")
    assert_told(rest, PSS + "network_error", ".+", 500)


async def test_who_answers_and_hangs_up_before_it_has_heard_all(unserved: Unserved) -> None:
    """As servers do that take no more than so much."""
    caller, port = unserved
    large = b"x" * (8 << 20)
    async with interrupting(port, http(b"no more", "text/plain", "413 Too Large")):
        rest = await caller.rest("POST", "/x", [("X-Road-Id", "413-1")], large, service="echo")
    parts = [("text/plain", large)]
    async with interrupting(port, http(b"no more", "text/plain", "413 Too Large")):
        soap = await caller.soap("tell", "413-2", attachments=parts)
    async with interrupting(port, b""):
        mute = await caller.rest("POST", "/x", body=large, service="echo")

    assert (rest.status, rest.body) == (413, b"no more")
    assert caller.counts("413-1") == [2, 2]
    assert_told(soap, FAILED + "http_error", "Server responded with error 413: Too Large")
    assert_told(mute, PSS + "network_error", ".+", 500)


FAULT = (
    f'<s:Envelope xmlns:s="{SOAP_NS}"><s:Body><s:Fault><faultcode>soap:Server</faultcode>'
    "<faultstring>no luck</faultstring></s:Fault></s:Body></s:Envelope>"
).encode()


@pytest.mark.parametrize("status", ["200 OK", "500 Internal Server Error"])
async def test_a_fault_of_the_service_is_its_answer(unserved: Unserved, status: str) -> None:
    caller, port = unserved
    async with saying(port, http(FAULT, XML, status)):
        reply = await caller.soap("tell", "fault-1")

    assert (reply.status, reply.body) == (200, FAULT)
    assert caller.counts("fault-1")[0] == caller.counts("fault-1")[1]


async def test_a_good_answer_may_come_with_500(unserved: Unserved) -> None:
    caller, port = unserved
    async with saying(port, http(answer_to(good("late-1")), XML, "500 Internal Server Error")):
        reply = await caller.soap("tell", "late-1")

    assert (reply.status, reply.code) == (200, "")


async def test_how_a_soap_service_is_called(unserved: Unserved) -> None:
    caller, port = unserved
    octets = good("call-1")
    for action in ('"urn:act"', '""', None):
        headers = [("Content-Type", "application/xop+xml; charset=utf-8"), ("Cookie", "a=b")]
        headers += [] if action is None else [("SOAPAction", action)]
        async with saying(port, http(answer_to(octets))) as heard:
            reply = await caller.send("POST", "/", headers, octets)
        assert reply.code == ""
        head, _, body = heard[0].partition(b"\r\n\r\n")
        line, *lines = head.decode().split("\r\n")
        fields = {
            name.lower(): value for name, _, value in (text.partition(": ") for text in lines)
        }
        assert line == "POST /soap/tell HTTP/1.1"
        assert fields["content-type"] == XML
        assert fields["soapaction"] == (action or "")
        assert fields["transfer-encoding"] == "chunked"
        assert fields["host"] == f"127.0.0.1:{port}"
        assert fields.get("accept-encoding", "") == ""
        assert {"content-length", "cookie"}.isdisjoint(fields)
        assert octets in body


# REST


@pytest.mark.parametrize(
    ("octets", "code"),
    [
        (b"", "io_error"),
        (b"what?\r\n\r\n", "io_error"),
        (http(b"x" * 100)[:-50], "io_error"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 200_000, "io_error"),
        (http(b"x", XML, "200 OK", "Content-Length: 5"), "io_error"),
        (http(b"x", XML, "200 OK", "No colon"), "io_error"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "io_error"),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", "io_error"),
    ],
)
async def test_what_is_no_answer_in_rest(unserved: Unserved, octets: bytes, code: str) -> None:
    caller, port = unserved
    async with saying(port, octets):
        reply = await caller.rest("GET", "/x", [("X-Road-Id", "rest-1")], service="echo")

    assert_told(reply, PSS + code, ".+", 500)
    answers = [logged for logged in caller.records("rest-1")[1] if logged.record.response]
    assert answers == []


@pytest.mark.parametrize(
    ("verb", "body", "length"),
    [
        ("POST", b"abc", "3"),
        ("PUT", b"abc", "3"),
        ("PATCH", b"", "0"),
        ("POST", b"", "0"),
        ("DELETE", b"abc", None),
        ("OPTIONS", b"abc", None),
        ("GET", b"", None),
        ("TRACE", b"", None),
    ],
)
async def test_how_a_rest_service_is_called(
    unserved: Unserved, verb: str, body: bytes, length: str | None
) -> None:
    caller, port = unserved
    path = "/x/./%2F;a=b?a=%20&&b"
    headers = [("X-Own", "1"), ("Accept-Encoding", "br"), ("x-own", "2"), ("Content-Type", "a/b")]
    async with saying(port, http(b"")) as heard:
        reply = await caller.rest(verb, path, headers, body, service="echo")
    head, _, content = heard[0].partition(b"\r\n\r\n")
    line, *lines = head.decode().split("\r\n")
    lengths = [text.partition(": ")[2] for text in lines if text.lower().startswith("content-len")]

    assert reply.status == 200
    assert line == f"{verb} /rest/echo{path} HTTP/1.1"
    assert lengths == ([] if length is None else [length])
    assert content == (body if length is not None else b"")
    own = [text for text in lines if text.lower().startswith(("x-own", "content-type", "accept"))]
    assert own == ["X-Own: 1", "Accept-Encoding: br", "x-own: 2", "Content-Type: a/b"]


async def test_what_is_encoded_stays_so_and_nobody_asks_for_it(unserved: Unserved) -> None:
    caller, port = unserved
    packed = b"\x1f\x8b\x08 packed"
    answer = http(packed, "a/b", "200 OK", "Content-Encoding: gzip", "Content-MD5: x")
    async with saying(port, answer) as heard:
        reply = await caller.rest("GET", "/x", service="echo")

    assert (reply.body, reply.header("content-encoding")) == (packed, "gzip")
    assert reply.header("content-md5") == "x"
    assert b"accept-encoding" not in heard[0].lower()


async def test_cookies_are_nobodys_but_the_callers(unserved: Unserved) -> None:
    caller, port = unserved
    async with saying(port, http(b"", "a/b", "200 OK", "Set-Cookie: a=b"), http(b"")) as heard:
        first = await caller.rest("GET", "/x", service="echo")
        await caller.rest("GET", "/x", service="echo")

    assert first.header("set-cookie") == "a=b"
    assert len(heard) == 2
    assert all(b"cookie" not in request.lower() for request in heard)


async def test_of_the_services_headers_those_that_are_the_servers_stay_behind(
    unserved: Unserved,
) -> None:
    caller, port = unserved
    connections = ("Keep-Alive: 1", "Server: x", "User-Agent: x", "TE: x", "Trailer: x")
    reserved = ("X-Road-Id: forged", "X-Road-Request-Hash: forged", "X-Road-Client: forged")
    others = ("X-oDd: 1", "x-odd: 2", "X-Road-UserId: own", "X-Road-Error: own.word", "Via: a")
    answer = http(
        b"{}", "a/b", "200 OK", *connections, *reserved, *others, "X-Road-Service: a/b/c/d/e"
    )
    async with saying(port, answer):
        reply = await caller.rest("GET", "/x", [("X-Road-Id", "own-1")], service="echo")

    assert (reply.status, reply.code) == (200, "own.word")
    lines = [f"{name}: {value}" for name, value in reply.headers]
    assert [line for line in lines if line in others] == list(others)
    assert not any("forged" in line for line in lines)
    names = {name.lower() for name, _ in reply.headers}
    assert {"keep-alive", "server", "user-agent", "te", "trailer"}.isdisjoint(names)
    assert reply.header("x-road-id") == "own-1"
    assert reply.header("x-road-client") == CONSUMER.url
    assert reply.all("x-road-service") == ["a/b/c/d/e", f"{PROVIDER.url}/echo"]
    assert len(reply.header("x-road-request-hash")) == 88


async def test_a_redirect_is_an_answer_in_rest(unserved: Unserved) -> None:
    caller, port = unserved
    moved = http(b"", None, "307 Temporary Redirect", f"Location: http://127.0.0.1:{port}/else")
    async with saying(port, moved) as heard:
        reply = await caller.rest("POST", "/x", body=b"x", service="echo")

    assert (reply.status, reply.header("location")) == (307, f"http://127.0.0.1:{port}/else")
    assert len(heard) == 1


async def test_connections_are_used_again_while_they_are_clean(unserved: Unserved) -> None:
    caller, port = unserved
    closing = http(b"", "a/b", "200 OK", "Connection: close")
    async with saying(port, http(b"one"), http(b"two"), closing) as heard:
        bodies = [(await caller.rest("GET", "/x", service="echo")).body for _ in range(3)]
    async with saying(port, http(b"late") + b"too much", http(b"other")):
        late = await caller.rest("GET", "/x", service="echo")
        other = await caller.rest("GET", "/x", service="echo")

    assert (bodies, len(heard)) == ([b"one", b"two", b""], 3)
    assert (late.body, other.body) == (b"late", b"other")
