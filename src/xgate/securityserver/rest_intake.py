"""A REST request from an information system, and its answer home.

The rule: the head is the message and is made once; the body follows as one part, if there is any
octet of it. Sources: rest-protocol 3, 5 and 7.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from email.utils import format_datetime

from xgate.errors import SERVICE_FAILED, Fault, faults_under
from xgate.net.errors import NetError
from xgate.net.server import Exchange
from xgate.securityserver.receive import Received
from xgate.securityserver.send import TakeParts
from xgate.securityserver.server import new_uuid
from xgate.wire import message
from xgate.wire.parts import PartBegin, PartData, PartEnd
from xgate.wire.rest import RestRequest, RestResponse, read_rest_call, read_rest_response
from xgate.wire.rest_relay import caller_headers, has_body
from xgate.wire.transport import REST_BODY, REST_REQUEST, MessageWriter

__all__ = ["RestIntake", "take_rest"]


def take_rest(exchange: Exchange, instance: str) -> RestIntake:
    """Read the head of a REST request; its body waits.

    :param instance: our own, for a query id made here.
    :raises Fault: as ``read_rest_call``.
    """
    request = read_rest_call(
        exchange.method,
        exchange.target,
        exchange.headers,
        request_id=new_uuid(),
        fresh_id=f"{instance}-{new_uuid()}",
    )
    return RestIntake(exchange, request)


class RestIntake:
    """An ``Intake`` in REST."""

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

    async def pass_parts(self, take: TakeParts) -> None:
        """The body, if its first octet comes before its end (transport 4.3)."""
        data = await self._exchange.receive()
        if not data:
            return
        await take(PartBegin(1, REST_BODY, ()), PartData(data))
        while data := await self._exchange.receive():
            await take(PartData(data))
        await take(PartEnd())

    @contextmanager
    def streaming(self) -> Iterator[None]:
        """Whatever fails is ``io_error``, the cause in its text (rest-protocol 7)."""
        try:
            yield
        except NetError as error:
            raise Fault("io_error", str(error)) from error
        except Fault as fault:
            raise Fault(
                "io_error",
                f"[{new_uuid()}] [SYSTEM] {fault.code}: {fault.text}",
                limit=fault.limit,
                cause=fault.cause,
            ) from fault

    async def read_answer(self, received: Received, content_type: str | None) -> RestResponse:
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
        last = b""  # leaves together with the end
        if has_body(self.request, response):
            for part in received.parts:
                for chunk in part.spool.chunks():
                    if last:
                        await exchange.send(last)
                    last = chunk
        await exchange.finish(last)
