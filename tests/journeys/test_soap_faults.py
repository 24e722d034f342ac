"""Every row of the tables of faults for SOAP requests that an information system sends.

soap-protocol 5 (the message) and the first half of 9 (the consumer's side), word for word. All of
them leave with HTTP 200, nothing is sent on or logged, and the next message is served.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.journeys.rows import (
    MESSAGES,
    SOAP_NS,
    Row,
    assert_told,
    for_server,
    good,
    instead,
    swapped,
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


@pytest.mark.parametrize("row", [*HEADS, *PARTS, *MESSAGES], ids=str)
async def test_what_is_wrong_with_a_request(caller: Caller, row: Row) -> None:
    headers = XML if row.headers is None else row.headers

    reply = await caller.send(row.method, "/any/where", headers, row.change(good("wrong-1")))

    code = f"client.{row.code}" if row in MESSAGES else row.code
    assert_told(reply, code, row.text)
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
