"""Putting the request hash into an answer without rewriting it.

The rule: octets are cut and inserted, nothing is parsed and printed again, so everything else in
the answer arrives as the service wrote it. The new element stands directly after the end of ``id``
and repeats its prefix and attributes, so whatever made ``id`` legal there makes it legal too.
Sources: soap-protocol 6 and its traps 3 and 4.
"""

from __future__ import annotations

import re

import msgspec

from xgate.algorithms import SHA512_URI
from xgate.wire.soap_message import Place

__all__ = ["Spliced", "splice_request_hash"]


class Spliced(msgspec.Struct, frozen=True):
    """The changed document, and where the two elements stand in it."""

    octets: bytes
    id_place: Place
    request_hash_place: Place


def splice_request_hash(octets: bytes, id_place: Place, old: Place | None, value: str) -> Spliced:
    """A document with a ``requestHash`` of this value after its ``id``, and without the old one.

    White space before the old element goes with it; white space before ``id`` is repeated before
    the new one, so that it stands on a line of its own where ``id`` does. A UTF-8 byte order mark
    is dropped.

    :param octets: a document that the scanner has read, with places from that reading.
    :param value: base64.
    """
    markup = _Markup(octets, id_place.start)
    end = markup.end(id_place)
    tag = _START_TAG.match(markup.text(id_place.start, end))
    if tag is None:  # the scanner found an element there, so the places are not of these octets
        raise ValueError("there is no start tag at the place of id")
    blanks = octets[markup.blanks_before(id_place.start) : id_place.start]
    opening, closing = map(markup.encode, _element(tag, value))
    edits = [(end, end, blanks + opening + closing)]
    if octets.startswith(_BOM):
        edits.append((0, len(_BOM), b""))
    if old is not None:
        edits.append(markup.removal(old))

    def moved(position: int) -> int:
        return position + sum(
            len(new) - (last - first) for first, last, new in edits if first < position
        )

    start = moved(end) + len(blanks)
    id_place = Place(moved(id_place.start), moved(id_place.closed))
    for first, last, new in sorted(edits, reverse=True):
        octets = octets[:first] + new + octets[last:]
    return Spliced(octets, id_place, Place(start, start + len(opening)))


def _element(tag: re.Match[str], value: str) -> tuple[str, str]:
    """The new element up to its end tag, and its end tag."""
    prefix, colon, _ = tag["name"].rpartition(":")
    name = f"{prefix}{colon}requestHash"
    attributes = "".join(
        attribute[0]
        for attribute in _ATTRIBUTE.finditer(tag["attributes"])
        if attribute["name"] != "algorithmId"
    )
    return f'<{name}{attributes} algorithmId="{SHA512_URI}">{value}', f"</{name}>"


class _Markup:
    """The octets as markup, in the encoding that the tag at ``start`` shows.

    ISO-8859-1 stands for all encodings in which markup is ASCII: it carries every other octet
    through unchanged.
    """

    def __init__(self, octets: bytes, start: int) -> None:
        self._octets = octets
        self._codec, self._width = "latin-1", 1
        if octets[start : start + 2] == b"<\0":
            self._codec, self._width = "utf-16-le", 2
        elif octets[start : start + 1] == b"\0":
            self._codec, self._width = "utf-16-be", 2
        self._bracket = self.encode(">")
        self._blanks = tuple(map(self.encode, " \t\r\n"))

    def encode(self, text: str) -> bytes:
        return text.encode(self._codec, "surrogatepass")

    def text(self, first: int, last: int) -> str:
        return self._octets[first:last].decode(self._codec, "surrogatepass")

    def end(self, place: Place) -> int:
        """The octet after an element, its end tag included."""
        tag = _START_TAG.fullmatch(self.text(place.start, place.closed))
        if tag is not None and tag["empty"]:
            return place.closed
        # An end tag is a name and blanks: in UTF-16, too, no two of their halves make a bracket.
        return self._octets.index(self._bracket, place.closed) + self._width

    def blanks_before(self, start: int) -> int:
        """Where the white space before ``start`` begins, seen no further back than is pretty."""
        first = start
        while start - first < _PRETTY and self._octets[first - self._width : first] in self._blanks:
            first -= self._width
        return first

    def removal(self, place: Place) -> tuple[int, int, bytes]:
        """The edit that takes an element away with the blanks before it."""
        start, end = self.blanks_before(place.start), self.end(place)
        around = self.text(start - self._width, start) + self.text(end, end + self._width)
        left = " " if around == "]>" else ""  # a text "]]" and a ">" must not meet
        return start, end, self.encode(left)


_BOM = b"\xef\xbb\xbf"
_PRETTY = 400
# re.ASCII: in octets read as ISO-8859-1 a part of a UTF-8 character must not count as a blank.
_ATTRIBUTE = re.compile(r"""\s+(?P<name>[^\s=<>/"']+)\s*=\s*(?:"[^"]*"|'[^']*')""", re.ASCII)
_START_TAG = re.compile(
    r"""<(?P<name>[^\s<>/="']+)(?P<attributes>(?:\s+[^\s=<>/"']+\s*=\s*(?:"[^"]*"|'[^']*'))*)"""
    r"""\s*(?P<empty>/?)>""",
    re.ASCII,
)
