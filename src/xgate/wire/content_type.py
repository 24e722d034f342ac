"""The grammar of Content-Type values, and the charsets that messages may be in.

The rule: what is no parameter is ignored, but nothing that two readers could understand in two
ways passes. Sources: soap-protocol 3, transport 2; RFC 2045 5.1.
"""

from __future__ import annotations

import re

import msgspec

from xgate.errors import Fault

__all__ = ["ContentType", "find_charset", "read_content_type"]


class ContentType(msgspec.Struct, frozen=True):
    """A Content-Type: ``base`` in lower case, ``parameters`` by lower-case name."""

    base: str
    parameters: dict[str, str]

    @property
    def boundary(self) -> str | None:
        """The boundary parameter, if there is one that is not empty."""
        return self.parameters.get("boundary", "").rstrip(" ") or None


def read_content_type(value: str) -> ContentType:
    """Take a Content-Type apart.

    :raises Fault: ``invalid_content_type`` when a parameter is given twice with two values.
    """
    base, _, rest = value.partition(";")
    parameters: dict[str, str] = {}
    for match in _PARAMETER.finditer(rest):
        name, quoted = match["name"].lower(), match["quoted"]
        text = match["plain"].rstrip() if quoted is None else _QUOTED_PAIR.sub(r"\1", quoted)
        if parameters.setdefault(name, text) != text:
            raise Fault("invalid_content_type", f"Content type has two values for '{name}'")
    return ContentType(base.strip().lower(), parameters)


def find_charset(name: str) -> str | None:
    """Python's name of a charset that messages may use, or None.

    A table of patterns and not ``codecs.lookup``, which remembers every name it was asked for.
    """
    lowered = name.strip().lower()
    for pattern, codec in _CHARSETS:
        match = pattern.fullmatch(lowered)
        if match:
            return match.expand(codec)
    return None


_PARAMETER = re.compile(
    r"""(?:^|;)[ \t]*(?P<name>[^\s;=\"]+)[ \t]*=[ \t]*"""
    r"""(?:"(?P<quoted>(?:[^"\\]|\\.)*)"[^;]*|(?P<plain>[^;\"]*))(?=;|$)"""
)
_QUOTED_PAIR = re.compile(r"\\(.)")
_CHARSETS = tuple(
    (re.compile(pattern), codec)
    for pattern, codec in (
        (r"utf-?8", "utf-8"),
        (r"utf-?16", "utf-16"),
        (r"utf-?16(le|be)", r"utf-16-\1"),
        (r"us-ascii|ascii", "ascii"),
        (r"iso-?8859-([1-9]|1[013456])|latin-?(1)", r"iso8859-\1\2"),
        (r"(?:windows-|cp)(125[0-8])", r"cp\1"),
        (r"koi8-([ru])", r"koi8-\1"),
    )
)
