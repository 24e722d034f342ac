"""Reading the configuration's XML: children by name, values by type, and one error for all of it.

The rule: a reader asks for what it needs; a missing or repeated element and a value of the wrong
type are refused, an element nobody asks for is passed over (globalconf 11.11, 11.17). Values are as
bounded as the document: ``wire.xml`` limits its size and depth before a tree exists.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from contextlib import contextmanager

from lxml import etree

from xgate.errors import Fault
from xgate.ids import ClientId
from xgate.wire import xml
from xgate.wire.names import ID_NS, OBJECT_TYPE, PARTS, XROAD_NS, build_client, read_text

__all__ = [
    "DOCUMENT_LIMIT",
    "Node",
    "check_size",
    "decode_base64",
    "malformed_as",
    "open_document",
    "read_client",
]

DOCUMENT_LIMIT = 128 * 1024 * 1024
"""Octets of one configuration part: half a kilobyte for each of 200,000 members, and some room."""

_NODES = 8_000_000  # a member with two subsystems, registered on a server, has some thirty

_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_BOOLEAN = {"true": True, "1": True, "false": False, "0": False}
_BLANK = str.maketrans("", "", " \t\r\n")


@contextmanager
def malformed_as(code: str, what: str) -> Iterator[None]:
    """Give every refusal inside the block this code, and say what was being read."""
    try:
        yield
    except Fault as fault:
        raise Fault(code, f"{what}: {fault.text}") from fault


class Node:
    """An element with its children by name; unqualified names, as the schemas use them."""

    __slots__ = ("_children", "element")

    def __init__(self, element: etree._Element) -> None:
        self.element = element
        children: dict[str, list[etree._Element]] = {}
        for child in element:
            tag = child.tag
            if isinstance(tag, str):
                if tag in children:
                    children[tag].append(child)
                else:
                    children[tag] = [child]
        self._children = children

    def elements(self, name: str) -> list[etree._Element]:
        """All children of this name, in order."""
        return self._children.get(name, [])

    def nodes(self, name: str) -> list[Node]:
        """All children of this name, in order, ready to be asked."""
        return [Node(child) for child in self.elements(name)]

    def find_element(self, name: str) -> etree._Element | None:
        """The only child of this name, or None.

        :raises Fault: there are several.
        """
        found = self.elements(name)
        if len(found) > 1:
            raise _malformed(f"element '{name}' is repeated")
        return found[0] if found else None

    def find(self, name: str) -> Node | None:
        """As ``find_element``, ready to be asked."""
        element = self.find_element(name)
        return None if element is None else Node(element)

    def node(self, name: str) -> Node:
        """The child of this name, which must be there once."""
        return Node(self.element_of(name))

    def element_of(self, name: str) -> etree._Element:
        """As ``node``, without a look at what is inside."""
        return _required(name, self.find_element(name))

    def find_text(self, name: str) -> str | None:
        """The text of the only child of this name, or None."""
        element = self.find_element(name)
        return None if element is None else read_text(element)

    def text(self, name: str) -> str:
        """The text of the child of this name, which must be there once."""
        found = self._children.get(name, ())
        element = found[0] if len(found) == 1 else self.element_of(name)
        return read_text(element)

    def texts(self, name: str) -> list[str]:
        """The texts of all children of this name."""
        return [read_text(element) for element in self.elements(name)]

    def octets(self, name: str) -> bytes:
        """The decoded content of a required base64 child."""
        return decode_base64(self.text(name))

    def find_octets(self, name: str) -> bytes | None:
        """The decoded content of an optional base64 child."""
        text = self.find_text(name)
        return None if text is None else decode_base64(text)

    def all_octets(self, name: str) -> tuple[bytes, ...]:
        """The decoded contents of all base64 children of this name."""
        return tuple(map(decode_base64, self.texts(name)))

    def boolean(self, name: str, *, default: bool) -> bool:
        """The value of an optional ``xs:boolean`` child."""
        text = self.find_text(name)
        if text is None:
            return default
        value = _BOOLEAN.get(text.strip())
        if value is None:
            raise _malformed(f"element '{name}' is not a boolean")
        return value

    def integer(self, name: str, *, least: int, most: int) -> int:
        """The value of a required ``xs:integer`` child within these bounds (globalconf 11.21)."""
        text = self.text(name).strip()
        if not _INTEGER.fullmatch(text) or not least <= int(text) <= most:
            raise _malformed(f"element '{name}' is not a number from {least} to {most}")
        return int(text)

    def check_only(self, *names: str) -> None:
        """Refuse children of other names (where the schema is closed and tiny).

        :raises Fault: ``malformed_global_conf``.
        """
        for name in self._children:
            if name not in names:
                raise _malformed("an element is not expected")


def check_size(data: bytes) -> None:
    """Refuse what is too large for a configuration, as ``open_document`` does.

    :raises Fault: ``invalid_xml``.
    """
    xml.check_size(data, limit=DOCUMENT_LIMIT, nodes=_NODES)


def open_document(data: bytes, root: str) -> Node:
    """The root of a document, which must have this name in X-Road's namespace.

    :raises Fault: ``invalid_xml``, ``malformed_global_conf``.
    """
    element = xml.parse(data, limit=DOCUMENT_LIMIT, nodes=_NODES, layout=False)
    if element.tag != f"{{{XROAD_NS}}}{root}":
        raise _malformed(f"the root element is not '{root}'")
    return Node(element)


def read_client(node: Node) -> ClientId:
    """The member or subsystem identifier that this element is.

    As in messages, a subsystem code makes it a subsystem whatever the type says: the reference
    writes such files and reads them so.

    :raises Fault: ``malformed_global_conf``; ``internal_error`` for a missing or blank part.
    """
    if node.element.get(OBJECT_TYPE) not in ("MEMBER", "SUBSYSTEM"):
        raise _malformed("an identifier is not that of a member or subsystem")
    found = {name: node.find_text(f"{{{ID_NS}}}{name}") for name in PARTS}
    return build_client({name: text for name, text in found.items() if text is not None})


def decode_base64(text: str) -> bytes:
    """Base64 with any blanks and line breaks in it (globalconf 11.19).

    :raises Fault: ``malformed_global_conf`` if it is not base64, or is empty.
    """
    try:
        octets = binascii.a2b_base64(text.translate(_BLANK), strict_mode=True)
    except ValueError:
        octets = b""
    if not octets:
        raise _malformed("a base64 value cannot be decoded")
    return octets


def _required(name: str, element: etree._Element | None) -> etree._Element:
    if element is None:
        raise _malformed(f"element '{name}' is missing")
    return element


def _malformed(text: str) -> Fault:
    return Fault("malformed_global_conf", text)
