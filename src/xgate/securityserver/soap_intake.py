"""A SOAP request from an information system, alone or with attachments, and its answer home.

The rule: the message is the first part and is read whole; attachments stream. The answer goes home
in the form that the service used. Sources: soap-protocol 3, 4 and 9.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial

import trio

from xgate.errors import CLIENT, SERVICE_FAILED, Fault, faults_under
from xgate.net.errors import NetError, ResetError
from xgate.net.server import Exchange
from xgate.securityserver.aside import read_aside
from xgate.securityserver.receive import Received
from xgate.securityserver.send import TakeParts
from xgate.securityserver.server import new_uuid
from xgate.securityserver.soap_body import SoapBody
from xgate.wire import message
from xgate.wire.attachments import BodyLimits, SoapBodyReader, SoapBodyWriter
from xgate.wire.parts import Head
from xgate.wire.soap import SoapMessage, fault_of_caller, read_soap
from xgate.wire.transport import (
    MessageWriter,
    check_method,
    check_original_content_type,
    check_soap_action,
)
from xgate.wire.xml import Bounds

__all__ = ["SoapIntake", "check_posted", "take_soap"]


def check_posted(exchange: Exchange) -> None:
    """Refuse a SOAP request by any other method.

    :raises Fault: ``client.invalid_http_method``.
    """
    with faults_under(CLIENT):
        check_method(exchange.method)


async def take_soap(exchange: Exchange, limits: BodyLimits, *, seconds: float = 30.0) -> SoapIntake:
    """Read a SOAP request up to its message; the attachments wait.

    :param limits: of what it may cost. :param seconds: for the message itself, not for its
        attachments (soap-protocol 3).
    :raises Fault: ``client...`` for what is wrong with it, else ``internal_error``.
    """
    content_type = exchange.find_header("content-type") or ""
    soap_action = exchange.find_header("soapaction") or ""
    check_posted(exchange)
    with faults_under(CLIENT):
        check_soap_action(soap_action)
    check_original_content_type(content_type)
    with faults_under(CLIENT):
        reader = SoapBodyReader(content_type, limits=limits)
        intake = SoapIntake(exchange, reader, content_type, soap_action, limits.xml)
        with trio.move_on_after(seconds) as reading:
            head = await intake.wait_head()
    if reading.cancelled_caught:
        raise Fault("internal_error", "Reading SOAP from request timed out")
    with faults_under(CLIENT):
        read = partial(
            read_soap, content_type=head.content_type, limit=limits.head, bounds=limits.xml
        )
        found = await read_aside(head.octets, read)
    if isinstance(found, Fault):
        raise fault_of_caller(found)
    intake.request = found
    return intake


class SoapIntake:
    """An ``Intake`` in SOAP."""

    protocol: message.Protocol = "SOAP"
    request: SoapMessage

    def __init__(
        self,
        exchange: Exchange,
        reader: SoapBodyReader,
        content_type: str,
        soap_action: str,
        bounds: Bounds,
    ) -> None:
        """:param bounds: of the form of the answer."""
        self.request_id = new_uuid()
        self.content_type = content_type
        self.soap_action = soap_action
        self._body = SoapBody(exchange.receive, reader, CLIENT)
        self._head: Head | None = None
        self._bounds = bounds
        self._answer_type = ""

    async def wait_head(self) -> Head:
        """The message itself, once it is there."""
        self._head = await self._body.head()
        return self._head

    def write_head(self, writer: MessageWriter) -> bytes:
        """See ``Intake``."""
        assert self._head is not None
        return writer.head(self._head.content_type, self._head.headers, self._head.octets)

    async def pass_parts(self, take: TakeParts) -> None:
        """The attachments that follow the message."""
        await self._body.pass_parts(take)

    @contextmanager
    def streaming(self) -> Iterator[None]:
        """A broken connection is ``network_error``, any other loss ``io_error`` (soap-protocol 8).

        Refusals keep their own names.
        """
        try:
            yield
        except ResetError as error:
            raise Fault("network_error", str(error)) from error
        except NetError as error:
            raise Fault("io_error", str(error)) from error

    async def read_answer(self, received: Received, content_type: str | None) -> SoapMessage:
        """See ``Intake``; a SOAP fault in place of the answer is raised as it came.

        :raises Fault: ``internal_error``, ``service_failed...``.
        """
        assert received.head is not None
        with faults_under(SERVICE_FAILED):
            octets = received.octets  # the reader of the message has held them to the limit
            kind = received.head.content_type
            read = partial(read_soap, content_type=kind, limit=len(octets), bounds=self._bounds)
            found = await read_aside(octets, read)
        if isinstance(found, Fault):
            raise found
        check_original_content_type(content_type)
        self._answer_type = content_type or ""
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
                await exchange.send(writer.part_data(chunk))
            await exchange.send(writer.part_end())
        await exchange.finish(writer.close())
