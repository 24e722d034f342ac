"""Which services a provider has: the answers of ``listMethods`` and ``allowedMethods``.

The rule: SOAP callers are told of services with a WSDL, REST callers of the others. A SOAP answer
is the request's own envelope with another body, so its header stays what the caller wrote
(metaservices 2 and 4).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec
from lxml import etree

from xgate.errors import Fault
from xgate.ids import ServiceId
from xgate.wire import xml
from xgate.wire.client_list import json_id
from xgate.wire.names import SOAP_NS, XROAD_NS, add_id

__all__ = [
    "METASERVICES",
    "ListedService",
    "read_body_text",
    "write_method_list",
    "write_method_list_json",
    "write_soap_answer",
]

METASERVICES = frozenset(
    {
        "listMethods",
        "allowedMethods",
        "getWsdl",
        "getOpenAPI",
        "getSecurityServerMetrics",
        "getSecurityServerOperationalData",
        "getSecurityServerHealthData",
    }
)
"""The service codes that are the security server's own: no client can have a service of them."""


class ListedService(msgspec.Struct, frozen=True):
    """A REST service in a list.

    :param kind: ``REST`` or ``OPENAPI``. :param endpoints: method and path pattern of each.
    """

    id: ServiceId
    kind: str
    endpoints: tuple[tuple[str, str], ...] = ()


def write_method_list(request: bytes, name: str, services: Iterable[ServiceId]) -> bytes:
    """The answer in SOAP.

    :param request: the whole request. :param name: of the service that was asked, its code.
    :raises Fault: as ``write_soap_answer``.
    """

    def build(_: etree._Element) -> etree._Element:
        root = etree.Element(_tag(f"{name}Response"), nsmap={"xrd": XROAD_NS})
        for service in services:
            add_id(root, _tag("service"), service)
        return root

    return write_soap_answer(request, build)


def write_method_list_json(services: Iterable[ListedService]) -> bytes:
    """The answer to REST callers."""
    return msgspec.json.encode({"service": [_json(service) for service in services]})


def write_soap_answer(request: bytes, build: Callable[[etree._Element], etree._Element]) -> bytes:
    """The request's envelope around another body, in UTF-8.

    :param build: the answer's element, from the request's.
    :raises Fault: ``invalid_xml``, ``invalid_body``.
    """
    envelope = xml.parse(request)
    body, asked = _find_body(envelope)
    for child in list(body):
        body.remove(child)
    body.text = None
    body.append(build(asked))
    return etree.tostring(envelope, encoding="UTF-8", xml_declaration=True)


def read_body_text(request: bytes, name: str) -> str | None:
    """The text of a field of the request's body, in the namespace of X-Road; None: not there.

    :raises Fault: ``invalid_xml``, ``invalid_body``.
    """
    _, asked = _find_body(xml.parse(request))
    return asked.findtext(_tag(name))


def _find_body(envelope: etree._Element) -> tuple[etree._Element, etree._Element]:
    body = envelope.find(f"{{{SOAP_NS}}}Body")
    asked = None if body is None else next(body.iterchildren(etree.Element), None)
    if body is None or asked is None:
        raise Fault(
            "invalid_body", "Malformed SOAP message: body must have exactly one child element"
        )
    return body, asked


def _json(service: ListedService) -> dict[str, object]:
    identifier = json_id(service.id.client)
    fields: dict[str, object] = {
        **identifier,
        "object_type": "SERVICE",
        "service_code": service.id.service_code,
        "service_type": service.kind,
    }
    endpoints = [{"method": method, "path": path} for method, path in service.endpoints]
    return {**dict(sorted(fields.items())), "endpoint_list": endpoints}


def _tag(name: str) -> str:
    return f"{{{XROAD_NS}}}{name}"
