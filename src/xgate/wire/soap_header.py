"""The header fields of a SOAP message: which there are, and what each must look like.

The rule: a known field may come once, in any order; it counts when it has closed. An identifier's
``objectType`` must be allowed for the field but decides nothing else: a ``subsystemCode`` makes a
subsystem, its absence a member. A text is no longer than any log could keep, for it goes into logs,
faults and look-ups. Other fields (security tokens among them) are left alone.
Source: soap-protocol 2 and 5 (rows 4 to 9).
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from xgate.errors import Fault
from xgate.ids import ClientId, RepresentedParty, ServerId, ServiceId
from xgate.wire.names import (
    ID_NS,
    OBJECT_TYPE,
    REPRESENTATION_NS,
    XROAD_NS,
    build_client,
)
from xgate.wire.soap_message import Place, RequestHash
from xgate.wire.soap_scope import Scope, TextScope, local_name

__all__ = ["Facts", "HeaderScope"]


class Facts(msgspec.Struct):
    """What the header has said so far; the names are those of ``SoapMessage``."""

    client: ClientId | None = None
    service: ServiceId | None = None
    security_server: ServerId | None = None
    id: str | None = None
    user_id: str | None = None
    issue: str | None = None
    protocol_version: str | None = None
    represented_party: RepresentedParty | None = None
    request_hash: RequestHash | None = None
    id_place: Place | None = None
    request_hash_place: Place | None = None


class HeaderScope(Scope):
    """A soap Header; a second one adds to the first."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.finished = False

    def child(self, name: str, attributes: dict[str, str], offset: int) -> Scope | None:
        """The scope of a known field that did not come before."""
        if name not in _FIELDS:
            return None
        field, scope = _FIELDS[name]
        if getattr(self.facts, field) is not None:
            _refuse_duplicate(name)
        return scope(self.facts, field, attributes, offset)

    def close(self, text: str, offset: int) -> None:
        """A Header counts only when it is whole."""
        self.finished = True


class _Field(Scope):
    """A field that is one text."""

    def __init__(self, facts: Facts, field: str, attributes: dict[str, str], offset: int) -> None:
        self._facts = facts
        self._field = field
        self._attributes = attributes
        self._start = offset
        self.open()

    def open(self) -> None:
        """Look at the start tag."""

    def close(self, text: str, offset: int) -> None:
        self._put(_bounded(text))

    def _put(self, value: object) -> None:
        setattr(self._facts, self._field, value)


class _QueryId(_Field):
    def close(self, text: str, offset: int) -> None:
        self._put(_bounded(text))
        self._facts.id_place = Place(self._start, offset)


class _RequestHash(_Field):
    def close(self, text: str, offset: int) -> None:
        self._put(RequestHash(self._attributes.get("algorithmId"), _bounded(text)))
        self._facts.request_hash_place = Place(self._start, offset)


class _ProtocolVersion(_Field):
    def close(self, text: str, offset: int) -> None:
        if not text.startswith("4."):
            raise Fault(
                "invalid_protocol_version",
                f"Invalid protocol version (supported: 4.x, provided: {text[:100]})",
            )
        self._put(_bounded(text))


class _Composed(_Field):
    """A field made of parts that may come once each, in any order."""

    names: frozenset[str]

    def open(self) -> None:
        self._parts: dict[str, str] = {}

    def child(self, name: str, attributes: dict[str, str], offset: int) -> Scope | None:
        if name not in self.names:
            return None
        if name in self._parts:
            _refuse_duplicate(name)
        return TextScope(lambda text: self._parts.__setitem__(name, _bounded(text)))

    def close(self, text: str, offset: int) -> None:
        self._put(self.build({local_name(name): part for name, part in self._parts.items()}))

    def build(self, parts: Mapping[str, str]) -> object:
        raise NotImplementedError


class _RepresentedParty(_Composed):
    names = frozenset({f"{{{REPRESENTATION_NS}}}partyClass", f"{{{REPRESENTATION_NS}}}partyCode"})

    def build(self, parts: Mapping[str, str]) -> RepresentedParty:
        return RepresentedParty(parts.get("partyClass"), parts.get("partyCode"))


class _Identifier(_Composed):
    kinds: tuple[str, ...]

    def open(self) -> None:
        super().open()
        kind = self._attributes.get(OBJECT_TYPE)
        if kind is None:
            raise Fault("invalid_xml", "Missing objectType attribute")
        if kind not in _KINDS:
            raise Fault("invalid_xml", f"Unknown objectType: {kind[:100]}")
        if kind not in self.kinds:
            raise Fault("invalid_xml", f"Unexpected objectType: {kind}")


def _id_parts(*more: str) -> frozenset[str]:
    return frozenset(
        f"{{{ID_NS}}}{name}" for name in ("xRoadInstance", "memberClass", "memberCode", *more)
    )


class _Client(_Identifier):
    kinds = ("MEMBER", "SUBSYSTEM")
    names = _id_parts("subsystemCode")

    def build(self, parts: Mapping[str, str]) -> ClientId:
        return build_client(parts)


class _Service(_Identifier):
    kinds = ("SERVICE",)
    names = _id_parts("subsystemCode", "serviceCode", "serviceVersion")

    def build(self, parts: Mapping[str, str]) -> ServiceId:
        client = build_client(parts)
        return ServiceId(client, parts.get("serviceCode", ""), parts.get("serviceVersion"))


class _SecurityServer(_Identifier):
    kinds = ("SERVER",)
    names = _id_parts("serverCode")

    def build(self, parts: Mapping[str, str]) -> ServerId:
        return ServerId(build_client(parts), parts.get("serverCode", ""))


_KINDS = frozenset({"MEMBER", "SUBSYSTEM", "SERVICE", "SERVER", "GLOBALGROUP", "LOCALGROUP"})
_FIELDS: dict[str, tuple[str, type[_Field]]] = {
    f"{{{XROAD_NS}}}client": ("client", _Client),
    f"{{{XROAD_NS}}}service": ("service", _Service),
    f"{{{XROAD_NS}}}securityServer": ("security_server", _SecurityServer),
    f"{{{XROAD_NS}}}id": ("id", _QueryId),
    f"{{{XROAD_NS}}}userId": ("user_id", _Field),
    f"{{{XROAD_NS}}}issue": ("issue", _Field),
    f"{{{XROAD_NS}}}protocolVersion": ("protocol_version", _ProtocolVersion),
    f"{{{REPRESENTATION_NS}}}representedParty": ("represented_party", _RepresentedParty),
    f"{{{XROAD_NS}}}requestHash": ("request_hash", _RequestHash),
}


_LONGEST = 10_000


def _bounded(text: str) -> str:
    if len(text) > _LONGEST:
        text = f"Malformed SOAP message: a header field is longer than {_LONGEST} characters"
        raise Fault("invalid_soap", text)
    return text


def _refuse_duplicate(name: str) -> None:
    raise Fault("duplicate_header_field", f"SOAP header contains duplicate field '{name}'")
