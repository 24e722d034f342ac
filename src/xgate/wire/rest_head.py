"""The two transport parts of REST as lines: a first line, a second line, then ``Name:value`` lines.

The rule: written exactly one way (UTF-8, CRLF after every line, no blank after the colon, no empty
line), because the octets are what is hashed and signed; read strictly, because a header that two
parties could read differently proves nothing. Octets of HTTP headers become characters one to one
(ISO-8859-1) and go back the same way. Sources: rest-protocol 2 and 3, transport 5.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NoReturn

import msgspec

from xgate.errors import Fault

__all__ = ["HEAD_LIMIT", "Head", "Headers", "check_header", "is_skipped", "read_head", "write_head"]

HEAD_LIMIT = 64 * 1024
"""The largest part taken or made, in octets."""

Headers = tuple[tuple[str, str], ...]
"""Names and values in order, duplicates and spelling kept; a character up to U+00FF is an octet."""


class Head(msgspec.Struct, frozen=True):
    """A part taken apart: verb and target, or status and reason; and the headers."""

    first: str
    second: str
    headers: Headers


def is_skipped(name: str) -> bool:
    """Whether a header belongs to one connection only and never enters a part."""
    return name.lower() in _SKIPPED


def check_header(name: str, value: str) -> None:
    """Refuse a header that could not be written as one HTTP header line.

    :raises Fault: ``internal_error`` ``Invalid header: X``.
    """
    if not _TOKEN.fullmatch(name) or not _VALUE.fullmatch(value):
        _refuse(f"Invalid header: {_CONTROL.sub('?', name)}")


def write_head(first: str, second: str, headers: Iterable[tuple[str, str]]) -> bytes:
    """The octets of a part.

    :raises Fault: ``internal_error`` when it would be larger than ``HEAD_LIMIT`` or is not Unicode.
    """
    lines = [first, second, *(f"{name}:{value}" for name, value in headers), ""]
    try:
        octets = "\r\n".join(lines).encode()
    except UnicodeEncodeError:
        _refuse("REST message is not Unicode text")
    return _bounded(octets)


def read_head(octets: bytes) -> Head:
    """Take a received part apart. Lines may end at LF, CR or CRLF; nothing is trimmed.

    :raises Fault: ``internal_error`` for a part that is too large, not UTF-8 or has no second line,
        for an empty line, a line without colon, a header that belongs to the connection, or one
        that is no HTTP header.
    """
    try:
        text = _bounded(octets).decode()
    except UnicodeDecodeError:
        _refuse("REST message is not UTF-8")
    lines = _LINE_END.split(text)
    if lines[-1] == "":
        lines.pop()
    if len(lines) < 2:
        _refuse("REST message is incomplete")
    first, second, *rest = lines
    return Head(first, second, tuple(map(_read_line, rest)))


def _read_line(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon:
        _refuse("Invalid header")
    if is_skipped(name) or name.lower() in _TAKEN_FOR_FRAMING:
        _refuse(f"Invalid header: {name}")
    check_header(name, value)
    return name, value


def _bounded(octets: bytes) -> bytes:
    if len(octets) > HEAD_LIMIT:
        _refuse(f"REST message is larger than {HEAD_LIMIT} bytes")
    return octets


_SKIPPED = frozenset(
    {
        "transfer-encoding",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "upgrade",
        "connection",
        "user-agent",
        "host",
        "content-length",
        "server",
        "expect",
    }
)
# Whoever serves by CGI's names makes no difference between these and those with a hyphen.
_TAKEN_FOR_FRAMING = frozenset({"content_length", "transfer_encoding"})
# str.splitlines would also cut at U+0085 and U+2028, which are octets of a header value here.
_LINE_END = re.compile(r"\r\n|\r|\n")
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def _refuse(text: str) -> NoReturn:
    raise Fault("internal_error", text)
