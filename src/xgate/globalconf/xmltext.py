"""Writing the configuration's XML in the form that central servers write.

The rule: four blanks for each level, prefixes ``ns2`` for identifiers and ``ns3`` for X-Road, text
as it is but for what XML demands. The form is free for us; keeping the reference's makes files
comparable, and equal content equal octets, so that hashes stay the same (globalconf 6).
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable

import msgspec

from xgate.errors import Fault
from xgate.ids import ClientId
from xgate.wire.names import ID_NS, XROAD_NS, id_parts

__all__ = ["Tag", "base64_tag", "client_tag", "maybe_tag", "write_document"]

_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Tag(msgspec.Struct, frozen=True):
    """An element: a name, text or elements inside, and attributes."""

    name: str
    content: str | tuple[Tag, ...]
    attributes: tuple[tuple[str, str], ...] = ()


def maybe_tag(name: str, text: str | None) -> tuple[Tag, ...]:
    """An element with this text, or nothing."""
    return () if text is None else (Tag(name, text),)


def base64_tag(name: str, octets: bytes) -> Tag:
    """An element with octets in base64, on one line."""
    return Tag(name, b64encode(octets).decode("ascii"))


def client_tag(name: str, client: ClientId) -> Tag:
    """An element that is a member or subsystem identifier."""
    parts = tuple(Tag(f"ns2:{part}", text) for part, text in id_parts(client))
    return Tag(name, parts, (("ns2:objectType", client.object_type),))


def write_document(root: str, content: Iterable[Tag]) -> bytes:
    """A document with the root element ``root`` of X-Road's namespace.

    :raises Fault: ``malformed_global_conf`` if a text holds what XML cannot carry.
    """
    spaces = (("xmlns:ns2", ID_NS), ("xmlns:ns3", XROAD_NS))
    pieces = [_HEAD]
    _write(Tag(f"ns3:{root}", tuple(content), spaces), "", pieces)
    text = "".join(pieces)
    if _NOT_XML.search(text):
        raise Fault("malformed_global_conf", "a text holds a character that XML does not allow")
    return text.encode()


def _write(tag: Tag, indent: str, pieces: list[str]) -> None:
    attributes = "".join(f' {name}="{_escape(value)}"' for name, value in tag.attributes)
    if isinstance(tag.content, str):
        text = tag.content.translate(_ESCAPES)
        pieces.append(f"{indent}<{tag.name}{attributes}>{text}</{tag.name}>\n")
    elif not tag.content:
        pieces.append(f"{indent}<{tag.name}{attributes}/>\n")
    else:
        pieces.append(f"{indent}<{tag.name}{attributes}>\n")
        for child in tag.content:
            _write(child, indent + "    ", pieces)
        pieces.append(f"{indent}</{tag.name}>\n")


def _escape(value: str) -> str:
    return value.translate(_ESCAPES).replace('"', "&quot;")
