"""A SOAP request coming in, with the words for whatever is wrong with it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import pytest
import trio

from xgate.errors import Fault
from xgate.net.body import Spool
from xgate.net.errors import ClosedError, ResetError
from xgate.net.fetch import Response, fetch
from xgate.net.server import Exchange
from xgate.sandbox.messages import multipart_related, soap_request
from xgate.sandbox.places import CONSUMER, PROVIDER
from xgate.securityserver.receive import Received
from xgate.securityserver.send import PartEvent
from xgate.securityserver.soap_intake import SoapIntake, check_posted, take_soap
from xgate.wire.attachments import BodyLimits
from xgate.wire.fields import find_header
from xgate.wire.parts import Head, PartBegin, PartData, PartEnd

Serve = Callable[[Callable[[Exchange], Awaitable[None]]], Awaitable[int]]
Act = Callable[[Exchange, SoapIntake], Awaitable[None]]

ENVELOPE = soap_request(CONSUMER, PROVIDER, "tell", "q")
ANSWER = ENVELOPE.replace(b"p:tell", b"p:tellResponse")
FAULT = (
    b'<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><e:Fault>'
    b"<faultcode>Server.Own</faultcode><faultstring>no</faultstring></e:Fault></e:Body></e:Envelope>"
)


async def take(
    serve: Serve, act: Act, kind: str, body: bytes, *, method: str = "POST", limit: int = 100_000
) -> tuple[Response, Fault | None]:
    """Send a request; the answer, and the fault that taking it in raised."""
    faults: list[Fault] = []

    async def handle(exchange: Exchange) -> None:
        try:
            await act(exchange, await take_soap(exchange, BodyLimits(head=limit)))
        except Fault as fault:
            faults.append(fault)
        if not exchange.started:
            await exchange.respond(200, [])

    url = f"http://127.0.0.1:{await serve(handle)}/"
    headers = [("Content-Type", kind), ("SOAPAction", '"urn:x"')] if kind else []
    answer = await fetch(url, method=method, headers=headers, body=body)
    return answer, faults[0] if faults else None


async def nothing(exchange: Exchange, intake: SoapIntake) -> None:
    """Only taken in."""


@pytest.mark.parametrize("mtom", [None, False, True])
async def test_message_and_attachments_come_in(serve: Serve, mtom: bool | None) -> None:
    events: list[PartEvent] = []

    async def keep(*taken: PartEvent) -> None:
        events.extend(taken)

    async def act(exchange: Exchange, intake: SoapIntake) -> None:
        assert intake.request.id == "q"
        assert intake.request.octets == ENVELOPE
        assert intake.soap_action == '"urn:x"'
        await intake.pass_parts(keep)

    kind, body = "text/xml", ENVELOPE
    if mtom is not None:
        kind, body = multipart_related(ENVELOPE, [("image/png", b"\x89")], mtom=mtom)
    _, fault = await take(serve, act, kind, body)
    assert fault is None
    attached = [bytes(e.data) for e in events if isinstance(e, PartData)]
    assert attached == ([] if mtom is None else [b"\x89"])


@pytest.mark.parametrize(
    ("kind", "body", "code"),
    [
        ("", ENVELOPE, "internal_error"),
        ("text/xml; charset=klingon", ENVELOPE, "internal_error"),
        ("application/json", b"{}", "client.invalid_content_type"),
        ("text/xml", b"", "client.invalid_soap"),
        ("text/xml", b"<!DOCTYPE a><a/>", "client.invalid_soap"),
        ("text/xml", ENVELOPE.replace(b"4.0", b"3.0"), "client.invalid_protocol_version"),
        ("text/xml", FAULT, "client.server.own"),
        ("multipart/related; boundary=b", b"--b--", "client.missing_soap"),
        ("text/xml", ENVELOPE + b" " * 100_000, "client.invalid_message"),
    ],
)
async def test_what_is_wrong_is_named(serve: Serve, kind: str, body: bytes, code: str) -> None:
    _, fault = await take(serve, nothing, kind, body)
    assert fault is not None
    assert fault.code == code


async def test_only_post_carries_soap(serve: Serve) -> None:
    _, fault = await take(serve, nothing, "text/xml", ENVELOPE, method="PUT")
    assert fault is not None
    assert str(fault) == ("client.invalid_http_method: Must use POST request method instead of PUT")

    async def handle(exchange: Exchange) -> None:
        check_posted(exchange)
        await exchange.respond(200, [])

    url = f"http://127.0.0.1:{await serve(handle)}/"
    assert (await fetch(url, method="POST")).status == 200


@pytest.mark.parametrize("attached", [False, True])
async def test_the_answer_goes_home_in_the_form_of_the_service(
    serve: Serve, attached: bool
) -> None:
    kind = "multipart/related; boundary=own" if attached else "text/xml"

    async def act(exchange: Exchange, intake: SoapIntake) -> None:
        received = Received(lambda: Spool(limit=100))
        received.take(Head("text/xml", (), ANSWER))
        if attached:
            for event in (PartBegin(1, "text/plain", ()), PartData(b"file"), PartEnd()):
                received.take(event)
        answer = await intake.read_answer(received, kind)
        assert answer.response
        await intake.answer(exchange, received, datetime(2026, 1, 1, tzinfo=UTC))

    answer, fault = await take(serve, act, "text/xml", ENVELOPE)
    assert fault is None
    sent = find_header(answer.headers, "content-type")
    assert sent == (f"{kind};charset=utf-8" if attached else "text/xml; charset=UTF-8")
    assert (answer.body == ANSWER) is not attached
    assert (b"--own--" in answer.body) is attached


async def test_a_fault_in_place_of_the_answer_is_raised_as_it_came(serve: Serve) -> None:
    async def act(exchange: Exchange, intake: SoapIntake) -> None:
        received = Received(lambda: Spool(limit=100))
        received.take(Head("text/xml", (), FAULT))
        await intake.read_answer(received, "text/xml")

    _, fault = await take(serve, act, "text/xml", ENVELOPE)
    assert fault is not None
    assert (fault.code, fault.raw) == ("Server.Own", FAULT)


async def test_an_answer_without_the_services_type_is_refused(serve: Serve) -> None:
    async def act(exchange: Exchange, intake: SoapIntake) -> None:
        received = Received(lambda: Spool(limit=100))
        received.take(Head("text/xml", (), ANSWER))
        await intake.read_answer(received, None)

    _, fault = await take(serve, act, "text/xml", ENVELOPE)
    assert fault is not None
    assert fault.code == "internal_error"


async def test_refusals_keep_their_names_while_it_streams(serve: Serve) -> None:
    async def act(exchange: Exchange, intake: SoapIntake) -> None:
        with pytest.raises(Fault, match="logging_failed"), intake.streaming():
            raise Fault("logging_failed", "full")
        with pytest.raises(Fault, match="io_error"), intake.streaming():
            raise ClosedError("gone")
        with pytest.raises(Fault, match="network_error"), intake.streaming():
            raise ResetError("broken")

    _, fault = await take(serve, act, "text/xml", ENVELOPE)
    assert fault is None


async def test_a_message_that_does_not_come_in_time_is_not_waited_for(serve: Serve) -> None:
    faults: list[Fault] = []
    refused = trio.Event()

    async def handle(exchange: Exchange) -> None:
        try:
            await take_soap(exchange, BodyLimits(head=100_000), seconds=0.05)
        except Fault as fault:
            faults.append(fault)
        refused.set()
        await exchange.respond(200, [])

    stream = await trio.open_tcp_stream("127.0.0.1", await serve(handle))
    head = (
        f"POST / HTTP/1.1\r\nHost: a\r\nContent-Type: text/xml\r\nContent-Length: {len(ENVELOPE)}"
    )
    async with stream:
        await stream.send_all(head.encode() + b"\r\n\r\n" + ENVELOPE[:-1])
        await refused.wait()

    assert str(faults[0]) == "internal_error: Reading SOAP from request timed out"
