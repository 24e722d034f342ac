"""The call to the service itself, and its answer streamed on.

The rule: the service gets what was signed and nothing else; its answer goes to the peer while it
comes in, sealed as it passes. REST errors of the service are its answer; SOAP ones are refusals
(pipeline 9, rest-protocol 4, soap-protocol 3).
"""

from __future__ import annotations

from collections.abc import Container
from functools import partial

from xgate.errors import SERVICE_FAILED, Fault, faults_under
from xgate.net.client import ClientConnection, ResponseHead
from xgate.securityserver.aside import read_aside
from xgate.securityserver.receive import Received
from xgate.securityserver.reply import Reply
from xgate.securityserver.send import PartSender, Sent
from xgate.securityserver.server import SecurityServer
from xgate.securityserver.service_link import ask, connected, target_of_url
from xgate.securityserver.soap_body import SoapBody
from xgate.serverconf.model import Service
from xgate.wire.attachments import BodyLimits, SoapBodyReader, SoapBodyWriter
from xgate.wire.message import Answer, Request
from xgate.wire.parts import Head, PartBegin, PartData, PartEnd
from xgate.wire.rest import RestRequest, RestResponse, request_hash, write_rest_response
from xgate.wire.rest_relay import carries_body, service_address, service_headers
from xgate.wire.soap import SoapMessage, read_soap, with_request_hash
from xgate.wire.transport import REST_BODY, REST_RESPONSE, TransportHead

__all__ = ["call_service"]

_NO_ENTITY = frozenset({204, 205, 304})


async def call_service(
    service: Service,
    certificates: Container[bytes],
    limits: BodyLimits,
    request: Request,
    head: TransportHead,
    received: Received,
    sent: Sent,
    reply: Reply,
    server: SecurityServer,
) -> Answer:
    """Call the service and pass its answer on; what it answered.

    :param certificates: DER of those that are listed for the service's client.
    :param limits: of what a SOAP answer may cost.
    :raises Fault: ``service_failed...`` for SOAP, the bare cause for REST.
    """
    if not service.url:
        raise Fault("service_missing_url", f"Service address not specified for '{service.id}'")
    async with server.gates.services.enter(service.id):
        if isinstance(request, RestRequest):
            return await _call_rest(request, received, service, certificates, sent, reply, server)
        return await _call_soap(
            request, head, received, service, certificates, sent, reply, server, limits
        )


async def _call_rest(
    request: RestRequest,
    received: Received,
    service: Service,
    certificates: Container[bytes],
    sent: Sent,
    reply: Reply,
    server: SecurityServer,
) -> RestResponse:
    await reply.begin("REST", "")
    url = service_address(service.url, request)
    async with connected(url, service, certificates, server.services) as connection:
        send = partial(_send_rest, connection, url, request, received)
        answer = await ask(connection, send)
        reply.heard()
        parts = received.seal.parts
        digest = parts[1].digest if len(parts) > 1 else None
        response = write_rest_response(
            request,
            answer.status,
            answer.reason,
            answer.headers,
            request_hash(parts[0].digest, digest),
        )
        sent.message(response.octets)
        await reply.head(REST_RESPONSE, (), response.octets)
        if request.verb != "HEAD" and answer.status not in _NO_ENTITY:
            await _pass_body(connection, PartSender(sent, reply.writer, reply.send))
    return response


async def _send_rest(
    connection: ClientConnection, url: str, request: RestRequest, received: Received
) -> None:
    size = received.parts[0].spool.size if received.parts else None
    headers = service_headers(request, size)
    target = target_of_url(url)
    if not carries_body(request):
        await connection.request(request.verb, target, headers)
        return
    chunks = (chunk for part in received.parts for chunk in part.spool.chunks())
    await connection.start(request.verb, target, headers, next(chunks, b""))
    for chunk in chunks:
        await connection.send(chunk)
    await connection.finish()


async def _pass_body(connection: ClientConnection, sender: PartSender) -> None:
    """An entity, also one without octets (transport 4.3)."""
    await sender.take(PartBegin(1, REST_BODY, ()), PartData(await connection.receive()))
    while data := await connection.receive():
        await sender.take(PartData(data))
    await sender.take(PartEnd())


async def _call_soap(
    request: SoapMessage,
    head: TransportHead,
    received: Received,
    service: Service,
    certificates: Container[bytes],
    sent: Sent,
    reply: Reply,
    server: SecurityServer,
    limits: BodyLimits,
) -> SoapMessage:
    with faults_under(SERVICE_FAILED):
        async with connected(service.url, service, certificates, server.services) as connection:
            send = partial(_send_soap, connection, service, head, received)
            answer = await ask(connection, send)
            reply.heard()
            content_type = _check_answer(answer)
            await reply.begin("SOAP", content_type)
            reader = SoapBodyReader(content_type, answer=True, limits=limits)
            body = SoapBody(connection.receive, reader, SERVICE_FAILED)
            part = await body.head()
            message = await _read_answer(part, limits)
            message = with_request_hash(message, received.seal.parts[0].digest)
            sent.message(message.octets)
            await reply.head(part.content_type, part.headers, message.octets)
            await body.pass_parts(PartSender(sent, reply.writer, reply.send).take)
    return message


async def _send_soap(
    connection: ClientConnection, service: Service, head: TransportHead, received: Received
) -> None:
    assert received.head is not None
    writer = SoapBodyWriter(head.original_content_type or "", attachments=bool(received.parts))
    headers = [
        ("Content-Type", writer.content_type),
        ("SOAPAction", head.soap_action),
        ("accept-encoding", ""),
    ]
    part = received.head
    message = writer.head(part.content_type, part.headers, part.octets)
    await connection.start("POST", target_of_url(service.url), headers, message)
    for kept in received.parts:
        await connection.send(writer.part_begin(kept.begin.content_type, kept.begin.headers))
        for chunk in kept.spool.chunks():
            await connection.send(writer.part_data(chunk))
        await connection.send(writer.part_end())
    await connection.finish(writer.close())


def _check_answer(answer: ResponseHead) -> str:
    if answer.status not in (200, 500):
        raise Fault("http_error", f"Server responded with error {answer.status}: {answer.reason}")
    content_type = answer.find_header("content-type")
    if not content_type:
        raise Fault("invalid_content_type", "Could not get content type from response")
    return content_type


async def _read_answer(part: Head, limits: BodyLimits) -> SoapMessage:
    """The service's message; a fault of the service is raised as it came."""
    octets = part.octets  # the reader of the body has held them to the limit
    read = partial(read_soap, content_type=part.content_type, limit=len(octets), bounds=limits.xml)
    found = await read_aside(octets, read)
    if isinstance(found, Fault):
        raise found
    return found
