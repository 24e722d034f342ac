"""Faults as documents: SOAP for servers and SOAP callers, JSON or XML for REST callers.

The rule: a fault that came from elsewhere is handed on as the XML that was received, never
translated; our own is one line of fixed form. Nothing but code, text, actor and detail leaves the
house. Sources: transport 7, soap-protocol 5 (fault detection) and 7, rest-protocol 7.
"""

from __future__ import annotations

import re

import msgspec

from xgate.errors import Fault
from xgate.wire.content_type import find_charset
from xgate.wire.fault_codes import new_code, old_code
from xgate.wire.names import SOAP_NS
from xgate.wire.xml import LIMIT, scan

__all__ = [
    "escape",
    "find_soap_fault",
    "new_code",
    "old_code",
    "read_soap_fault",
    "rest_status",
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


def read_soap_fault(data: bytes, *, limit: int = LIMIT) -> Fault:
    """The fault that a document holds; its XML is kept in ``raw``, as UTF-8.

    :raises Fault: ``invalid_soap`` for what is no XML; ``invalid_message`` for what is no fault.
    """
    fault = find_soap_fault(data, limit=limit)
    if fault is None:
        text = "Expected fault message, but got regular SOAP message"
        raise Fault("invalid_message", text)
    return fault


def find_soap_fault(data: bytes, *, limit: int = LIMIT) -> Fault | None:
    """As ``read_soap_fault``, but None for a document that is no fault.

    :raises Fault: ``invalid_soap`` for what is no XML.
    """
    found = _FaultScanner()
    scan(data, found, limit=limit, code="invalid_soap")
    if not found.seen:
        return None
    code = found.texts.get("faultcode", "").strip()
    return Fault(
        _NOT_PRINTABLE.sub("?", code) or "unknown",
        found.texts.get("faultstring", ""),
        detail=found.texts.get("faultDetail", found.texts.get("detail", "")),
        actor=found.texts.get("faultactor", ""),
        raw=_as_utf8(data),
    )


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
_XML_TYPES = {
    "text/xml": "text/xml",
    "application/xml": "application/xml",
    "text/*": "text/xml",
}
_FAULT = [f"{{{SOAP_NS}}}{name}" for name in ("Envelope", "Body", "Fault")]


class _FaultScanner:
    """Gathers the texts of ``Envelope/Body/Fault``; its children go by their local names."""

    def __init__(self) -> None:
        self.seen = False
        self.texts: dict[str, str] = {}
        self._path: list[str] = []
        self._pieces: list[str] = []

    def start(self, name: str, attributes: dict[str, str], offset: int) -> None:
        self._path.append(name)
        self._pieces = []
        if self._path == _FAULT:
            self.seen = True

    def text(self, text: str) -> None:
        self._pieces.append(text)

    def end(self, name: str, offset: int) -> None:
        if self._path[:3] == _FAULT:
            inner = [part.rpartition("}")[2] for part in self._path[3:]]
            if inner in _FAULT_FIELDS:
                self.texts.setdefault(inner[-1], "".join(self._pieces))
        self._path.pop()
        self._pieces = []


_FAULT_FIELDS = (
    ["faultcode"],
    ["faultstring"],
    ["faultactor"],
    ["detail"],
    ["detail", "faultDetail"],
)


def _find_xml_type(accept: str) -> str | None:
    for piece in accept.split(","):
        name = piece.partition(";")[0].strip().lower()
        if name in _XML_TYPES:
            return _XML_TYPES[name]
    return None


def _as_utf8(data: bytes) -> bytes:
    """The document in UTF-8, for it is handed on as such; the declaration is kept true."""
    encoding = _WIDE.get(data[:2])
    if encoding is None:
        named = _DECLARED.match(data)
        encoding = find_charset(named[1].decode("ascii", "replace")) if named else None
    if encoding is None or encoding in ("utf-8", "ascii"):
        return data
    text = data.decode(encoding, "replace").removeprefix("\ufeff")
    return ('<?xml version="1.0" encoding="UTF-8"?>' + _DECLARATION.sub("", text)).encode()


_WIDE = {
    b"\xff\xfe": "utf-16-le",
    b"<\0": "utf-16-le",
    b"\xfe\xff": "utf-16-be",
    b"\0<": "utf-16-be",
}
_DECLARED = re.compile(rb"""(?:\xef\xbb\xbf)?<\?xml[^>]{1,100}?encoding\s*=\s*["']([\w.-]+)""")
_DECLARATION = re.compile(r"^<\?xml[^>]*\?>")
