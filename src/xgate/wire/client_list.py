"""The list of everybody in an instance, as information systems ask for it: XML or JSON.

The rule: an ``Accept`` element that is exactly ``application/json`` asks for JSON, in whatever
place and with whatever weight; XML is the answer to all else (metaservices 1).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec
from lxml import etree

from xgate.errors import Fault
from xgate.ids import ClientId
from xgate.wire.names import ID_NS, XROAD_NS, add_id, id_parts, object_type

__all__ = [
    "CLIENT_LIST_PATH",
    "ListedClient",
    "json_id",
    "wants_json",
    "write_client_list_json",
    "write_client_list_xml",
]

CLIENT_LIST_PATH = "/listClients"
"""The path of the request, with the method GET."""


class ListedClient(msgspec.Struct, frozen=True):
    """A member or subsystem: its identifier, its member's name, and its own if it has one."""

    id: ClientId
    name: str
    subsystem_name: str | None = None


def wants_json(accept: str | None) -> bool:
    """Whether the header ``Accept`` asks for JSON.

    :raises Fault: ``internal_error`` for an element that is no media range.
    """
    elements = [element.strip() for element in (accept or "*/*").split(",")]
    for element in elements:
        if not _MEDIA_RANGE.fullmatch(element):
            raise Fault("internal_error", f"Invalid mime type in Accept: {element}")
    return any(e.partition(";")[0].strip().lower() == "application/json" for e in elements)


def write_client_list_xml(clients: Iterable[ListedClient]) -> bytes:
    """The list as ``clientList``, UTF-8."""
    root = etree.Element(_tag("clientList"), nsmap={"xrd": XROAD_NS, "id": ID_NS})
    for client in clients:
        member = etree.SubElement(root, _tag("member"))
        add_id(member, _tag("id"), client.id)
        etree.SubElement(member, _tag("name")).text = client.name
        if client.subsystem_name is not None:
            etree.SubElement(member, _tag("subsystemName")).text = client.subsystem_name
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True)


def write_client_list_json(clients: Iterable[ListedClient]) -> bytes:
    """The list as a JSON object; what is not there has no key."""
    return msgspec.json.encode({"member": list(map(_json, clients))})


def json_id(identifier: ClientId) -> dict[str, str]:
    """An identifier as metadata services write it in JSON: ``xroad_instance`` and so on."""
    parts = {_snake(name): text for name, text in id_parts(identifier)}
    return dict(sorted({**parts, "object_type": object_type(identifier)}.items()))


def _json(client: ListedClient) -> dict[str, object]:
    fields: dict[str, object] = {"id": json_id(client.id), "name": client.name}
    if client.subsystem_name is not None:
        fields["subsystem_name"] = client.subsystem_name
    return fields


def _snake(name: str) -> str:
    if name == "xRoadInstance":
        return "xroad_instance"
    return re.sub("[A-Z]", lambda capital: f"_{capital[0].lower()}", name)


def _tag(name: str) -> str:
    return f"{{{XROAD_NS}}}{name}"


_WORD = r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"
_PARAMETER = rf'\s*;\s*{_WORD}(?:=(?:{_WORD}|"(?:[^"\\]|\\.)*"))?'
_MEDIA_RANGE = re.compile(rf"{_WORD}/{_WORD}(?:{_PARAMETER})*")
