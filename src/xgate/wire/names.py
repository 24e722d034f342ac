"""Identifiers as XML elements, and the namespaces of X-Road messages and configuration.

The rule: the attribute ``objectType`` (qualified) says which parts an identifier has; parts may
come in any order, unknown children are ignored, no text is trimmed. A part that does not belong
to the type is an error, never a silent change of type. Sources: soap-protocol 1 and 2,
globalconf 4.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from lxml import etree

from xgate.errors import Fault
from xgate.ids import ClientId, GlobalGroupId, LocalGroupId, ServerId, ServiceId

__all__ = [
    "ID_NS",
    "OBJECT_TYPE",
    "PARTS",
    "REPRESENTATION_NS",
    "SOAP_ENCODING_NS",
    "SOAP_NS",
    "XROAD_NS",
    "Identifier",
    "add_id",
    "build_client",
    "build_id",
    "id_parts",
    "object_type",
    "read_id",
    "read_text",
]

SOAP_NS = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP_ENCODING_NS = "http://schemas.xmlsoap.org/soap/encoding/"
XROAD_NS = "http://x-road.eu/xsd/xroad.xsd"
ID_NS = "http://x-road.eu/xsd/identifiers"
REPRESENTATION_NS = "http://x-road.eu/xsd/representation.xsd"

OBJECT_TYPE = f"{{{ID_NS}}}objectType"
"""The attribute that says what an identifier names."""

PARTS = (
    "xRoadInstance",
    "memberClass",
    "memberCode",
    "subsystemCode",
    "groupCode",
    "serviceCode",
    "serviceVersion",
    "serverCode",
)
"""Local names of identifier parts, in the order in which they are written."""

Identifier = ClientId | ServiceId | ServerId | GlobalGroupId | LocalGroupId
"""Whatever an identifier element can name."""

_TYPES = {
    "MEMBER": ("xRoadInstance", "memberClass", "memberCode"),
    "SUBSYSTEM": ("xRoadInstance", "memberClass", "memberCode", "subsystemCode"),
    "SERVICE": (
        "xRoadInstance",
        "memberClass",
        "memberCode",
        "subsystemCode",
        "serviceCode",
        "serviceVersion",
    ),
    "SERVER": ("xRoadInstance", "memberClass", "memberCode", "serverCode"),
    "GLOBALGROUP": ("xRoadInstance", "groupCode"),
    "LOCALGROUP": ("groupCode",),
}


def read_id(element: etree._Element) -> Identifier:
    """The identifier that an element holds.

    :raises Fault: ``invalid_xml`` for a missing or unknown ``objectType`` or a repeated part;
        ``invalid_client_identifier`` for a part that the type does not have (a MEMBER with a
        subsystemCode); ``internal_error`` for a part that is missing or blank.
    """
    kind = element.get(OBJECT_TYPE)
    if kind is None:
        raise Fault("invalid_xml", "Missing objectType attribute")
    return build_id(kind, _read_parts(element))


def build_id(kind: str, parts: Mapping[str, str]) -> Identifier:
    """An identifier of the type ``kind`` from its parts by local name, strictly.

    :raises Fault: as ``read_id``.
    """
    known = _TYPES.get(kind)
    if known is None:
        raise Fault("invalid_xml", f"Unknown objectType: {kind}")
    for name in parts:
        if name not in known:
            raise Fault("invalid_client_identifier", f"{kind} can not have a '{name}'")
    if kind == "SUBSYSTEM" and "subsystemCode" not in parts:
        raise Fault("invalid_client_identifier", "SUBSYSTEM must have a 'subsystemCode'")
    if kind == "LOCALGROUP":
        return LocalGroupId(parts.get("groupCode", ""))
    if kind == "GLOBALGROUP":
        return GlobalGroupId(parts.get("xRoadInstance", ""), parts.get("groupCode", ""))
    client = build_client(parts)
    if kind == "SERVICE":
        return ServiceId(client, parts.get("serviceCode", ""), parts.get("serviceVersion"))
    if kind == "SERVER":
        return ServerId(client, parts.get("serverCode", ""))
    return client


def build_client(parts: Mapping[str, str]) -> ClientId:
    """A client from its parts: a subsystem when there is a subsystemCode, else a member.

    This is how messages are read: ``objectType`` has no say in it (soap-protocol 2).

    :raises Fault: ``internal_error`` for a part that is missing or blank.
    """
    return ClientId(
        parts.get("xRoadInstance", ""),
        parts.get("memberClass", ""),
        parts.get("memberCode", ""),
        parts.get("subsystemCode"),
    )


def object_type(identifier: Identifier) -> str:
    """The value of ``objectType`` for an identifier."""
    if isinstance(identifier, ClientId):
        return identifier.object_type
    return _KINDS[type(identifier)]


def id_parts(identifier: Identifier) -> Iterator[tuple[str, str]]:
    """Local names and texts of an identifier's parts, in the order in which they are written."""
    if isinstance(identifier, ClientId):
        yield from zip(_TYPES["SUBSYSTEM"], identifier.parts, strict=False)
    elif isinstance(identifier, ServerId):
        yield from id_parts(identifier.owner)
        yield "serverCode", identifier.server_code
    elif isinstance(identifier, ServiceId):
        yield from id_parts(identifier.client)
        yield "serviceCode", identifier.service_code
        if identifier.service_version is not None:
            yield "serviceVersion", identifier.service_version
    else:
        if isinstance(identifier, GlobalGroupId):
            yield "xRoadInstance", identifier.instance
        yield "groupCode", identifier.group_code


def add_id(parent: etree._Element, tag: str, identifier: Identifier) -> etree._Element:
    """Append an element ``tag`` (Clark notation) that holds the identifier, and return it.

    The prefix of the identifiers' namespace is ``id``, unless the parent already has one.
    """
    nsmap = {} if ID_NS in parent.nsmap.values() else {"id": ID_NS}
    element = etree.SubElement(parent, tag, nsmap=nsmap)
    element.set(OBJECT_TYPE, object_type(identifier))
    for name, text in id_parts(identifier):
        etree.SubElement(element, f"{{{ID_NS}}}{name}").text = text
    return element


def read_text(element: etree._Element) -> str:
    """The whole character data of an element, comments and processing instructions left out.

    ``element.text`` alone would end at the first comment: ``1<!-- -->2`` must not read as ``1``.

    :raises Fault: ``invalid_xml`` when the element has child elements.
    """
    if not len(element):  # nothing inside, comments neither: nearly always
        return element.text or ""
    if any(True for _ in element.iterchildren(etree.Element)):
        raise Fault("invalid_xml", f"'{etree.QName(element).localname}' must hold only text")
    return "".join((element.text or "", *(child.tail or "" for child in element)))


_KINDS: dict[type[Identifier], str] = {
    ServiceId: "SERVICE",
    ServerId: "SERVER",
    GlobalGroupId: "GLOBALGROUP",
    LocalGroupId: "LOCALGROUP",
}


def _read_parts(element: etree._Element) -> dict[str, str]:
    parts: dict[str, str] = {}
    for child in element.iterchildren(etree.Element):
        name = etree.QName(child)
        if name.namespace != ID_NS or name.localname not in PARTS:
            continue
        if name.localname in parts:
            raise Fault("invalid_xml", f"'{name.localname}' occurs twice in an identifier")
        parts[name.localname] = read_text(child)
    return parts
