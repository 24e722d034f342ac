"""Faults as documents: SOAP for servers and SOAP callers, JSON or XML for REST callers.

The rule: a fault that came from elsewhere is handed on as the XML that was received, never
translated; our own is one line of fixed form. Nothing but code, text, actor and detail leaves the
house. Sources: transport 7, soap-protocol 5 (fault detection) and 7, rest-protocol 7.
"""

from __future__ import annotations

import re
from functools import partial

import msgspec

from xgate.errors import Fault
from xgate.wire.content_type import find_charset
from xgate.wire.fault_codes import new_code, old_code
from xgate.wire.names import SOAP_NS
from xgate.wire.soap_scope import Scope, ScopeReader, TextScope, local_name
from xgate.wire.xml import LIMIT, Bounds, find_utf16, scan

__all__ = [
    "escape",
    "find_soap_fault",
    "new_code",
    "old_code",
    "read_soap_fault",
    "rest_status",
    "spelled_as_before",
    "write_rest_error",
    "write_soap_fault",
]


def write_soap_fault(fault: Fault) -> bytes:
    """The fault document: the XML as received for a relayed fault, else ours."""
    if fault.raw is not None:
        return fault.raw
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f'<SOAP-ENV:Envelope xmlns:SOAP-ENV="{SOAP_NS}"><SOAP-ENV:Body><SOAP-ENV:Fault>'
        f"<faultcode>{escape(fault.code)}</faultcode>"
        f"<faultstring>{escape(fault.text)}</faultstring>"
        f"<faultactor>{escape(fault.actor)}</faultactor>"
        f'<detail><faultDetail xmlns="">{escape(fault.detail)}</faultDetail></detail>'
        "</SOAP-ENV:Fault></SOAP-ENV:Body></SOAP-ENV:Envelope>"
    ).encode()


_BOUNDS = Bounds()


def read_soap_fault(data: bytes, *, limit: int = LIMIT, bounds: Bounds = _BOUNDS) -> Fault:
    """The fault that a document holds; its XML is kept in ``raw``, as UTF-8.

    :raises Fault: ``invalid_soap`` for what is no XML; ``invalid_message`` for what is no fault.
    """
    fault = find_soap_fault(data, limit=limit, bounds=bounds)
    if fault is None:
        text = "Expected fault message, but got regular SOAP message"
        raise Fault("invalid_message", text)
    return fault


def find_soap_fault(data: bytes, *, limit: int = LIMIT, bounds: Bounds = _BOUNDS) -> Fault | None:
    """As ``read_soap_fault``, but None for a document that is no fault.

    :raises Fault: ``invalid_soap`` for what is no XML.
    """
    found = _Found()
    reader = ScopeReader(_Way(found, *_WAY))
    scan(data, reader, limit=limit, bounds=bounds, code="invalid_soap")
    if not found.seen:
        return None
    code = found.texts.get("faultcode", "").strip()
    return Fault(
        _NOT_PRINTABLE.sub("?", code[:_LONGEST_CODE]) or "unknown",
        found.texts.get("faultstring", ""),
        detail=found.texts.get("faultDetail", found.texts.get("detail", "")),
        actor=found.texts.get("faultactor", ""),
        raw=_as_utf8(data),
    )


def spelled_as_before(fault: Fault) -> Fault:
    """The fault with its code as up to 7.7; a relayed one as it is (soap-protocol trap 1)."""
    if fault.raw is not None:
        return fault
    return Fault(old_code(fault.code), fault.text, detail=fault.detail, actor=fault.actor)


def rest_status(fault: Fault) -> int:
    """The HTTP status of an error for a REST caller: 500 for a server's fault, else 400.

    Both spellings of ``server.`` count, whatever the peer's age (rest-protocol trap 8).
    """
    return 500 if fault.code.lower().startswith("server.") else 400


def write_rest_error(fault: Fault, accept: str | None) -> tuple[str, bytes]:
    """The content type and the body of an error for a REST caller.

    :param accept: the caller's Accept header; several are joined with ``,``.
    """
    values = {"type": fault.code, "message": fault.text, "detail": fault.detail}
    content_type = _find_xml_type(accept or "")
    if content_type is None:
        return "application/json", msgspec.json.encode(
            {name: _WELL_FORMED.sub("", value) for name, value in values.items()}
        )
    fields = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in values.items())
    document = f'<?xml version="1.0" encoding="UTF-8"?><error>{fields}</error>'
    return f"{content_type};charset=utf-8", document.encode()


def escape(text: str) -> str:
    """Text for XML 1.0 as the reference escapes it: the five entities, controls as numbers where
    XML allows them and dropped where it does not (soap-protocol 7).
    """
    text = _ILLEGAL.sub("", text).translate(_ENTITIES)
    return _NUMBERED.sub(lambda match: f"&#{ord(match[0])};", text)


_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;"})
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NUMBERED = re.compile("[\x7f-\x84\x86-\x9f]")
_WELL_FORMED = re.compile("[\ud800-\udfff]")
# A fault code travels in an HTTP header and in logs.
_NOT_PRINTABLE = re.compile("[^!-~]")
_LONGEST_CODE = 500
_XML_TYPES = {
    "text/xml": "text/xml",
    "application/xml": "application/xml",
    "text/*": "text/xml",
}


class _Found(msgspec.Struct):
    seen: bool = False
    texts: dict[str, str] = {}

    def put(self, name: str, text: str) -> None:
        self.texts.setdefault(name, text)

    def field(self, name: str) -> Scope:
        return TextScope(partial(self.put, name))


class _Way(Scope):
    """The document, its Envelope, its Body: on the way to the Fault."""

    def __init__(self, found: _Found, *names: str) -> None:
        self._found = found
        self._name, *self._rest = names

    def child(self, name: str, attributes: dict[str, str], offset: int) -> Scope | None:
        if name != f"{{{SOAP_NS}}}{self._name}":
            return None
        if self._rest:
            return _Way(self._found, *self._rest)
        self._found.seen = True
        return _FaultScope(self._found)


class _FaultScope(Scope):
    """The Fault; its children go by their local names, and the first of a name counts."""

    def __init__(self, found: _Found) -> None:
        self._found = found

    def child(self, name: str, attributes: dict[str, str], offset: int) -> Scope | None:
        local = local_name(name)
        if local == "detail":
            return _DetailScope(self._found)
        return self._found.field(local) if local in _FAULT_FIELDS else None


class _DetailScope(Scope):
    def __init__(self, found: _Found) -> None:
        self._found = found

    def child(self, name: str, attributes: dict[str, str], offset: int) -> Scope | None:
        return self._found.field("faultDetail") if local_name(name) == "faultDetail" else None

    def close(self, text: str, offset: int) -> None:
        self._found.put("detail", text)


_WAY = ("Envelope", "Body", "Fault")
_FAULT_FIELDS = ("faultcode", "faultstring", "faultactor")


def _find_xml_type(accept: str) -> str | None:
    for piece in accept.split(","):
        name = piece.partition(";")[0].strip().lower()
        if name in _XML_TYPES:
            return _XML_TYPES[name]
    return None


def _as_utf8(data: bytes) -> bytes:
    """The document in UTF-8, for it is handed on as such; the declaration is kept true."""
    encoding = find_utf16(data)
    if encoding is None:
        named = _DECLARED.match(data)
        encoding = find_charset(named[1].decode("ascii", "replace")) if named else None
    if encoding is None or encoding in ("utf-8", "ascii"):
        return data
    text = data.decode(encoding, "replace").removeprefix("\ufeff")
    return ('<?xml version="1.0" encoding="UTF-8"?>' + _DECLARATION.sub("", text)).encode()


_DECLARED = re.compile(rb"""(?:\xef\xbb\xbf)?<\?xml[^>]{1,100}?encoding\s*=\s*["']([\w.-]+)""")
_DECLARATION = re.compile(r"^<\?xml[^>]*\?>")
