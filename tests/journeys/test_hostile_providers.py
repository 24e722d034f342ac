"""What a provider's server may say, with real keys, and none of it reaches the caller as an answer.

The codes are those of soap-protocol 9 and rest-protocol 6 and 7. The request was sent and is in the
log; the answer is not.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
import trio
from tests.journeys.fault_table import assert_in_table
from tests.journeys.rows import assert_told, good

from xgate.net.errors import ClosedError, NetError
from xgate.net.server import Exchange
from xgate.net.tls import TlsStream
from xgate.sandbox.peer import BOUNDARY, Piece, write_pieces
from xgate.sandbox.script import Headers, stand_in
from xgate.wire.attachments import SOAP_TYPE as XML
from xgate.wire.message import Protocol
from xgate.wire.transport import REST_RESPONSE, write_response_head

if TYPE_CHECKING:
    from tests.journeys.conftest import Caller, Reply

SIDE = "server.clientproxy."
FAILED = SIDE + "service_failed."
VERIFY = SIDE + "signature_verification."
DENIED = SIDE + "ssl_authentication_failed"
FAULT = (
    b'<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><e:Fault><faultcode>'
    b"%s</faultcode><faultstring>of the peer</faultstring></e:Fault></e:Body></e:Envelope>"
)


async def ask(caller: Caller, protocol: Protocol, query: str) -> Reply:
    if protocol == "REST":
        return await caller.rest("POST", "/echo", [("X-Road-Id", query)], b"question")
    return await caller.soap("tell", query)


def assert_no_answer(caller: Caller, query: str) -> None:
    """Requests under this id were logged, and no answers."""
    assert {logged.record.response for logged in caller.records(query)[0]} == {False}


@pytest.mark.parametrize("protocol", ["REST", "SOAP"])
async def test_what_it_says_unchanged_is_an_answer(lonely: Caller, protocol: Protocol) -> None:
    async with stand_in(lonely.country):
        reply = await ask(lonely, protocol, f"good-{protocol}")

    assert (reply.status, reply.code) == (200, "")
    assert lonely.counts(f"good-{protocol}") == [2, 0]


# The HTTP head


def without(name: str) -> Callable[[Headers], Headers]:
    return lambda headers: [pair for pair in headers if pair[0].lower() != name]


def with_type(value: str) -> Callable[[Headers], Headers]:
    return lambda headers: [*without("content-type")(headers), ("Content-Type", value)]


@pytest.mark.parametrize(
    ("change", "protocol", "code"),
    [
        (without("content-type"), "REST", SIDE + "invalid_content_type"),
        (with_type("text/html"), "REST", FAILED + "invalid_content_type"),
        (with_type("text/html"), "SOAP", FAILED + "invalid_content_type"),
        (with_type("multipart/mixed"), "SOAP", FAILED + "invalid_content_type"),
        (with_type("multipart/mixed; boundary=other"), "REST", SIDE + "missing_rest"),
        (with_type("multipart/mixed; boundary=other"), "SOAP", SIDE + "missing_soap"),
        (with_type("text/xml"), "SOAP", FAILED + "invalid_soap"),
        (without("x-hash-algorithm"), "SOAP", FAILED + "internal_error"),
        (without("x-original-content-type"), "SOAP", SIDE + "internal_error"),
    ],
)
async def test_heads(
    lonely: Caller,
    change: Callable[[Headers], Headers],
    protocol: Protocol,
    code: str,
) -> None:
    async with stand_in(lonely.country) as script:
        script.headers = change
        reply = await ask(lonely, protocol, "head")

    assert reply.code == code
    assert_in_table(code, reply.text)
    assert_no_answer(lonely, "head")


async def hang_up(exchange: Exchange) -> None:
    """Close the connection under an exchange."""
    await exchange._connection.stream.aclose(linger=10.0)
    raise ClosedError("hung up")


@pytest.mark.parametrize("status", [201, 302, 404, 503])
async def test_a_status_that_is_none_of_the_protocol(lonely: Caller, status: int) -> None:
    async def act(exchange: Exchange) -> None:
        while await exchange.receive():
            pass
        await exchange.respond(status, [("Content-Type", "text/xml")], FAULT % b"x")

    async with stand_in(lonely.country) as script:
        script.act = act
        reply = await ask(lonely, "SOAP", f"status-{status}")

    assert reply.code == SIDE + "http_error"
    assert_in_table(reply.code, reply.text)
    assert str(status) in reply.text


async def test_an_answer_that_is_xml_and_no_fault(lonely: Caller) -> None:
    async def act(exchange: Exchange) -> None:
        while await exchange.receive():
            pass
        await exchange.respond(200, [("Content-Type", "text/xml")], good("no-fault"))

    async with stand_in(lonely.country) as script:
        script.act = act
        soap = await ask(lonely, "SOAP", "no-fault")
        rest = await ask(lonely, "REST", "no-fault")

    text = "Expected fault message, but got regular SOAP message"
    assert_told(soap, FAILED + "invalid_message", text)
    assert_told(rest, FAILED + "invalid_message", text, 500)


@pytest.mark.parametrize("protocol", ["REST", "SOAP"])
async def test_mime_out_of_its_syntax(lonely: Caller, protocol: Protocol) -> None:
    async def act(exchange: Exchange) -> None:
        while await exchange.receive():
            pass
        head = write_response_head(protocol, boundary=BOUNDARY, original_content_type=XML)
        body = f"--{BOUNDARY}\r\nX: {'y' * 2000}\r\n\r\nx".encode()
        await exchange.respond(200, head, body)

    async with stand_in(lonely.country) as script:
        script.act = act
        reply = await ask(lonely, protocol, "mime")

    assert_told(reply, SIDE + "mime_parsing_failed", ".+", 500 if protocol == "REST" else 200)
    assert_no_answer(lonely, "mime")


# Faults


@pytest.mark.parametrize(
    ("code", "status"),
    [("server.serverproxy.access_denied", 500), ("Server.ServerProxy.Old", 500), ("own.word", 400)],
)
@pytest.mark.parametrize("where", ["whole answer", "message", "signature", "after a body"])
async def test_a_fault_of_the_peer_is_told_as_it_came(
    lonely: Caller, code: str, status: int, where: str
) -> None:
    document = FAULT % code.encode()
    fault = Piece(XML, document)
    query = f"{code}-{where}"

    async def act(exchange: Exchange) -> None:
        while await exchange.receive():
            pass
        await exchange.respond(200, [("Content-Type", "text/xml;charset=utf-8")], document)

    async with stand_in(lonely.country) as script:
        if where == "whole answer":
            script.act = act
        elif where == "message":
            script.pieces = lambda _: [fault]
        elif where == "signature":
            script.body = None
            script.pieces = lambda pieces: [pieces[0], fault]
        else:
            script.pieces = lambda pieces: [*pieces[:2], fault]
        rest = await ask(lonely, "REST", query)

    assert (rest.status, rest.code) == (status, code)
    assert lonely.counts(query) == [1, 0]


async def test_a_fault_reaches_a_soap_caller_octet_for_octet(lonely: Caller) -> None:
    document = FAULT % b"Server.ServerProxy.ServiceDisabled"
    async with stand_in(lonely.country) as script:
        script.pieces = lambda pieces: [pieces[0], Piece(XML, document)]
        reply = await ask(lonely, "SOAP", "fault-soap")

    assert reply.body == document


async def test_a_refusal_before_the_request_is_over_is_heard(lonely: Caller) -> None:
    async def act(exchange: Exchange) -> None:
        await exchange.receive()
        await exchange.start(200, [("Content-Type", "text/xml"), ("Connection", "close")])
        await exchange.finish(FAULT % b"server.serverproxy.early")
        # Who closes upon unread octets resets the connection, and what was said may be lost.
        with suppress(NetError):
            while await exchange._connection.stream.receive():
                pass
        await hang_up(exchange)

    async with stand_in(lonely.country) as script:
        script.act = act
        reply = await lonely.rest("POST", "/echo", [("X-Road-Id", "early-1")], bytes(4 << 20))

    assert reply.code == "server.serverproxy.early", reply.text
    assert lonely.counts("early-1") == [0, 0]


# Parts


TYPE = FAILED + "invalid_content_type"


@pytest.mark.parametrize(
    ("change", "protocol", "code"),
    [
        (lambda pieces: [], "REST", SIDE + "missing_rest"),
        (lambda pieces: [], "SOAP", SIDE + "missing_soap"),
        (lambda pieces: pieces[:2], "REST", SIDE + "missing_signature"),
        (lambda pieces: pieces[:1], "SOAP", SIDE + "missing_signature"),
        (lambda pieces: pieces[1:], "SOAP", TYPE),
        (lambda pieces: pieces[1:], "REST", TYPE),
        (lambda pieces: [*pieces, pieces[-1]], "REST", FAILED + "invalid_message"),
        (lambda pieces: [*pieces, Piece("text/plain", b"")], "SOAP", FAILED + "invalid_message"),
        (lambda pieces: [pieces[0], *pieces], "SOAP", TYPE),
        (lambda pieces: [pieces[0], *pieces[1:2] * 2, *pieces[2:]], "REST", TYPE),
        (lambda pieces: [pieces[1], pieces[0], *pieces[2:]], "REST", TYPE),
        (lambda pieces: [Piece("application/ocsp-response", b"0\0"), *pieces], "REST", TYPE),
        (
            lambda pieces: [Piece(XML, b"no fault"), *pieces[1:]],
            "REST",
            FAILED + "invalid_soap",
        ),
        (
            lambda pieces: [Piece(XML, b"no xml"), *pieces[1:]],
            "SOAP",
            FAILED + "invalid_soap",
        ),
        (
            lambda pieces: [Piece(XML, b"<!DOCTYPE a><a/>"), *pieces[1:]],
            "SOAP",
            FAILED + "invalid_soap",
        ),
        (
            lambda pieces: [Piece(REST_RESPONSE, b"200\r\nOK\r\n"), *pieces[1:]],
            "REST",
            FAILED + "internal_error",
        ),
        (
            lambda pieces: [Piece(REST_RESPONSE, b" " * (11 << 20)), *pieces[1:]],
            "REST",
            FAILED + "invalid_message",
        ),
    ],
)
async def test_parts(
    lonely: Caller, change: Callable[[list[Piece]], list[Piece]], protocol: Protocol, code: str
) -> None:
    async with stand_in(lonely.country) as script:
        script.pieces = change
        reply = await ask(lonely, protocol, "parts")
        script.pieces = lambda same: same
        after = await ask(lonely, protocol, "parts-after")

    assert reply.code == code
    assert_in_table(code, reply.text)
    assert after.code == ""


@pytest.mark.parametrize("trickle", [False, True])
async def test_who_never_ends_is_not_waited_for_for_ever(impatient: Caller, trickle: bool) -> None:
    async def act(exchange: Exchange) -> None:
        while await exchange.receive():
            pass
        if trickle:
            head = write_response_head("REST", boundary=BOUNDARY, original_content_type="")
            await exchange.start(200, head)
            while True:
                await exchange.send(b"x")
                await trio.sleep(0.05)
        await trio.sleep_forever()

    async with stand_in(impatient.country) as script:
        script.act = act
        with trio.fail_after(10):
            reply = await ask(impatient, "REST", f"never-{trickle}")

    assert reply.code == (FAILED if trickle else SIDE) + "io_error"
    assert impatient.counts(f"never-{trickle}") == [1, 0]


@pytest.mark.parametrize("protocol", ["REST", "SOAP"])
async def test_a_connection_that_is_torn_down(lonely: Caller, protocol: Protocol) -> None:
    async def act(exchange: Exchange) -> None:
        while await exchange.receive():
            pass
        at_once = struct.pack("ii", 1, 0)
        stream = exchange._connection.stream
        assert isinstance(stream, TlsStream)
        stream._stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
        stream._stream.socket.close()
        raise ClosedError("torn down")

    async with stand_in(lonely.country) as script:
        script.act = act
        reply = await ask(lonely, protocol, f"torn-{protocol}")

    assert reply.code == SIDE + "network_error"
    assert lonely.counts(f"torn-{protocol}") == [1, 0]


@pytest.mark.parametrize("protocol", ["REST", "SOAP"])
@pytest.mark.parametrize("cut", [0.0, 0.3, 0.9])
async def test_a_connection_that_breaks(lonely: Caller, protocol: Protocol, cut: float) -> None:
    query = f"break-{protocol}-{cut}"
    kind = XML if protocol == "SOAP" else REST_RESPONSE
    body = write_pieces([Piece(kind, b"x" * 999)])

    async def act(exchange: Exchange) -> None:
        while await exchange.receive():
            pass
        if cut:
            head = write_response_head(protocol, boundary=BOUNDARY, original_content_type=XML)
            await exchange.start(200, [*head, ("Content-Length", f"{len(body)}")])
            await exchange.send(body[: int(len(body) * cut)])
        await hang_up(exchange)

    async with stand_in(lonely.country) as script:
        script.act = act
        reply = await ask(lonely, protocol, query)

    assert reply.code == (FAILED if cut else SIDE) + "io_error"
    assert lonely.counts(query) == [1, 0]
