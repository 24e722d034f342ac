"""What a provider's server may say, with real keys, and none of it reaches the caller as an answer.

The codes are those of soap-protocol 9 and rest-protocol 6 and 7. The request was sent and is in the
log; the answer is not.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

import pytest
import trio

from xgate.clock import SystemClock
from xgate.net.errors import ClosedError
from xgate.net.server import Exchange
from xgate.sandbox.peer import BOUNDARY, Peer, Piece, attached, evidence_pieces, write_pieces
from xgate.testing.pki import issue_auth
from xgate.trust.seal import seal_of
from xgate.wire.message import Protocol
from xgate.wire.rest import read_rest_request, request_hash, write_rest_response
from xgate.wire.soap import SoapMessage, read_soap, with_request_hash
from xgate.wire.transport import (
    REST_BODY,
    REST_RESPONSE,
    Head,
    MessageReader,
    PartData,
    read_request_head,
    write_response_head,
)
from xgate.wire.transport_parts import SIGNATURE

if TYPE_CHECKING:
    from tests.journeys.conftest import Caller, Reply

SIDE = "server.clientproxy."
FAILED = SIDE + "service_failed."
VERIFY = SIDE + "signature_verification."
DENIED = SIDE + "ssl_authentication_failed"
XML = "text/xml; charset=UTF-8"
FAULT = (
    b'<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><e:Fault><faultcode>'
    b"%s</faultcode><faultstring>of the peer</faultstring></e:Fault></e:Body></e:Envelope>"
)


class Script:
    """A provider's server that answers as it should, until a test says what to change."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.headers: Callable[[list[tuple[str, str]]], list[tuple[str, str]]] = lambda same: same
        self.pieces: Callable[[list[Piece]], list[Piece]] = lambda same: same
        self.response: Callable[[bytes], bytes] = lambda same: same
        self.body: bytes | None = b"{}"
        self.act: Callable[[Exchange], Awaitable[None]] | None = None
        self.last: list[Piece] = []

    async def serve(self, exchange: Exchange) -> None:
        if self.act is not None:
            await self.act(exchange)
            return
        head = read_request_head(exchange.method, exchange.headers)
        reader = MessageReader(head.boundary, sender="client", protocol=head.protocol)
        octets, content = b"", b""
        while data := await exchange.receive():
            for event in reader.feed(data):
                if isinstance(event, Head):
                    octets = event.octets
                elif isinstance(event, PartData):
                    content += bytes(event.data)
        reader.finish()
        pieces = self._rest(octets, content) if head.protocol == "REST" else self._soap(octets)
        self.last = pieces
        await self.tell(exchange, head.protocol, self.pieces(pieces))

    async def tell(self, exchange: Exchange, protocol: Protocol, pieces: list[Piece]) -> None:
        headers = write_response_head(protocol, boundary=BOUNDARY, original_content_type=XML)
        await exchange.respond(200, self.headers(headers), write_pieces(pieces))

    def _rest(self, octets: bytes, content: bytes) -> list[Piece]:
        request = read_rest_request(octets)
        digests = [part.digest for part in seal_of(octets, [content] if content else []).parts]
        hashed = request_hash(digests[0], digests[1] if content else None)
        answer = self.response(write_rest_response(request, 200, "OK", (), hashed).octets)
        bodies = [] if self.body is None else [self.body]
        (evidence,) = self.peer.evidence(seal_of(answer, bodies))
        parts = [Piece(REST_BODY, body) for body in bodies]
        return [Piece(REST_RESPONSE, answer), *parts, *evidence_pieces(evidence)]

    def _soap(self, octets: bytes) -> list[Piece]:
        answer = read_soap(octets.replace(b"p:tell", b"p:tellResponse"), XML)
        assert isinstance(answer, SoapMessage)
        digest = seal_of(octets).parts[0].digest
        changed = self.response(with_request_hash(answer, digest).octets)
        (evidence,) = self.peer.evidence(seal_of(changed))
        return [Piece(XML, changed), *evidence_pieces(evidence)]


@asynccontextmanager
async def provider(caller: Caller, **keys: object) -> AsyncIterator[Script]:
    country = caller.country
    ocsp = keys.pop("ocsp", None)
    peer = Peer(country, country.provider, SystemClock(), **keys)  # type: ignore[arg-type]
    script = Script(peer)
    async with trio.open_nursery() as nursery:
        await nursery.start(partial(peer.serve, script.serve, ocsp=ocsp))  # type: ignore[arg-type]
        yield script
        nursery.cancel_scope.cancel()


async def ask(caller: Caller, protocol: Protocol, query: str) -> Reply:
    if protocol == "REST":
        return await caller.rest("POST", "/echo", [("X-Road-Id", query)], b"question")
    return await caller.soap("tell", query)


def assert_no_answer(caller: Caller, query: str) -> None:
    """Requests under this id were logged, and no answers."""
    assert {logged.record.response for logged in caller.records(query)[0]} == {False}


@pytest.mark.parametrize("protocol", ["REST", "SOAP"])
async def test_what_it_says_unchanged_is_an_answer(lonely: Caller, protocol: Protocol) -> None:
    async with provider(lonely):
        reply = await ask(lonely, protocol, f"good-{protocol}")

    assert (reply.status, reply.code) == (200, "")
    assert lonely.counts(f"good-{protocol}") == [2, 0]


# The HTTP head


def without(name: str) -> Callable[[list[tuple[str, str]]], list[tuple[str, str]]]:
    return lambda headers: [pair for pair in headers if pair[0].lower() != name]


def with_type(value: str) -> Callable[[list[tuple[str, str]]], list[tuple[str, str]]]:
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
    change: Callable[[list[tuple[str, str]]], list[tuple[str, str]]],
    protocol: Protocol,
    code: str,
) -> None:
    async with provider(lonely) as script:
        script.headers = change
        reply = await ask(lonely, protocol, "head")

    assert reply.code == code
    assert_no_answer(lonely, "head")


async def hang_up(exchange: Exchange) -> None:
    """Close the connection under an exchange."""
    await exchange._connection.stream.aclose(linger=1.0)
    raise ClosedError("hung up")


@pytest.mark.parametrize("status", [201, 302, 404, 503])
async def test_a_status_that_is_none_of_the_protocol(lonely: Caller, status: int) -> None:
    async def act(exchange: Exchange) -> None:
        while await exchange.receive():
            pass
        await exchange.respond(status, [("Content-Type", "text/xml")], FAULT % b"x")

    async with provider(lonely) as script:
        script.act = act
        reply = await ask(lonely, "SOAP", f"status-{status}")

    assert reply.code == SIDE + "http_error"
    assert str(status) in reply.text


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

    async with provider(lonely) as script:
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
    async with provider(lonely) as script:
        script.pieces = lambda pieces: [pieces[0], Piece(XML, document)]
        reply = await ask(lonely, "SOAP", "fault-soap")

    assert reply.body == document


async def test_a_refusal_before_the_request_is_over_is_heard(lonely: Caller) -> None:
    async def act(exchange: Exchange) -> None:
        await exchange.receive()
        await exchange.start(200, [("Content-Type", "text/xml"), ("Connection", "close")])
        await exchange.finish(FAULT % b"server.serverproxy.early")
        await hang_up(exchange)

    async with provider(lonely) as script:
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
        (lambda pieces: [Piece(XML, b"no fault"), *pieces[1:]], "REST", FAILED + "invalid_soap"),
        (lambda pieces: [Piece(XML, b"no xml"), *pieces[1:]], "SOAP", FAILED + "invalid_soap"),
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
    async with provider(lonely) as script:
        script.pieces = change
        reply = await ask(lonely, protocol, "parts")
        script.pieces = lambda same: same
        after = await ask(lonely, protocol, "parts-after")

    assert reply.code == code
    assert after.code == ""


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

    async with provider(lonely) as script:
        script.act = act
        reply = await ask(lonely, protocol, query)

    assert reply.code == (FAILED if cut else SIDE) + "io_error"
    assert lonely.counts(query) == [1, 0]


# Answers that prove something else


def said(old: str, new: str) -> Callable[[bytes], bytes]:
    def change(octets: bytes) -> bytes:
        assert old.encode() in octets
        return octets.replace(old.encode(), new.encode(), 1)

    return change


MISFIT = SIDE + "inconsistent_response"


@pytest.mark.parametrize(
    ("change", "protocol", "code"),
    [
        (said("x-road-client:XG/COM/100/portal", "x-road-client:XG/COM/100/other"), "REST", MISFIT),
        (said("x-road-id:", "x-road-id:not-"), "REST", MISFIT),
        (said("x-road-service:XG", "x-road-service:YY"), "REST", MISFIT),
        (said("x-road-request-id:", "x-road-request-id:0"), "REST", MISFIT),
        (said("x-road-request-hash:", "x-road-request-hash:AAAA"), "REST", MISFIT),
        (said("x-road-request-hash:", "x-road-request:"), "REST", FAILED + "internal_error"),
        (said("x-road-id:", "Host:a\r\nx-road-id:"), "REST", FAILED + "internal_error"),
        (said(">XG12345<", ">XG54321<"), "SOAP", FAILED + "inconsistent_response"),
        (said("<xrd:id>", "<xrd:id>0"), "SOAP", FAILED + "inconsistent_response"),
        (said(">portal<", ">other<"), "SOAP", FAILED + "inconsistent_response"),
        (said("#sha512", "#sha1"), "SOAP", MISFIT),
        (said('#sha512">', '#sha512">AAAA'), "SOAP", MISFIT),
        (said("requestHash", "someHash"), "SOAP", FAILED + "invalid_soap"),
    ],
)
async def test_signed_answers_that_do_not_belong_to_the_request(
    lonely: Caller, change: Callable[[bytes], bytes], protocol: Protocol, code: str
) -> None:
    async with provider(lonely) as script:
        script.response = change
        reply = await ask(lonely, protocol, "misfit")

    assert reply.code == code
    assert_no_answer(lonely, "misfit")


async def test_the_answer_to_an_earlier_request(lonely: Caller) -> None:
    async with provider(lonely) as script:
        await ask(lonely, "REST", "replay-1")
        earlier = script.last
        script.pieces = lambda _: earlier
        replayed = await ask(lonely, "REST", "replay-1")

    assert replayed.code == MISFIT  # by its request id, if by nothing else
    assert lonely.counts("replay-1") == [3, 0]


@pytest.mark.parametrize("protocol", ["REST", "SOAP"])
async def test_an_answer_signed_by_another_member(lonely: Caller, protocol: Protocol) -> None:
    async with provider(lonely, sign=lonely.country.consumer.sign):
        reply = await ask(lonely, protocol, f"signer-{protocol}")

    assert reply.code == VERIFY + "incorrect_certificate"
    assert lonely.counts(f"signer-{protocol}") == [1, 0]


async def test_an_answer_whose_body_is_another(lonely: Caller) -> None:
    async with provider(lonely) as script:
        script.pieces = lambda pieces: [pieces[0], Piece(REST_BODY, b"forged"), *pieces[2:]]
        changed = await ask(lonely, "REST", "body-1")
        script.pieces = lambda pieces: [pieces[0], *pieces[2:]]
        gone = await ask(lonely, "REST", "body-2")
        script.body = None
        script.pieces = lambda pieces: [pieces[0], Piece(REST_BODY, b"forged"), *pieces[1:]]
        come = await ask(lonely, "REST", "body-3")

    assert all(reply.code.startswith(VERIFY) for reply in (changed, gone, come))


async def test_attachments_that_no_signature_covers(lonely: Caller) -> None:
    extra = attached([Piece("text/plain", b"forged")])
    async with provider(lonely) as script:
        script.pieces = lambda pieces: [pieces[0], extra, *pieces[1:]]
        reply = await ask(lonely, "SOAP", "extra-1")

    assert reply.code.startswith(VERIFY)


async def test_a_signature_that_is_none(lonely: Caller) -> None:
    async with provider(lonely) as script:
        script.pieces = lambda pieces: [pieces[0], Piece(SIGNATURE, b"<a/>")]
        reply = await ask(lonely, "SOAP", "none-1")

    assert reply.code == VERIFY + "malformed_signature"


# Who it is


async def test_a_server_that_is_not_registered(lonely: Caller) -> None:
    stranger = issue_auth(lonely.country.ca, "stranger")
    async with provider(lonely, auth=stranger):
        reply = await ask(lonely, "REST", "who-1")

    assert reply.code == DENIED
    assert lonely.counts("who-1") == [0, 0]


async def test_a_server_where_the_provider_does_not_live(lonely: Caller) -> None:
    async with provider(lonely, auth=lonely.country.consumer.auth):
        reply = await ask(lonely, "REST", "who-2")

    assert reply.code == DENIED
    assert "is not registered at security server" in reply.text


DAY = timedelta(days=1)


@pytest.mark.parametrize("what", ["stale", "revoked", "unknown", "no DER", "of another"])
async def test_ocsp_responses_that_prove_nothing(lonely: Caller, what: str) -> None:
    country = lonely.country
    peer = Peer(country, country.provider, SystemClock(), auth=issue_auth(country.ca, "provider"))
    now = datetime.now(UTC)
    response = {
        "stale": peer.ocsp(at=now - DAY),
        "revoked": peer.ocsp(status=now - DAY),
        "unknown": peer.ocsp(status="unknown"),
        "no DER": b"response",
        "of another": peer.ocsp(country.consumer.auth.certificate),
    }[what]
    async with provider(lonely, auth=peer.auth, ocsp=response):
        reply = await ask(lonely, "REST", f"ocsp-{what}")

    assert reply.code.startswith(DENIED)
    assert lonely.counts(f"ocsp-{what}") == [0, 0]


async def test_nobody_there(lonely: Caller) -> None:
    reply = await ask(lonely, "SOAP", "nobody-1")

    assert reply.code == SIDE + "network_error"
    assert lonely.country.provider.address in reply.text
    assert lonely.counts("nobody-1") == [0, 0]
