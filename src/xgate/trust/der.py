"""Read and write DER: the grammar under certificates, OCSP and timestamps.

The rule: one element at a time, driven by the caller's schema, so nothing recurses and no input
costs more than its own size. Only what X.690 calls distinguished is accepted: definite lengths in
their shortest form, one-octet tags, nothing left over. Every refusal is a ``DerError``; the caller
knows which ``Fault`` that is. ``trust.ber`` brings older encodings into this form.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import msgspec

from xgate.errors import Fault

__all__ = [
    "BIT_STRING",
    "BOOLEAN",
    "ENUMERATED",
    "GENERALIZED_TIME",
    "INTEGER",
    "NULL",
    "OCTET_STRING",
    "OID",
    "SEQUENCE",
    "SET",
    "UTC_TIME",
    "Cursor",
    "DerError",
    "Element",
    "context",
    "der_faults",
    "encode",
    "enter",
    "read",
    "read_bits",
    "read_boolean",
    "read_first",
    "read_integer",
    "read_oid",
    "read_time",
    "write_integer",
    "write_oid",
    "write_set_of",
    "write_time",
]

BOOLEAN = 0x01
INTEGER = 0x02
BIT_STRING = 0x03
OCTET_STRING = 0x04
NULL = 0x05
OID = 0x06
ENUMERATED = 0x0A
UTC_TIME = 0x17
GENERALIZED_TIME = 0x18
SEQUENCE = 0x30
SET = 0x31

_LONGEST_LENGTH = 4
_LONGEST_OID = 64


class DerError(ValueError):
    """The octets are not DER, or not of the expected shape."""


class Element(msgspec.Struct, frozen=True):
    """One encoded value: its identifier octet, its content, and the whole of it as it stood."""

    tag: int
    content: bytes
    raw: bytes


class Cursor:
    """Walks over the elements of a constructed value, in order.

    :param content: the content octets of a SEQUENCE, SET or explicit tag.
    """

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._position = 0

    def __bool__(self) -> bool:
        return self._position < len(self._content)

    def __iter__(self) -> Iterator[Element]:
        while self:
            yield self.take()

    def take(self, tag: int | None = None) -> Element:
        """The next element; with ``tag``, it must have that identifier octet.

        :raises DerError: there is none, it is malformed, or it is another one.
        """
        element = _element_at(self._content, self._position)
        if tag is not None and element.tag != tag:
            raise DerError(f"expected tag {tag:#04x}, found {element.tag:#04x}")
        self._position += len(element.raw)
        return element

    def maybe(self, tag: int) -> Element | None:
        """The next element if it has this identifier octet, else None and nothing moves."""
        if self and self._content[self._position] == tag:
            return self.take()
        return None

    def inside(self, tag: int = SEQUENCE) -> Cursor:
        """A cursor over the content of the next element, which must have this identifier octet."""
        return Cursor(self.take(tag).content)

    def end(self) -> None:
        """Nothing may follow.

        :raises DerError: something does.
        """
        if self:
            raise DerError("unexpected data after the last element")


@contextmanager
def der_faults(code: str, text: str) -> Iterator[None]:
    """Turn a ``DerError`` that leaves the block into ``Fault(code, "text: cause")``."""
    try:
        yield
    except DerError as error:
        raise Fault(code, f"{text}: {error}") from error


def read(data: bytes, tag: int | None = None) -> Element:
    """The one element that ``data`` consists of.

    :raises DerError: malformed, another tag, or data after it.
    """
    cursor = Cursor(data)
    element = cursor.take(tag)
    cursor.end()
    return element


def read_first(data: bytes) -> Element:
    """The element that ``data`` begins with; what follows is not looked at."""
    return _element_at(data, 0)


def enter(data: bytes, tag: int = SEQUENCE) -> Cursor:
    """A cursor inside the one constructed element that ``data`` consists of."""
    return Cursor(read(data, tag).content)


def context(number: int, *, constructed: bool = True) -> int:
    """The identifier octet of the context-specific tag ``[number]``."""
    return 0x80 | (0x20 if constructed else 0) | number


def _element_at(data: bytes, start: int) -> Element:
    if len(data) - start < 2:
        raise DerError("the data ends inside an element's head")
    tag = data[start]
    if tag & 0x1F == 0x1F:
        raise DerError("tags of several octets are not used here")
    length = data[start + 1]
    head = start + 2
    if length & 0x80:
        octets = length & 0x7F
        if not 1 <= octets <= _LONGEST_LENGTH:
            raise DerError("the length is indefinite or too long")
        length = int.from_bytes(data[head : head + octets], "big")
        head += octets
        if length < 0x80 or length >> (8 * (octets - 1)) == 0:
            raise DerError("the length is not in its shortest form")
    if head + length > len(data):
        raise DerError("the data ends inside an element")
    return Element(tag, data[head : head + length], data[start : head + length])


def read_integer(element: Element) -> int:
    """The value of an INTEGER or ENUMERATED, at most 64 octets long.

    :raises DerError: empty, padded or too long.
    """
    octets = element.content
    if not 1 <= len(octets) <= 64:
        raise DerError("the integer is empty or too long")
    if len(octets) > 1 and (octets[0], octets[1] >> 7) in ((0x00, 0), (0xFF, 1)):
        raise DerError("the integer is not in its shortest form")
    return int.from_bytes(octets, "big", signed=True)


def read_boolean(element: Element) -> bool:
    """The value of a BOOLEAN.

    :raises DerError: neither 00 nor FF.
    """
    if element.content not in (b"\x00", b"\xff"):
        raise DerError("a boolean is 00 or FF")
    return element.content == b"\xff"


def read_oid(element: Element) -> str:
    """The dotted text of an OBJECT IDENTIFIER.

    :raises DerError: empty, cut, padded or absurdly long.
    """
    octets = element.content
    if not 1 <= len(octets) <= _LONGEST_OID or octets[-1] & 0x80:
        raise DerError("the object identifier is empty, cut or too long")
    arcs = []
    value = 0
    fresh = True
    for octet in octets:
        if fresh and octet == 0x80:
            raise DerError("the object identifier is not in its shortest form")
        value = value << 7 | octet & 0x7F
        fresh = not octet & 0x80
        if fresh:
            arcs.append(value)
            value = 0
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, (first, arcs[0] - 40 * first, *arcs[1:])))


def read_bits(element: Element) -> tuple[bytes, int]:
    """The octets of a BIT STRING and how many bits of the last one are unused (and zero).

    :raises DerError: malformed.
    """
    if not element.content:
        raise DerError("a bit string has at least one octet")
    unused, octets = element.content[0], element.content[1:]
    if unused > 7 or (unused and (not octets or octets[-1] & ((1 << unused) - 1))):
        raise DerError("the bit string's padding is wrong")
    return octets, unused


_TIMES = {
    UTC_TIME: re.compile(rb"(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)()Z"),
    GENERALIZED_TIME: re.compile(rb"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(?:\.(\d{0,8}[1-9]))?Z"),
}


def read_time(element: Element) -> datetime:
    """A UTCTime or GeneralizedTime with seconds and ``Z``, as an aware datetime in UTC.

    Fractions finer than a microsecond are cut. Two-digit years: 50 and above are 19xx.

    :raises DerError: another type, or not a time.
    """
    pattern = _TIMES.get(element.tag)
    match = pattern.fullmatch(element.content) if pattern else None
    if match is None:
        raise DerError("a time is expected, with seconds and Z")
    year, month, day, hour, minute, second = map(int, match.groups()[:6])
    if element.tag == UTC_TIME:
        year += 1900 if year >= 50 else 2000
    fraction = int((match[7] or b"").ljust(6, b"0")[:6])
    try:
        return datetime(year, month, day, hour, minute, second, fraction, tzinfo=UTC)
    except ValueError as error:
        raise DerError(f"not a time: {error}") from error


def encode(tag: int, *parts: bytes) -> bytes:
    """One element: ``tag``, the length, the parts."""
    content = b"".join(parts)
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(octets))) + octets + content


def write_integer(value: int, tag: int = INTEGER) -> bytes:
    """An INTEGER (or ENUMERATED) in its shortest form."""
    return encode(
        tag, value.to_bytes((value + (value < 0)).bit_length() // 8 + 1, "big", signed=True)
    )


def write_oid(dotted: str) -> bytes:
    """An OBJECT IDENTIFIER from its dotted text."""
    first, second, *rest = map(int, dotted.split("."))
    octets = bytearray()
    for arc in (40 * first + second, *rest):
        groups = [arc & 0x7F]
        while arc := arc >> 7:
            groups.append(arc & 0x7F | 0x80)
        octets += bytes(reversed(groups))
    return encode(OID, bytes(octets))


def write_set_of(elements: list[bytes] | tuple[bytes, ...], tag: int = SET) -> bytes:
    """A SET OF (or a context tag in its place), its elements in DER's order."""
    return encode(tag, *sorted(elements))


def write_time(moment: datetime, tag: int = GENERALIZED_TIME) -> bytes:
    """An aware datetime as GeneralizedTime (microseconds, if any, kept) or UTCTime (cut)."""
    moment = moment.astimezone(UTC)
    if tag == UTC_TIME:
        return encode(tag, f"{moment:%y%m%d%H%M%S}Z".encode())
    fraction = f".{moment.microsecond:06}".rstrip("0") if moment.microsecond else ""
    return encode(tag, f"{moment.year:04}{moment:%m%d%H%M%S}{fraction}Z".encode())
