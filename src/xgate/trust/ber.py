"""Bring BER into DER: signed data that older libraries wrote with indefinite lengths.

The rule: values stay, only their encoding changes: lengths become definite and shortest, octet
strings in pieces become whole. Depth and size are bounded, so is the work. DER stays as it is,
octet for octet; what lies inside an octet string is not looked at.
"""

from __future__ import annotations

from xgate.trust.der import OCTET_STRING, DerError, encode

__all__ = ["to_der"]

_DEEPEST = 32
_CONSTRUCTED = 0x20
_END = b"\x00\x00"


def to_der(data: bytes, limit: int) -> bytes:
    """The one element that ``data`` consists of, with definite lengths.

    :param limit: greatest size of ``data`` in octets.
    :raises DerError: malformed, too long or too deep.
    """
    if len(data) > limit:
        raise DerError("the data is too long")
    element, end = _rewrite(data, 0, len(data), _DEEPEST)
    if end != len(data):
        raise DerError("unexpected data after the last element")
    return element


def _rewrite(data: bytes, start: int, end: int, depth: int) -> tuple[bytes, int]:
    """The element at ``start`` rewritten, and where the next one begins."""
    if depth == 0:
        raise DerError("the data is nested too deeply")
    tag, length, position = _read_head(data, start, end)
    if length is None:
        parts, position = _rewrite_all(data, position, end, depth, indefinite=True)
    elif tag & _CONSTRUCTED:
        parts, position = _rewrite_all(data, position, position + length, depth, indefinite=False)
    else:
        return encode(tag, data[position : position + length]), position + length
    if tag == OCTET_STRING | _CONSTRUCTED:
        return encode(OCTET_STRING, *(_octets(part) for part in parts)), position
    return encode(tag, *parts), position


def _rewrite_all(
    data: bytes, position: int, end: int, depth: int, *, indefinite: bool
) -> tuple[list[bytes], int]:
    parts: list[bytes] = []
    while indefinite or position < end:
        if indefinite and data[position : min(position + 2, end)] == _END:
            return parts, position + 2
        element, position = _rewrite(data, position, end, depth - 1)
        parts.append(element)
    return parts, position


def _read_head(data: bytes, start: int, end: int) -> tuple[int, int | None, int]:
    """Tag, length (None: indefinite) and where the content begins."""
    if end - start < 2:
        raise DerError("the data ends inside an element's head")
    tag, length, position = data[start], data[start + 1], start + 2
    if tag & 0x1F == 0x1F or tag == 0:
        raise DerError("a tag that is not used here")
    if length == 0x80:
        if not tag & _CONSTRUCTED:
            raise DerError("a primitive value of indefinite length")
        return tag, None, position
    if length & 0x80:
        octets = length & 0x7F
        if octets > 4 or position + octets > end:
            raise DerError("the length is too long")
        length = int.from_bytes(data[position : position + octets], "big")
        position += octets
    if position + length > end:
        raise DerError("the data ends inside an element")
    return tag, length, position


def _octets(part: bytes) -> bytes:
    """The content of one piece of an octet string, which is DER by now."""
    if part[0] != OCTET_STRING:
        raise DerError("an octet string in pieces holds something else")
    return part[2 + (part[1] & 0x7F if part[1] & 0x80 else 0) :]
