"""Every row of the tables of faults for SOAP requests that an information system sends.

soap-protocol 5 (the message) and the first half of 9 (the consumer's side), word for word. All of
them leave with HTTP 200, nothing is sent on or logged, and the next message is served.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.journeys.rows import (
    SOAP_NS,
    Row,
    added,
    assert_told,
    for_server,
    good,
    instead,
    swapped,
    without,
)

from xgate.ids import ClientId

if TYPE_CHECKING:
    from tests.journeys.conftest import Caller

pytestmark = pytest.mark.usefixtures("served_on")

XML = (("Content-Type", "text/xml"), ("SOAPAction", '""'))
MULTIPART = (("Content-Type", "multipart/related; boundary=b"), ("SOAPAction", '""'))
SIDE = "server.clientproxy."


def typed(value: str) -> tuple[tuple[str, str], ...]:
    return (("Content-Type", value),)


def action(value: str) -> tuple[tuple[str, str], ...]:
    return (("Content-Type", "text/xml"), ("SOAPAction", value))


def parts(body: bytes, code: str, text: str, situation: str) -> Row:
    return Row(situation, f"client.{code}", text, instead(body), MULTIPART)


HEADS = [
    *(
        Row(
            f"{method} instead of POST",
            "client.invalid_http_method",
            f"Must use POST request method instead of {method}",
            instead(b""),
            method=method,
        )
        for method in ("GET", "PUT", "DELETE", "OPTIONS", "PATCH")
    ),
    Row("no Content-Type", f"{SIDE}internal_error", ".+", headers=()),
    Row("a blank Content-Type", f"{SIDE}internal_error", ".+", headers=typed("")),
    Row("a charset of nobody", f"{SIDE}internal_error", ".+", headers=typed("text/xml; charset=x")),
    Row(
        "another Content-Type",
        "client.invalid_content_type",
        "Invalid content type: application/json",
        headers=typed("application/json"),
    ),
    Row(
        "a multipart without a boundary",
        "client.invalid_content_type",
        "Invalid content type: multipart/related",
        headers=typed("multipart/related"),
    ),
    *(
        Row(
            f"SOAPAction {value}",
            "client.invalid_soap_action",
            "Malformed SOAPAction header",
            headers=action(value),
        )
        for value in ("bare", '"a b"', '"open', "''", '"%zz"')
    ),
]
PARTS = [
    parts(b"", "missing_soap", "Request does not contain SOAP message", "an empty multipart"),
    parts(b"--b--\r\n", "missing_soap", "Request does not contain SOAP message", "no parts"),
    parts(
        b"--b\r\n\r\nno type\r\n--b--\r\n",
        "invalid_content_type",
        "Could not get content type for part",
        "a first part without a type",
    ),
    parts(
        b"--b\r\nContent-Type: text/xml\r\n\r\n"
        + good()
        + b"\r\n--b\r\nX: y\r\n\r\nx\r\n--b--\r\n",
        "invalid_content_type",
        "Could not get content type for part",
        "an attachment without a type",
    ),
    parts(
        b"--b\r\nContent-Type: image/png\r\n\r\nx\r\n--b--\r\n",
        "invalid_content_type",
        "Invalid content type: image/png",
        "a first part that is no message",
    ),
    parts(b"--b\r\nContent-Type: text/xml\r\n\r\nx\r\n--b--\r\n", "invalid_soap", ".+", "no XML"),
    parts(
        b"--b\r\nX: " + b"y" * 2000 + b"\r\n\r\nx\r\n--b--\r\n",
        "mime_parsing_failed",
        ".+",
        "MIME out of its syntax",
    ),
]


def message(situation: str, code: str, text: str, *changes: object) -> Row:
    def change(octets: bytes) -> bytes:
        for one in changes:
            octets = one(octets)  # type: ignore[operator]
        return octets

    return Row(situation, f"client.{code}", text, change)


def twice(name: str, field: str) -> Row:
    return message(
        f"{name} twice",
        "duplicate_header_field",
        rf"SOAP header contains duplicate field '\{{http://x-road\.eu/xsd/.+\}}{name}'",
        added(field * 2),
    )


REQUIRED = "Required field '{}' is missing"
BODY = "Malformed SOAP message: body must have exactly one child element"
MESSAGES = [
    message("an empty body", "invalid_soap", ".+", lambda _: b""),
    message("no XML", "invalid_soap", ".+", lambda _: b"not xml"),
    message("XML that ends early", "invalid_soap", ".+", lambda octets: octets[:-30]),
    message("XML that goes on", "invalid_soap", ".+", lambda octets: octets + b"<more/>"),
    message("a DOCTYPE", "invalid_soap", ".+", swapped("?>", "?><!DOCTYPE e SYSTEM 'x'>")),
    message(
        "octets of no charset",
        "invalid_soap",
        ".+",
        lambda octets: octets.replace(b"id>", b"id>\xff"),
    ),
    message(
        "another root",
        "invalid_soap",
        "Malformed SOAP message: envelope missing",
        swapped("/soap/envelope/", "/soap/other/"),
    ),
    message(
        "no header",
        "missing_header",
        "Malformed SOAP message: header missing",
        without("e:Header"),
    ),
    message("no body", "missing_body", "Malformed SOAP message: body missing", without("e:Body")),
    message("an empty Body", "invalid_body", BODY, without("p:tell")),
    message("two elements in Body", "invalid_body", BODY, swapped("<e:Body>", "<e:Body><second/>")),
    message(
        "another operation than the service",
        "inconsistent_headers",
        "Malformed SOAP message: service code does not match in header and body",
        swapped("p:tell", "p:other", 2),
    ),
    *(
        message(f"no {name}", "missing_header_field", REQUIRED.format(name), without(f"xrd:{name}"))
        for name in ("protocolVersion", "client", "id")
    ),
    message(
        "no service",
        "missing_header_field",
        "Message header must contain service id",
        without("xrd:service"),
    ),
    message(
        "another version of the protocol",
        "invalid_protocol_version",
        r"Invalid protocol version \(supported: 4\.x, provided: 3\.1\)",
        swapped(">4.0<", ">3.1<"),
    ),
    message(
        "an identifier of no kind",
        "invalid_xml",
        "Missing objectType attribute",
        swapped(' id:objectType="SERVICE"', ""),
    ),
    message(
        "an identifier of an unknown kind",
        "invalid_xml",
        "Unknown objectType: OTHER",
        swapped('"SERVICE"', '"OTHER"'),
    ),
    message(
        "an identifier of another kind",
        "invalid_xml",
        "Unexpected objectType: SERVER",
        swapped('"SERVICE"', '"SERVER"'),
    ),
    *(
        message(
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
    message(
        "a blank serverCode",
        "internal_error",
        "'serverCode' must not be blank",
        for_server("GOV/200", " "),
    ),
    message(
        "a query id twice",
        "duplicate_header_field",
        r"SOAP header contains duplicate field '\{http://x-road\.eu/xsd/xroad\.xsd\}id'",
        swapped("</xrd:id>", "</xrd:id><xrd:id>two</xrd:id>"),
    ),
    twice("issue", "<xrd:issue>1</xrd:issue>"),
    twice(
        "representedParty",
        '<r:representedParty xmlns:r="http://x-road.eu/xsd/representation.xsd">'
        "<r:partyCode>1</r:partyCode></r:representedParty>",
    ),
]


@pytest.mark.parametrize("row", [*HEADS, *PARTS, *MESSAGES], ids=str)
async def test_what_is_wrong_with_a_request(caller: Caller, row: Row) -> None:
    headers = XML if row.headers is None else row.headers

    reply = await caller.send(row.method, "/any/where", headers, row.change(good("wrong-1")))

    assert_told(reply, row.code, row.text)
    assert reply.header("content-type") == "text/xml;charset=utf-8"
    assert reply.header("soapaction") == ""
    assert reply.header("content-length") == str(len(reply.body))
    assert caller.counts("wrong-1") == [0, 0]


async def test_a_fault_is_one_line_of_fixed_form(caller: Caller) -> None:
    reply = await caller.post(swapped(">4.0<", ">&lt;\"'&amp;<")(good()))

    head, _, tail = reply.body.decode().partition('<faultDetail xmlns="">')
    assert head == (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f'<SOAP-ENV:Envelope xmlns:SOAP-ENV="{SOAP_NS}"><SOAP-ENV:Body><SOAP-ENV:Fault>'
        "<faultcode>client.invalid_protocol_version</faultcode><faultstring>Invalid protocol "
        "version (supported: 4.x, provided: &lt;&quot;&apos;&amp;)</faultstring>"
        "<faultactor></faultactor><detail>"
    )
    detail, _, rest = tail.partition("<")
    assert len(detail) == 36
    assert rest == ("/faultDetail></detail></SOAP-ENV:Fault></SOAP-ENV:Body></SOAP-ENV:Envelope>")
    line = await caller.running.consumer.wait("exchange", detail=detail)
    assert line["code"] == "client.invalid_protocol_version"


# Who asks whom


ELSEWHERE = ClientId("XG", "GOV", "200", "nobody")
ABROAD = ClientId("YY", "GOV", "200", "registry")
GHOST = ClientId("XG", "COM", "100", "ghost")


@pytest.mark.parametrize(
    ("octets", "code", "text"),
    [
        (
            good("who-1", client=GHOST),
            "unknown_member",
            "Client 'SUBSYSTEM:XG/COM/100/ghost' not found",
        ),
        (
            good("who-1", provider=ELSEWHERE),
            "unknown_member",
            'Could not find addresses for service provider "SUBSYSTEM:XG/GOV/200/nobody"',
        ),
        (
            good("who-1", provider=ABROAD),
            "internal_error",
            "Shared params for instance identifier YY not found",
        ),
        (
            for_server("GOV/200", "NONE")(good("who-1")),
            "invalid_security_server",
            'Could not find security server "SERVER:XG/GOV/200/NONE"',
        ),
        (
            for_server("COM/100", "CONSUMER")(good("who-1")),
            "invalid_security_server",
            'Invalid security server "SERVER:XG/COM/100/CONSUMER"',
        ),
        (
            good("i" * 300),
            "logging_failed",
            ".+",
        ),
    ],
)
async def test_who_asks_whom(caller: Caller, octets: bytes, code: str, text: str) -> None:
    reply = await caller.post(octets)

    assert_told(reply, f"{SIDE}{code}", text)
    assert caller.counts("who-1") == caller.counts("i" * 300) == [0, 0]
