"""The services of the security server itself: which methods a client has, and their descriptions.

The rule: recognised by service code alone, for every client registered here, and for REST only with
GET. No access right is asked for, but the message is verified, logged and answered as any other,
and the answer is signed by the client that was asked (metaservices 2 to 5). What is not answered
here goes to the client's own services.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from urllib.parse import parse_qsl

import msgspec
from lxml import etree

from xgate.errors import Fault
from xgate.ids import ServiceId
from xgate.policy.access import find_rights
from xgate.policy.world import World
from xgate.securityserver.aside import work_aside
from xgate.securityserver.description_fetch import FetchedDescription, fetch_description
from xgate.securityserver.receive import Received
from xgate.securityserver.reply import Reply
from xgate.securityserver.send import PartSender, Sent
from xgate.securityserver.server import SecurityServer, new_token, new_uuid
from xgate.serverconf.model import Client, Endpoint, Right, Service, ServiceKind
from xgate.wire.content_type import read_content_type
from xgate.wire.descriptions import hide_openapi_servers, hide_wsdl_addresses
from xgate.wire.message import Answer, Request
from xgate.wire.method_list import (
    ListedService,
    read_body_text,
    write_method_list,
    write_method_list_json,
    write_soap_answer,
)
from xgate.wire.parts import PartBegin, PartData, PartEnd
from xgate.wire.rest import RestRequest, RestResponse, request_hash, write_rest_response
from xgate.wire.rest_path import endpoint_matches
from xgate.wire.soap import SoapMessage, read_soap, with_request_hash
from xgate.wire.transport import REST_BODY, REST_RESPONSE, TransportHead

__all__ = ["Metaservice", "answer_itself", "find_metaservice"]

_SOAP_TYPE = "text/xml; charset=UTF-8"


class _Asked(msgspec.Struct, frozen=True):
    """One request for a metaservice, and what answering it needs."""

    request: Request
    head: TransportHead
    received: Received
    world: World
    server: SecurityServer

    @property
    def provider(self) -> Client:
        """The client whose services are asked about; it is registered."""
        return self.world.serverconf.clients[self.request.service.client]

    async def fetch(self, service: Service) -> FetchedDescription:
        """Its description. :raises Fault: as ``fetch_description``."""
        certificates = self.provider.certificates
        return await fetch_description(service, certificates, self.server.services)


class _Made(msgspec.Struct, frozen=True):
    """An answer to be: its octets and, beside a SOAP message, a description."""

    octets: bytes
    content_type: str
    attachment: bytes | None = None


Metaservice = Callable[[_Asked], Awaitable[_Made]]
"""Makes the answer of one of the services."""


def find_metaservice(request: Request) -> Metaservice | None:
    """The metaservice that a request is for, or None when it is for a client's own service."""
    code = request.service.service_code
    if isinstance(request, SoapMessage):
        return _SOAP.get(code)
    return _REST.get(code) if request.verb == "GET" else None


async def answer_itself(
    meta: Metaservice,
    world: World,
    request: Request,
    head: TransportHead,
    received: Received,
    sent: Sent,
    reply: Reply,
    server: SecurityServer,
) -> Answer:
    """Make the answer, then send it; as ``call_service`` otherwise.

    :raises Fault: the bare cause; never under ``service_failed``.
    """
    asked = _Asked(request, head, received, world, server)
    made = await meta(asked)
    if isinstance(request, RestRequest):
        return await _send_rest(request, asked, made, sent, reply)
    return await _send_soap(asked, made, sent, reply)


# which methods there are


async def _list_soap_methods(asked: _Asked) -> _Made:
    _check_alone(asked)
    code = asked.request.service.service_code
    services = [
        service.id
        for service in asked.provider.services.values()
        if service.kind is ServiceKind.WSDL
        and (code == "listMethods" or any(_rights(asked, service.id)))
    ]
    return _Made(write_method_list(asked.request.octets, code, services), _SOAP_TYPE)


async def _list_rest_methods(asked: _Asked) -> _Made:
    listed = []
    for service in asked.provider.services.values():
        if service.kind is ServiceKind.WSDL:
            continue
        endpoints = service.endpoints
        if asked.request.service.service_code == "allowedMethods":
            rights = _rights(asked, service.id)
            if not rights:
                continue
            endpoints = tuple(e for e in endpoints if any(_shows(right, e) for right in rights))
        kind = "OPENAPI" if service.kind is ServiceKind.OPENAPI3 else "REST"
        listed.append(ListedService(service.id, kind, tuple((e.method, e.path) for e in endpoints)))
    return _Made(write_method_list_json(listed), "application/json")


def _rights(asked: _Asked, service: ServiceId) -> list[Right]:
    code = service.service_code
    return list(find_rights(asked.world, asked.provider, code, asked.request.client))


def _shows(right: Right, endpoint: Endpoint) -> bool:
    """A right is held against the endpoint as against a request (metaservices 4)."""
    return endpoint_matches(right.method, right.path, endpoint.method, endpoint.path)


# descriptions


async def _hand_out_wsdl(asked: _Asked) -> _Made:
    _check_alone(asked)
    request = asked.request.octets
    code = read_body_text(request, "serviceCode") or ""
    if not code.strip():
        raise Fault("invalid_request", "Missing serviceCode in message body")
    version = read_body_text(request, "serviceVersion")
    service = asked.provider.services.get((code, version))
    if service is not None and service.kind is not ServiceKind.WSDL:
        raise Fault("service_type", "Service is a REST service and does not have a WSDL")
    if service is None or not service.description:
        wanted = ServiceId(asked.provider.id, code, version)
        raise Fault("unknown_service", f"Could not find wsdl URL for service {wanted}")
    document = await asked.fetch(service)
    if document.status != 200:
        raise Fault("internal_error", f"Received HTTP error: {document.status} - {document.reason}")
    octets = document.octets
    wsdl = await work_aside(lambda: hide_wsdl_addresses(octets))
    kind = f'multipart/related; type="text/xml"; charset=UTF-8; boundary=xroad{new_token()}'
    return _Made(write_soap_answer(request, _renamed), kind, wsdl)


def _renamed(asked: etree._Element) -> etree._Element:
    asked.tag = f"{asked.tag}Response"
    return asked


async def _hand_out_openapi(asked: _Asked) -> _Made:
    assert isinstance(asked.request, RestRequest)
    code = _code_in(asked.request.query)
    if not code:
        raise Fault("invalid_request", "Missing serviceCode in message body")
    service = asked.provider.services.get((code, None))
    if service is None:
        raise Fault("internal_error", f"Service not found: {code}")
    if service.kind is not ServiceKind.OPENAPI3:
        raise Fault("internal_error", f"Invalid service type: {service.kind}")
    url = service.description
    document = await asked.fetch(service)
    if document.status != 200:
        raise Fault(
            "internal_error",
            f"Failed reading service description from {url}. "
            f"Status: {document.status} Reason: {document.reason}",
        )
    kind, octets = document.content_type, document.octets
    written = await work_aside(lambda: hide_openapi_servers(octets, kind, url))
    return _Made(written, kind or "text/plain")


def _code_in(query: str | None) -> str:
    """The parameter by any spelling of its name; the last one counts."""
    try:
        fields = parse_qsl(query or "", max_num_fields=100)
    except ValueError:
        raise Fault("invalid_request", "There are too many parameters") from None
    return {name.lower(): value for name, value in fields}.get("servicecode", "").strip()


def _check_alone(asked: _Asked) -> None:
    """A request in a multipart is refused, even with nothing but SOAP in it (metaservices 2)."""
    base = read_content_type(asked.head.original_content_type or "").base
    if base != "text/xml":
        raise Fault("invalid_content_type", f"Invalid content type: {base}")


# sending


async def _send_rest(
    request: RestRequest, asked: _Asked, made: _Made, sent: Sent, reply: Reply
) -> RestResponse:
    parts = asked.received.seal.parts
    digest = parts[1].digest if len(parts) > 1 else None
    headers = [("Content-Type", made.content_type)]
    response = write_rest_response(
        request, 200, "OK", headers, request_hash(parts[0].digest, digest)
    )
    await reply.begin("REST", "")
    sent.message(response.octets)
    await reply.head(REST_RESPONSE, (), response.octets)
    sender = PartSender(sent, reply.writer, reply.send)
    await sender.take(PartBegin(1, REST_BODY, ()), PartData(made.octets), PartEnd())
    return response


async def _send_soap(asked: _Asked, made: _Made, sent: Sent, reply: Reply) -> SoapMessage:
    answer = read_soap(made.octets, _SOAP_TYPE)
    if isinstance(answer, Fault):  # the envelope is a request's with another body: it holds none
        raise answer
    answer = with_request_hash(answer, asked.received.seal.parts[0].digest)
    await reply.begin("SOAP", made.content_type)
    sent.message(answer.octets)
    await reply.head(_SOAP_TYPE, (), answer.octets)
    if made.attachment is not None:
        headers = (
            ("Content-Transfer-Encoding", "binary"),
            ("Content-ID", f"<wsdl={new_uuid()}@x-road.eu>"),
        )
        sender = PartSender(sent, reply.writer, reply.send)
        begin = PartBegin(1, "text/xml", headers)
        await sender.take(begin, PartData(made.attachment), PartEnd())
    return answer


_SOAP: dict[str, Metaservice] = {
    "listMethods": _list_soap_methods,
    "allowedMethods": _list_soap_methods,
    "getWsdl": _hand_out_wsdl,
}
_REST: dict[str, Metaservice] = {
    "listMethods": _list_rest_methods,
    "allowedMethods": _list_rest_methods,
    "getOpenAPI": _hand_out_openapi,
}
