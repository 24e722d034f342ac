"""The header fields of MIME parts: looked up in any case, written so that no line breaks out.

The rule: names are kept as received and compared without case; of repeated fields the last one
counts; a field is written only when it is one line. Sources: transport 4 (writer),
soap-protocol 4.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from xgate.errors import Fault

__all__ = [
    "Headers",
    "check_field",
    "close_multipart",
    "find_header",
    "open_part",
    "without_content_type",
]

Headers = tuple[tuple[str, str], ...]
"""Header fields in order: names as received, values unfolded and without blanks around them."""


def find_header(headers: Iterable[tuple[str, str]], name: str) -> str | None:
    """The value of the last header field of this (lower-case) name, or None."""
    found = [value for key, value in headers if key.lower() == name]
    return found[-1] if found else None


def without_content_type(headers: Headers) -> Headers:
    """The header fields that are not Content-Type."""
    return tuple(field for field in headers if field[0].lower() != "content-type")


def check_field(text: str) -> None:
    """Refuse what a header field can not carry: controls, and characters beyond ISO-8859-1.

    :raises Fault: ``mime_parsing_failed``.
    """
    if _BROKEN.search(text):
        raise Fault("mime_parsing_failed", "a header field holds a character it can not carry")


def open_part(
    boundary: str,
    content_type: str,
    headers: Sequence[tuple[str, str]] = (),
    *,
    first: bool,
    blank: bool = True,
) -> bytes:
    """A delimiter line and a part's header, up to the place where the content begins.

    :param first: nothing was written before; otherwise a line end comes first.
    :param blank: put a blank after ``content-type:``.
    :raises Fault: ``mime_parsing_failed`` for a field that would not stay one line.
    """
    lines = [
        f"--{boundary}",
        f"content-type:{' ' if blank else ''}{content_type}",
        *(f"{name}: {value}" for name, value in headers),
    ]
    for line in lines:
        check_field(line)
    text = ("" if first else "\r\n") + "\r\n".join(lines) + "\r\n\r\n"
    return text.encode("latin-1")


def close_multipart(boundary: str) -> bytes:
    """The closing delimiter of a multipart that had a part."""
    return f"\r\n--{boundary}--\r\n".encode("latin-1")


_BROKEN = re.compile(r"[^\t\x20-\x7e\x80-\xff]")
