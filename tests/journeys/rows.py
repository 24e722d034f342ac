"""The rows of fault tables, and the changes to a good SOAP request that make each of them come."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from xgate.ids import ClientId
from xgate.sandbox.country import CONSUMER, PROVIDER
from xgate.sandbox.messages import soap_request

if TYPE_CHECKING:
    from tests.journeys.conftest import Reply

Change = Callable[[bytes], bytes]
SOAP_NS = "http://schemas.xmlsoap.org/soap/envelope/"


class Row(msgspec.Struct, frozen=True):
    """A situation, and the code and the text that name it.

    :ivar text: a regular expression for the whole of it. :ivar change: makes the situation from a
        good message. :ivar headers: of the request, None for those of a good one.
    """

    situation: str
    code: str
    text: str
    change: Change = lambda octets: octets
    headers: tuple[tuple[str, str], ...] | None = None
    method: str = "POST"

    def __str__(self) -> str:
        return self.situation


def assert_told(reply: Reply, code: str, text: str, status: int = 200) -> None:
    """This refusal is what the caller was told, word for word."""
    assert (reply.status, reply.code) == (status, code), reply.text
    assert re.fullmatch(text, reply.text, re.DOTALL), reply.text


def good(query: str = "query", code: str = "tell", **more: ClientId | str) -> bytes:
    """A request that would pass."""
    client, provider = more.pop("client", CONSUMER), more.pop("provider", PROVIDER)
    assert isinstance(client, ClientId)
    assert isinstance(provider, ClientId)
    return soap_request(client, provider, code, query, version="", **more)  # type: ignore[arg-type]


def instead(octets: bytes) -> Change:
    """Something else altogether."""
    return lambda _: octets


def swapped(old: str, new: str, count: int = 1) -> Change:
    """Some text in place of another."""

    def change(octets: bytes) -> bytes:
        assert old.encode() in octets
        return octets.replace(old.encode(), new.encode(), count)

    return change


def without(name: str) -> Change:
    """An element left out, with all that is in it."""

    def change(octets: bytes) -> bytes:
        start = octets.index(f"<{name}".encode())
        tail = f"</{name}>".encode()
        return octets[:start] + octets[octets.index(tail) + len(tail) :]

    return change


def added(field: str) -> Change:
    """One more field in the header."""
    return swapped("<xrd:userId>", f"{field}<xrd:userId>")


def for_server(owner: str, code: str) -> Change:
    """A security server named in the header; ``owner`` is CLASS/MEMBER."""
    member_class, member_code = owner.split("/")
    return added(
        '<xrd:securityServer id:objectType="SERVER"><id:xRoadInstance>XG</id:xRoadInstance>'
        f"<id:memberClass>{member_class}</id:memberClass>"
        f"<id:memberCode>{member_code}</id:memberCode>"
        f"<id:serverCode>{code}</id:serverCode></xrd:securityServer>"
    )


def _message(situation: str, code: str, text: str, *changes: Change) -> Row:
    def change(octets: bytes) -> bytes:
        for one in changes:
            octets = one(octets)
        return octets

    return Row(situation, code, text, change)


def _twice(name: str, field: str) -> Row:
    return _message(
        f"{name} twice",
        "duplicate_header_field",
        rf"SOAP header contains duplicate field '\{{http://x-road\.eu/xsd/.+\}}{name}'",
        added(field * 2),
    )


_REQUIRED = "Required field '{}' is missing"
_BODY = "Malformed SOAP message: body must have exactly one child element"
MESSAGES: list[Row] = [
    _message("an empty body", "invalid_soap", ".+", lambda _: b""),
    _message("no XML", "invalid_soap", ".+", lambda _: b"not xml"),
    _message("XML that ends early", "invalid_soap", ".+", lambda octets: octets[:-30]),
    _message("XML that goes on", "invalid_soap", ".+", lambda octets: octets + b"<more/>"),
    _message("a DOCTYPE", "invalid_soap", ".+", swapped("?>", "?><!DOCTYPE e SYSTEM 'x'>")),
    _message(
        "octets of no charset",
        "invalid_soap",
        ".+",
        lambda octets: octets.replace(b"id>", b"id>\xff"),
    ),
    _message(
        "another root",
        "invalid_soap",
        "Malformed SOAP message: envelope missing",
        swapped("/soap/envelope/", "/soap/other/"),
    ),
    _message(
        "no header",
        "missing_header",
        "Malformed SOAP message: header missing",
        without("e:Header"),
    ),
    _message("no body", "missing_body", "Malformed SOAP message: body missing", without("e:Body")),
    _message("an empty Body", "invalid_body", _BODY, without("p:tell")),
    _message(
        "two elements in Body", "invalid_body", _BODY, swapped("<e:Body>", "<e:Body><second/>")
    ),
    _message(
        "another operation than the service",
        "inconsistent_headers",
        "Malformed SOAP message: service code does not match in header and body",
        swapped("p:tell", "p:other", 2),
    ),
    *(
        _message(
            f"no {name}", "missing_header_field", _REQUIRED.format(name), without(f"xrd:{name}")
        )
        for name in ("protocolVersion", "client", "id")
    ),
    _message(
        "no service",
        "missing_header_field",
        "Message header must contain service id",
        without("xrd:service"),
    ),
    _message(
        "another version of the protocol",
        "invalid_protocol_version",
        r"Invalid protocol version \(supported: 4\.x, provided: 3\.1\)",
        swapped(">4.0<", ">3.1<"),
    ),
    _message(
        "an identifier of no kind",
        "invalid_xml",
        "Missing objectType attribute",
        swapped(' id:objectType="SERVICE"', ""),
    ),
    _message(
        "an identifier of an unknown kind",
        "invalid_xml",
        "Unknown objectType: OTHER",
        swapped('"SERVICE"', '"OTHER"'),
    ),
    _message(
        "an identifier of another kind",
        "invalid_xml",
        "Unexpected objectType: SERVER",
        swapped('"SERVICE"', '"SERVER"'),
    ),
    *(
        _message(
            f"a blank {name}", "internal_error", f"'{name}' must not be blank", swapped(old, new)
        )
        for name, old, new in (
            ("xRoadInstance", ">XG</id:xRoadInstance>", "></id:xRoadInstance>"),
            ("memberClass", ">GOV<", "> <"),
            ("memberCode", ">200<", ">\t<"),
            ("subsystemCode", ">portal<", "> <"),
            ("serviceCode", ">tell</id:serviceCode>", "> </id:serviceCode>"),
        )
    ),
    _message(
        "a blank serverCode",
        "internal_error",
        "'serverCode' must not be blank",
        for_server("GOV/200", " "),
    ),
    _message(
        "a query id twice",
        "duplicate_header_field",
        r"SOAP header contains duplicate field '\{http://x-road\.eu/xsd/xroad\.xsd\}id'",
        swapped("</xrd:id>", "</xrd:id><xrd:id>two</xrd:id>"),
    ),
    _twice("issue", "<xrd:issue>1</xrd:issue>"),
    _twice(
        "representedParty",
        '<r:representedParty xmlns:r="http://x-road.eu/xsd/representation.xsd">'
        "<r:partyCode>1</r:partyCode></r:representedParty>",
    ),
]
"""What can be wrong with a SOAP message, be it request or answer (soap-protocol 5).

The codes are without their prefix.
"""
