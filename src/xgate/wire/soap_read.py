"""Reading SOAP: from octets to a message, or to the fault that they carry.

The rule: the document is read once, as a stream, and the first thing wrong in it is the answer, so
what is refused and with which words does not depend on what follows. The scanner bounds size and
depth. Source: soap-protocol 3 and 5.
"""

from __future__ import annotations

from typing import Any

import msgspec

from xgate.errors import Fault
from xgate.wire.content_type import find_charset, read_content_type
from xgate.wire.faults import read_soap_fault
from xgate.wire.names import SOAP_ENCODING_NS, SOAP_NS
from xgate.wire.soap_header import Facts, HeaderScope
from xgate.wire.soap_message import SoapMessage
from xgate.wire.soap_scope import Scope, ScopeReader, local_name
from xgate.wire.xml import LIMIT, Bounds, scan

__all__ = ["read_soap"]

_BOUNDS = Bounds()


def read_soap(
    octets: bytes, content_type: str, *, limit: int = LIMIT, bounds: Bounds = _BOUNDS
) -> SoapMessage | Fault:
    """The message that the octets hold; or the fault in them, which is returned and not raised.

    A returned fault is another party's: its ``raw`` is what is handed on, in UTF-8.

    :param content_type: the whole value of the message's (or its part's) Content-Type.
    :param limit: the largest message taken, in octets. :param bounds: of its form.
    :raises Fault: by soap-protocol 5, its codes and texts in its order; ``internal_error`` for a
        charset that is not known.
    """
    charset = _read_charset(content_type)
    document = _Document()
    scan(octets, ScopeReader(document), limit=limit, bounds=bounds, code="invalid_soap")
    envelope = document.envelope
    if envelope.fault:
        return read_soap_fault(octets, limit=limit, bounds=bounds)
    return SoapMessage(octets=octets, content_type=content_type, charset=charset, **envelope.fields)


def _read_charset(content_type: str) -> str:
    kind = read_content_type(content_type)
    if kind.base not in ("text/xml", "application/xop+xml"):
        raise Fault("invalid_content_type", f"Invalid content type: {kind.base}")
    name = kind.parameters.get("charset", "").strip() or "UTF-8"
    charset = find_charset(name)
    if charset is None:
        raise Fault("internal_error", f"Unsupported charset: {name}")
    return charset


class _Document(Scope):
    envelope: _Envelope

    def child(self, name: str, attributes: dict[str, str], offset: int) -> Scope:
        if name != f"{{{SOAP_NS}}}Envelope":
            raise Fault("invalid_soap", "Malformed SOAP message: envelope missing")
        encoding = attributes.get(f"{{{SOAP_NS}}}encodingStyle")
        self.envelope = _Envelope(rpc=encoding == SOAP_ENCODING_NS)
        return self.envelope


class _Envelope(Scope):
    """Header and Body in any order.

    A second Body is refused, though the reference takes the last: services act on the first, so
    the operation that was checked would not be the one that runs.
    """

    def __init__(self, *, rpc: bool) -> None:
        self._rpc = rpc
        self._header = HeaderScope(Facts())
        self._body: _Body | None = None

    @property
    def fault(self) -> bool:
        return self._body is not None and self._body.fault

    @property
    def fields(self) -> dict[str, Any]:
        """What ``SoapMessage`` is made of; complete once the Envelope has closed."""
        name = None if self._body is None else self._body.name
        return {**msgspec.structs.asdict(self._header.facts), "rpc": self._rpc, "body_name": name}

    def child(self, name: str, attributes: dict[str, str], offset: int) -> Scope | None:
        if name == f"{{{SOAP_NS}}}Header":
            return self._header
        if name == f"{{{SOAP_NS}}}Body":
            if self._body is not None:
                raise Fault("invalid_body", "Malformed SOAP message: more than one body")
            self._body = _Body()
            return self._body
        return None

    def close(self, text: str, offset: int) -> None:
        if self.fault:
            return
        if not self._header.finished:
            raise Fault("missing_header", "Malformed SOAP message: header missing")
        self._check_fields(self._header.facts)
        if self._body is None:
            raise Fault("missing_body", "Malformed SOAP message: body missing")
        if self._body.name is None:
            raise Fault("invalid_body", _ONE_CHILD)
        service = self._header.facts.service
        if service is not None and not self._body.name.startswith(service.service_code):
            raise Fault(
                "inconsistent_headers",
                "Malformed SOAP message: service code does not match in header and body",
            )

    @staticmethod
    def _check_fields(facts: Facts) -> None:
        for value, complaint in (
            (facts.protocol_version, "Required field 'protocolVersion' is missing"),
            (facts.client, "Required field 'client' is missing"),
            (facts.id, "Required field 'id' is missing"),
            (facts.service, "Message header must contain service id"),
        ):
            if value is None:
                raise Fault("missing_header_field", complaint)


class _Body(Scope):
    """One element, or a soap Fault; a fault outweighs an element beside it."""

    def __init__(self) -> None:
        self.name: str | None = None
        self.fault = False

    def child(self, name: str, attributes: dict[str, str], offset: int) -> Scope | None:
        if name == f"{{{SOAP_NS}}}Fault":
            self.fault = True
            return None
        if self.name is not None:
            raise Fault("invalid_body", _ONE_CHILD)
        self.name = local_name(name)
        return None


_ONE_CHILD = "Malformed SOAP message: body must have exactly one child element"
