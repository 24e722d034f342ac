"""Identifiers of members, subsystems, services, servers and groups, and their text and URL forms.

The rule: an identifier is a frozen value compared exactly and by case; no part is trimmed, and no
part of it is blank (but a service version may be, as the reference has it). The XML form lives in
``wire.names``. Sources: soap-protocol 2 and 5, globalconf 4, rest-protocol 1 and 2.
"""

from __future__ import annotations

import re
from typing import NoReturn

import msgspec

from xgate.errors import Fault

__all__ = [
    "ClientId",
    "GlobalGroupId",
    "LocalGroupId",
    "RepresentedParty",
    "ServerId",
    "ServiceId",
    "Subject",
    "decode_segment",
    "encode_segment",
    "parse_client",
    "parse_represented_party",
    "parse_server",
    "parse_service",
    "parse_short_client",
    "parse_short_server",
]


class _Id(msgspec.Struct, frozen=True):
    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            part = getattr(self, name)
            if isinstance(part, str) and not part.strip() and name != "service_version":
                raise Fault("internal_error", f"'{_XML_NAMES[name]}' must not be blank")


class ClientId(_Id, frozen=True):
    """A member, or a subsystem of it when ``subsystem_code`` is given."""

    instance: str
    member_class: str
    member_code: str
    subsystem_code: str | None = None

    def __post_init__(self) -> None:
        # A country is some hundred thousand of these: the common case is one look at each part.
        if (
            self.instance.strip()
            and self.member_class.strip()
            and self.member_code.strip()
            and (self.subsystem_code is None or self.subsystem_code.strip())
        ):
            return
        super().__post_init__()

    @property
    def member(self) -> ClientId:
        """The member itself: this identifier without its subsystem."""
        if self.subsystem_code is None:
            return self
        return ClientId(self.instance, self.member_class, self.member_code)

    @property
    def object_type(self) -> str:
        """``MEMBER`` or ``SUBSYSTEM``."""
        return "MEMBER" if self.subsystem_code is None else "SUBSYSTEM"

    @property
    def parts(self) -> tuple[str, ...]:
        """The pieces in order, without an absent subsystem."""
        member = (self.instance, self.member_class, self.member_code)
        return member if self.subsystem_code is None else (*member, self.subsystem_code)

    @property
    def short(self) -> str:
        """``INST/CLASS/CODE[/SUB]``, for people and settings files."""
        return "/".join(self.parts)

    @property
    def url(self) -> str:
        """The REST header form: percent-encoded pieces joined by ``/``."""
        return "/".join(map(encode_segment, self.parts))

    def __str__(self) -> str:
        return f"{self.object_type}:{self.short}"


class ServiceId(_Id, frozen=True):
    """A service of a client; ``service_version`` exists only in SOAP, and "" is not None."""

    client: ClientId
    service_code: str
    service_version: str | None = None

    @property
    def parts(self) -> tuple[str, ...]:
        """The pieces in order, without what is absent."""
        tail = () if self.service_version is None else (self.service_version,)
        return (*self.client.parts, self.service_code, *tail)

    @property
    def short(self) -> str:
        """``INST/CLASS/CODE[/SUB]/SERVICE[/VERSION]``."""
        return "/".join(self.parts)

    @property
    def url(self) -> str:
        """The REST header form: percent-encoded pieces joined by ``/``."""
        return "/".join(map(encode_segment, self.parts))

    def __str__(self) -> str:
        return f"SERVICE:{self.short}"


class ServerId(_Id, frozen=True):
    """A security server: its owner (a member) and its code."""

    owner: ClientId
    server_code: str

    @property
    def short(self) -> str:
        """``INST/CLASS/CODE/SERVER``."""
        return f"{self.owner.short}/{self.server_code}"

    def __str__(self) -> str:
        return f"SERVER:{self.short}"


class GlobalGroupId(_Id, frozen=True):
    """A group kept by the central server of an instance."""

    instance: str
    group_code: str

    def __str__(self) -> str:
        return f"GLOBALGROUP:{self.instance}/{self.group_code}"


class LocalGroupId(_Id, frozen=True):
    """A group kept by one client on its own security server."""

    group_code: str

    def __str__(self) -> str:
        return f"LOCALGROUP:{self.group_code}"


class RepresentedParty(msgspec.Struct, frozen=True):
    """Whom a client acts for, in its own words: nothing is looked up, parts may be empty."""

    party_class: str | None
    party_code: str | None

    def __str__(self) -> str:
        return "/".join(part for part in (self.party_class, self.party_code) if part is not None)


Subject = ClientId | GlobalGroupId | LocalGroupId
"""Whom an access right can be given to."""

_XML_NAMES = {
    "instance": "xRoadInstance",
    "member_class": "memberClass",
    "member_code": "memberCode",
    "subsystem_code": "subsystemCode",
    "service_code": "serviceCode",
    "server_code": "serverCode",
    "group_code": "groupCode",
}


def encode_segment(text: str) -> str:
    """Percent-encode one piece of an identifier as UTF-8; RFC 3986 ``pchar`` stays as it is.

    :raises Fault: ``internal_error`` for text that is not Unicode (a lone surrogate).
    """
    return "".join(c if c in _PCHAR else _escape(c) for c in text)


def decode_segment(text: str) -> str:
    """Undo ``encode_segment``, strictly.

    :raises Fault: ``internal_error`` with the reference's wording for a character that must be
        escaped, a cut or a malformed escape, or octets that are not UTF-8.
    """
    if _PLAIN.fullmatch(text):
        return text
    octets = bytearray()
    position = 0
    while position < len(text):
        char = text[position]
        if char in _PCHAR:
            octets.append(ord(char))
            position += 1
            continue
        if char != "%":
            _refuse("Invalid character in path segment")
        pair = text[position + 1 : position + 3]
        if len(pair) < 2:
            _refuse("Incomplete percent encoding")
        if not _HEX_PAIR.fullmatch(pair):
            _refuse("Invalid percent encoding")
        octets.append(int(pair, 16))
        position += 3
    try:
        return octets.decode()
    except UnicodeDecodeError:
        _refuse("Invalid percent encoding")


def parse_client(text: str) -> ClientId:
    """Read ``inst/class/code[/subsystem]`` with percent-encoded pieces (``X-Road-Client``).

    :raises Fault: ``internal_error`` ``Invalid Client Id``, or as ``decode_segment``.
    """
    pieces = text.split("/")
    if len(pieces) not in (3, 4):
        _refuse("Invalid Client Id")
    return ClientId(*map(decode_segment, pieces))


def parse_service(text: str) -> ServiceId:
    """Read ``inst/class/code/subsystem/service`` with percent-encoded pieces (``X-Road-Service``).

    :raises Fault: ``internal_error``.
    """
    pieces = text.split("/")
    if len(pieces) != 5:
        _refuse("Invalid Service Id")
    *client, code = map(decode_segment, pieces)
    return ServiceId(ClientId(*client), code)


def parse_server(text: str) -> ServerId:
    """Read ``inst/class/code/server`` with percent-encoded pieces (``X-Road-Security-Server``).

    :raises Fault: ``internal_error`` ``Invalid SecurityServer Id``.
    """
    pieces = text.split("/")
    if len(pieces) != 4:
        _refuse("Invalid SecurityServer Id")
    *owner, code = map(decode_segment, pieces)
    return ServerId(ClientId(*owner), code)


def parse_represented_party(text: str) -> RepresentedParty:
    """Read ``[class/]code`` with percent-encoded pieces (``X-Road-Represented-Party``).

    :raises Fault: ``internal_error`` ``Invalid RepresentedParty Id``, or as ``decode_segment``.
    """
    pieces = text.split("/")
    if len(pieces) > 2:
        _refuse("Invalid RepresentedParty Id")
    *party_class, code = map(decode_segment, pieces)
    return RepresentedParty(party_class[0] if party_class else None, code)


def parse_short_client(text: str) -> ClientId:
    """Read ``INST/CLASS/CODE[/SUB]`` as people write it in settings files: nothing is escaped.

    A part that holds ``/`` itself has no short form.

    :raises Fault: ``internal_error``, naming the text.
    """
    pieces = text.split("/")
    if len(pieces) not in (3, 4):
        _refuse(f"'{text}' is not INSTANCE/CLASS/CODE or INSTANCE/CLASS/CODE/SUBSYSTEM")
    return ClientId(*pieces)


def parse_short_server(text: str) -> ServerId:
    """Read ``INST/CLASS/CODE/SERVER`` as people write it in settings files: nothing is escaped.

    :raises Fault: ``internal_error``, naming the text.
    """
    pieces = text.split("/")
    if len(pieces) != 4:
        _refuse(f"'{text}' is not INSTANCE/CLASS/CODE/SERVER")
    *owner, code = pieces
    return ServerId(ClientId(*owner), code)


_PCHAR = frozenset(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,;=:@"
)
_PLAIN = re.compile(r"[A-Za-z0-9\-._~!$&'()*+,;=:@]*")
_HEX_PAIR = re.compile("[0-9A-Fa-f]{2}")


def _escape(char: str) -> str:
    try:
        return "".join(f"%{octet:02X}" for octet in char.encode())
    except UnicodeEncodeError:
        _refuse("Identifier is not Unicode text")


def _refuse(text: str) -> NoReturn:
    raise Fault("internal_error", text)
