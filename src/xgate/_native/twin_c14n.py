"""Canonical XML in plain Python over expat: the oracle of ``c14n`` in tests, never used in service.

The rule: it shares no thought with the C file. Expat decides what is well formed (first pass, with
its own namespace checks), this file only what the canonical form says (second pass). Expat knows
the names of XML 1.0 fourth edition, the C file those of the fifth: names with newer letters are
refused here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final
from xml.parsers import expat

from xgate.errors import Fault

__all__ = ["canonicalise"]

_MAX_SIZE: Final = 10 * 1024 * 1024
_MAX_OUTPUT: Final = 64 * 1024 * 1024
_MAX_DEPTH: Final = 100
_MAX_ATTRIBUTES: Final = 256
_MAX_PREFIXES: Final = 4096
_MAX_NAMESPACE: Final = 512

_XML: Final = "http://www.w3.org/XML/1998/namespace"
_ABSOLUTE: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]*")
_TEXT: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#xD;"})
_VALUE: Final = str.maketrans(
    {"&": "&amp;", "<": "&lt;", '"': "&quot;", "\t": "&#x9;", "\n": "&#xA;", "\r": "&#xD;"}
)


def canonicalise(
    document: bytes,
    element: int = 0,
    *,
    exclusive: bool = False,
    comments: bool = False,
    prefixes: Sequence[str] = (),
) -> bytes:
    """As ``xgate._native.c14n.canonicalise``, octet for octet and refusal for refusal.

    :raises Fault: ``invalid_xml``.
    """
    if len(document) > _MAX_SIZE or len(prefixes) > _MAX_PREFIXES // 2:
        raise _refusal("too long")
    listed = frozenset("" if prefix == "#default" else prefix for prefix in prefixes)
    writer = _Writer(element, listed if exclusive else None, comments)
    checking = expat.ParserCreate("utf-8", "\n")  # a line end is in no namespace name we accept
    writing = expat.ParserCreate("utf-8")
    writing.ordered_attributes = True
    writing.XmlDeclHandler = _check_declaration
    writing.StartDoctypeDeclHandler = _refuse_doctype
    writing.StartElementHandler = writer.start
    writing.EndElementHandler = writer.end
    writing.CharacterDataHandler = writer.text
    writing.CommentHandler = writer.comment
    writing.ProcessingInstructionHandler = writer.instruction
    try:
        document.decode()  # expat would follow the byte order mark of another encoding
        checking.Parse(document, True)
        writing.Parse(document, True)
    except (UnicodeDecodeError, expat.ExpatError) as error:
        raise _refusal(str(error)) from error
    return writer.result()


def _refusal(why: str) -> Fault:
    return Fault("invalid_xml", f"XML document: {why}")


def _check_declaration(version: str, encoding: str | None, standalone: int) -> None:
    if version != "1.0" or (encoding or "utf-8").lower() != "utf-8":
        raise _refusal("a version other than 1.0 or an encoding other than UTF-8")


def _refuse_doctype(*_: object) -> None:
    raise _refusal("a DOCTYPE")


class _Frame:
    """An open element: what prefixes mean, what the output says of them, xml: attributes."""

    def __init__(
        self, scope: dict[str, str], shown: dict[str, str], special: dict[str, str]
    ) -> None:
        self.scope = scope
        self.shown = shown
        self.special = special


class _Writer:
    """Handlers of one parse. ``listed`` is the PrefixList, or None for the inclusive form."""

    def __init__(self, element: int, listed: frozenset[str] | None, comments: bool) -> None:
        self._wanted = element
        self._listed = listed
        self._comments = comments
        self._elements = 0
        self._apex = 0
        self._found = False
        self._frames = [_Frame({}, {}, {})]
        self._prefixes = {"", "xml", *(listed or ())}
        self._out: list[str] = []

    def result(self) -> bytes:
        octets = "".join(self._out).encode()
        if not self._found:
            raise _refusal("no element of that index")
        if len(octets) > _MAX_OUTPUT:
            raise _refusal("a canonical form that is too long")
        return octets

    def start(self, name: str, flat: list[str]) -> None:
        if len(flat) // 2 > _MAX_ATTRIBUTES or len(self._frames) > _MAX_DEPTH:
            raise _refusal("too many attributes, or too deep")
        attributes = dict(zip(flat[::2], flat[1::2], strict=True))
        declared = self._take_declarations(attributes)
        outer = self._frames[-1]
        special = {key: value for key, value in attributes.items() if key.startswith("xml:")}
        frame = _Frame(outer.scope | declared, outer.shown, outer.special | special)
        self._frames.append(frame)
        if self._elements == self._wanted:
            self._found = True
            self._apex = len(self._frames)
        self._elements += 1
        if self._apex:
            self._write_start(frame, name, attributes, declared)

    def _take_declarations(self, attributes: dict[str, str]) -> dict[str, str]:
        declared = {}
        for key in [key for key in attributes if key.split(":")[0] == "xmlns"]:
            prefix, uri = key[6:], attributes.pop(key)
            if (uri and not _ABSOLUTE.fullmatch(uri)) or len(uri) > _MAX_NAMESPACE:
                raise _refusal("a namespace name that is no absolute URI")
            self._prefixes.add(prefix)
            if prefix != "xml":
                declared[prefix] = uri
        if len(self._prefixes) > _MAX_PREFIXES:
            raise _refusal("too many different prefixes")
        return declared

    def _write_start(
        self, frame: _Frame, name: str, attributes: dict[str, str], declared: Mapping[str, str]
    ) -> None:
        at_apex = self._apex == len(self._frames)
        prefixes = set(frame.scope if at_apex else declared)
        if self._listed is not None:
            prefixes &= self._listed
            prefixes |= {_prefix(name)} | {_prefix(key) for key in attributes if ":" in key}
        elif at_apex:
            attributes = frame.special | attributes
        new = {
            prefix: frame.scope.get(prefix, "")
            for prefix in prefixes - {"xml"}
            if frame.scope.get(prefix, "") != frame.shown.get(prefix, "")
        }
        frame.shown = frame.shown | new
        self._out.append(f"<{name}")
        for prefix in sorted(new):
            self._write_attribute(f"xmlns:{prefix}" if prefix else "xmlns", new[prefix])
        for key in sorted(attributes, key=lambda key: self._rank(frame, key)):
            self._write_attribute(key, attributes[key])
        self._out.append(">")

    def _rank(self, frame: _Frame, key: str) -> tuple[str, str]:
        prefix, _, local = key.rpartition(":")
        if not prefix:
            return "", local
        return _XML if prefix == "xml" else frame.scope[prefix], local

    def _write_attribute(self, key: str, value: str) -> None:
        self._out.append(f' {key}="{value.translate(_VALUE)}"')

    def end(self, name: str) -> None:
        if self._apex:
            self._out.append(f"</{name}>")
        if self._apex == len(self._frames):
            self._apex = 0
        self._frames.pop()

    def text(self, text: str) -> None:
        if self._apex:
            self._out.append(text.translate(_TEXT))

    def comment(self, text: str) -> None:
        if self._apex and self._comments:
            self._out.append(f"<!--{text}-->")

    def instruction(self, target: str, text: str) -> None:
        if self._apex:
            self._out.append(f"<?{target} {text}?>" if text else f"<?{target}?>")


def _prefix(name: str) -> str:
    return name.rpartition(":")[0]
