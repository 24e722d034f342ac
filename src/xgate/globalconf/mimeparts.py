"""The frame of a signed directory: header blocks and raw parts, cut out and never rewritten.

The rule: what was signed are the octets between two delimiters, so parts are slices of the input.
Line ends may be CRLF or LF; the line end before a delimiter belongs to the delimiter; the last part
may lack its closing one (globalconf 3.1, 3.3, 11.3, 11.4). A multipart must open with its
delimiter: that ties the unsigned name of the inner boundary to the signed octets. Sizes are
bounded.
"""

from __future__ import annotations

import re
from typing import NoReturn

import msgspec

from xgate.errors import Fault

__all__ = ["HeaderValue", "RawPart", "read_part", "read_value", "split_parts"]

_MOST_HEADER_OCTETS = 8192
_MOST_BOUNDARY = 100
_HEADER = re.compile(r"([!#$%&'*+\-.^_`|~0-9A-Za-z]+)[ \t]*:[ \t]*(.*)", re.DOTALL)
_BLANK_LINE = re.compile(rb"\n\r?\n")
_PARAMETER = re.compile(r'\s*([^\s=;"]+)=("[^"]*"|[^;]*)\s*(?:;|$)')


class RawPart(msgspec.Struct, frozen=True):
    """Headers by lower-case name, and the body octets as they came."""

    headers: dict[str, str]
    body: bytes


class HeaderValue(msgspec.Struct, frozen=True):
    """A header's value before the first ``;`` and the parameters after it (names as written)."""

    base: str
    parameters: dict[str, str]


def split_parts(body: bytes, boundary: str, most: int) -> tuple[bytes, ...]:
    """The raw parts of a multipart body, each with its headers.

    :param most: how many parts there may be.
    :raises Fault: ``global_conf_parsing_downloaded_conf_directory_failure``.
    """
    if not 0 < len(boundary) <= _MOST_BOUNDARY or not boundary.isascii():
        _refuse("the boundary of a multipart is missing or not usable")
    mark = b"--" + boundary.encode("ascii")
    begin = _after_delimiter(body, 0, mark) if body.startswith(mark) else None
    parts: list[bytes] = []
    while begin is not None:
        end, begin_next = _next_delimiter(body, begin, mark)
        parts.append(body[begin:end])
        if len(parts) > most:
            _refuse(f"there are more than {most} parts")
        begin = begin_next
    return tuple(parts)


def read_part(octets: bytes) -> RawPart:
    """Split headers from body at the first blank line; without one there are only headers.

    :raises Fault: ``global_conf_parsing_downloaded_conf_directory_failure``.
    """
    if octets.startswith((b"\n", b"\r\n")):
        return RawPart({}, octets[octets.index(b"\n") + 1 :])
    blank = _BLANK_LINE.search(octets, 0, _MOST_HEADER_OCTETS)
    block, body = (octets[: blank.start()], octets[blank.end() :]) if blank else (octets, b"")
    if len(block) > _MOST_HEADER_OCTETS:
        _refuse("a header block is too large")
    return RawPart(_read_headers(block), body)


def read_value(text: str) -> HeaderValue:
    """Split a value such as ``A; b='c'``; values may be bare, in double or in single quotes.

    Names of parameters keep their case, and blanks around ``=`` are not taken (globalconf 3.3).

    :raises Fault: ``global_conf_parsing_downloaded_conf_directory_failure``.
    """
    base, _, rest = text.partition(";")
    parameters: dict[str, str] = {}
    position = 0
    while rest[position:].strip():
        match = _PARAMETER.match(rest, position)
        if match is None or match[1] in parameters:
            _refuse("the parameters of a header are malformed")
        parameters[match[1]] = _unquoted(match[2].strip())
        position = match.end()
    return HeaderValue(base.strip(), parameters)


def _unquoted(text: str) -> str:
    for quote in ('"', "'"):
        if len(text) >= 2 and text[0] == text[-1] == quote:
            return text[1:-1]
    return text


def _next_delimiter(body: bytes, begin: int, mark: bytes) -> tuple[int, int | None]:
    """Where the part that starts at ``begin`` ends, and where the next begins (None: no more)."""
    at = begin - 1  # the line end of the last delimiter may also be that of the next one
    while (at := body.find(b"\n" + mark, at)) >= 0:
        after = _after_delimiter(body, at + 1, mark)
        if after is not None or _closes(body, at + 1 + len(mark)):
            end = at - 1 if at > begin and body[at - 1 : at] == b"\r" else at
            return max(begin, end), after
        at += 1
    return len(body), None


def _after_delimiter(body: bytes, at: int, mark: bytes) -> int | None:
    """Where the line after the delimiter at ``at`` begins; None if it closes or is none."""
    rest = at + len(mark)
    if body.startswith(b"\n", rest):
        return rest + 1
    return rest + 2 if body.startswith(b"\r\n", rest) else None


def _closes(body: bytes, rest: int) -> bool:
    """Whether a delimiter followed by what stands at ``rest`` ends the multipart.

    The oldest central servers end the signed part with a bare delimiter (globalconf 3.1).
    """
    return rest == len(body) or body.startswith(b"--", rest)


def _read_headers(block: bytes) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in _unfolded(_text(block)):
        match = _HEADER.fullmatch(line)
        if match is None:
            _refuse("a header line is malformed")
        name = match[1].lower()
        if name in headers:
            _refuse(f"header '{name}' is repeated")
        headers[name] = match[2].strip()
    return headers


def _unfolded(text: str) -> list[str]:
    lines: list[str] = []
    for line in text.split("\n"):
        bare = line.rstrip("\r")
        if bare[:1] in (" ", "\t") and lines and bare.strip():
            lines[-1] += " " + bare.strip()
        elif bare:
            lines.append(bare)
    return lines


def _text(block: bytes) -> str:
    """Headers are UTF-8 from a central server and Latin-1 from a configuration proxy."""
    try:
        text = block.decode()
    except UnicodeDecodeError:
        text = block.decode("latin-1")
    if any(ord(char) < 32 and char not in "\t\r\n" for char in text):
        _refuse("a header holds a control character")
    return text


def _refuse(text: str) -> NoReturn:
    raise Fault("global_conf_parsing_downloaded_conf_directory_failure", text)
