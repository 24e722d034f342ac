"""A request from an information system, in whichever protocol, as the client proxy carries it.

The rule: SOAP and REST differ in how they come in, in what an error while they stream is called and
in how the answer goes back; all of that is here, and nothing of it in the corridor.
Sources: pipeline 3, soap-protocol 3 and 4, rest-protocol 3, 5 and 6.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from email.utils import format_datetime
from typing import Protocol

from xgate.errors import CLIENT, SERVICE_FAILED, Fault, faults_under
from xgate.net.errors import NetError
from xgate.net.server import Exchange
from xgate.securityserver.receive import Received
from xgate.securityserver.send import PartEvent
from xgate.securityserver.server import new_uuid
from xgate.trust.seal import Seal
from xgate.wire import message
from xgate.wire.attachments import BodyLimits, SoapBodyReader, SoapBodyWriter
from xgate.wire.message import Answer, Request, check_answer
from xgate.wire.parts import Head, PartBegin, PartData, PartEnd
from xgate.wire.rest import RestRequest, RestResponse, read_rest_call, read_rest_response
from xgate.wire.rest_relay import caller_headers, has_body
from xgate.wire.soap import SoapMessage, fault_of_caller, read_soap
from xgate.wire.transport import (
    REST_BODY,
    REST_REQUEST,
    MessageWriter,
    TransportHead,
    check_method,
    check_original_content_type,
    check_soap_action,
)

__all__ = ["Intake", "RestIntake", "SoapIntake", "check_belongs", "is_rest", "take_in"]


def is_rest(exchange: Exchange) -> bool:
    """Which protocol an information system speaks, by the request target alone."""
    return exchange.target.startswith("/r1/")


class Intake(Protocol):
    """One request on its way in, and its answer on its way out."""

    @property
    def protocol(self) -> message.Protocol:
        """SOAP or REST."""

    @property
    def request(self) -> Request:
        """What the message says."""

    @property
    def request_id(self) -> str:
        """The UUID of this exchange."""

    @property
    def content_type(self) -> str:
        """The information system's own, for ``x-original-content-type``."""

    @property
    def soap_action(self) -> str:
        """Its SOAPAction, verbatim."""

    def write_head(self, writer: MessageWriter) -> bytes:
        """The message part for the peer."""

    def parts(self) -> AsyncIterator[PartEvent]:
        """The attachments or the body, as they come in."""

    def streaming(self) -> AbstractContextManager[None]:
        """The block in which parts stream to the peer: what goes wrong is named by the protocol."""

    def read_answer(self, received: Received, head: TransportHead) -> Answer:
        """What the peer's message part says.

        :raises Fault: also the fault that stands in its place.
        """

    async def answer(self, exchange: Exchange, received: Received, now: datetime) -> None:
        """Hand the proven answer to the information system."""


async def take_in(exchange: Exchange, instance: str, soap_limit: int) -> RestIntake | SoapIntake:
    """Read the request up to its message; attachments and body wait to be streamed.

    :param instance: our own, for a query id made here.
    :raises BadTarget: the front server's own 400.
    :raises Fault: ``client...`` for a bad SOAP request, else unprefixed.
    """
    if is_rest(exchange):
        return _take_rest(exchange, instance)
    return await _take_soap(exchange, soap_limit)


def _take_rest(exchange: Exchange, instance: str) -> RestIntake:
    request = read_rest_call(
        exchange.method,
        exchange.target,
        exchange.headers,
        request_id=new_uuid(),
        fresh_id=f"{instance}-{new_uuid()}",
    )
    return RestIntake(exchange, request)


class RestIntake:
    """A REST request (rest-protocol)."""

    protocol: message.Protocol = "REST"
    soap_action = ""

    def __init__(self, exchange: Exchange, request: RestRequest) -> None:
        self.request = request
        self.request_id = request.request_id
        self.content_type = exchange.find_header("content-type") or ""
        self._exchange = exchange
        self._response: RestResponse | None = None

    def write_head(self, writer: MessageWriter) -> bytes:
        """See ``Intake``."""
        return writer.head(REST_REQUEST, (), self.request.octets)

    async def parts(self) -> AsyncIterator[PartEvent]:
        """The body, if its first octet comes before its end (transport 4.3)."""
        data = await self._exchange.receive()
        if not data:
            return
        yield PartBegin(1, REST_BODY, ())
        while data:
            yield PartData(data)
            data = await self._exchange.receive()
        yield PartEnd()

    @contextmanager
    def streaming(self) -> Iterator[None]:
        """Whatever fails is ``io_error``, the cause in its text (rest-protocol 7)."""
        try:
            yield
        except NetError as error:
            raise Fault("io_error", str(error)) from error
        except Fault as fault:
            raise Fault(
                "io_error", f"[{new_uuid()}] [SYSTEM] {fault.code}: {fault.text}"
            ) from fault

    def read_answer(self, received: Received, head: TransportHead) -> RestResponse:
        """See ``Intake``.

        :raises Fault: ``service_failed.internal_error``.
        """
        with faults_under(SERVICE_FAILED):
            self._response = read_rest_response(received.octets)
        return self._response

    async def answer(self, exchange: Exchange, received: Received, now: datetime) -> None:
        """Status and headers of the service, the body chunked (rest-protocol 5)."""
        response = self._response
        assert response is not None
        date = format_datetime(now, usegmt=True)
        await exchange.start(response.status, caller_headers(response, date))
        if has_body(self.request, response):
            for part in received.parts:
                for chunk in part.spool.chunks():
                    await exchange.send(chunk)
        await exchange.finish()


async def _take_soap(exchange: Exchange, limit: int) -> SoapIntake:
    content_type = exchange.find_header("content-type") or ""
    soap_action = exchange.find_header("soapaction") or ""
    with faults_under(CLIENT):
        check_method(exchange.method)
        check_soap_action(soap_action)
    check_original_content_type(content_type)
    with faults_under(CLIENT):
        reader = SoapBodyReader(content_type, limits=BodyLimits(head=limit))
        intake = SoapIntake(exchange, reader, content_type, soap_action)
        head = await intake.wait_head()
        found = read_soap(head.octets, head.content_type, limit=limit)
    if isinstance(found, Fault):
        raise fault_of_caller(found)
    intake.request = found
    return intake


class SoapIntake:
    """A SOAP request, alone or with attachments (soap-protocol)."""

    protocol: message.Protocol = "SOAP"
    request: SoapMessage

    def __init__(
        self, exchange: Exchange, reader: SoapBodyReader, content_type: str, soap_action: str
    ) -> None:
        self.request_id = new_uuid()
        self.content_type = content_type
        self.soap_action = soap_action
        self._exchange = exchange
        self._events = _events(exchange, reader)
        self._head: Head | None = None
        self._answer_type = ""

    async def wait_head(self) -> Head:
        """The message itself, once it is there."""
        async for event in self._events:
            if isinstance(event, Head):
                self._head = event
                return event
        raise Fault("missing_soap", "Request does not contain SOAP message")

    def write_head(self, writer: MessageWriter) -> bytes:
        """See ``Intake``."""
        assert self._head is not None
        return writer.head(self._head.content_type, self._head.headers, self._head.octets)

    async def parts(self) -> AsyncIterator[PartEvent]:
        """The attachments that follow the message."""
        with faults_under(CLIENT):
            async for event in self._events:
                if not isinstance(event, Head):
                    yield event

    @contextmanager
    def streaming(self) -> Iterator[None]:
        """A lost connection is ``io_error``; refusals keep their own names."""
        try:
            yield
        except NetError as error:
            raise Fault("io_error", str(error)) from error

    def read_answer(self, received: Received, head: TransportHead) -> SoapMessage:
        """See ``Intake``; a SOAP fault in place of the answer is raised as it came.

        :raises Fault: ``internal_error``, ``service_failed...``.
        """
        assert received.head is not None
        with faults_under(SERVICE_FAILED):
            found = read_soap(received.head.octets, received.head.content_type)
        if isinstance(found, Fault):
            raise found
        check_original_content_type(head.original_content_type)
        self._answer_type = head.original_content_type or ""
        return found

    async def answer(self, exchange: Exchange, received: Received, now: datetime) -> None:
        """The answer in the form that the service used (soap-protocol 3)."""
        assert received.head is not None
        head = received.head
        writer = SoapBodyWriter(self._answer_type, attachments=bool(received.parts), answer=True)
        await exchange.start(200, [("Content-Type", writer.content_type)])
        await exchange.send(writer.head(head.content_type, head.headers, head.octets))
        for part in received.parts:
            await exchange.send(writer.part_begin(part.begin.content_type, part.begin.headers))
            for chunk in part.spool.chunks():
                await exchange.send(chunk)
            await exchange.send(writer.part_end())
        await exchange.finish(writer.close())


async def _events(
    exchange: Exchange, reader: SoapBodyReader
) -> AsyncIterator[Head | PartBegin | PartData | PartEnd]:
    while True:
        data = await exchange.receive()
        for event in reader.feed(data) if data else reader.finish():
            yield event
        if not data:
            return


def check_belongs(intake: Intake, answer: Answer, sent: Seal) -> None:
    """Refuse an answer that does not belong to the request as it was sent (``check_answer``)."""
    head, *parts = sent.parts
    body = parts[0].digest if parts and intake.protocol == "REST" else None
    check_answer(intake.request, answer, head.digest, body)
