"""Reading SOAP: what a message says, and which refusal comes first."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xgate.errors import Fault
from xgate.wire.soap_message import SoapMessage
from xgate.wire.soap_read import read_soap

quickly = settings(max_examples=100, deadline=None)
SOAP = "http://schemas.xmlsoap.org/soap/envelope/"

CLIENT = """<x:client i:objectType="SUBSYSTEM"><i:xRoadInstance>XG</i:xRoadInstance>
<i:memberClass>COM</i:memberClass><i:memberCode>777</i:memberCode>
<i:subsystemCode>app</i:subsystemCode></x:client>"""
SERVICE = """<x:service i:objectType="SERVICE"><i:xRoadInstance>XG</i:xRoadInstance>
<i:memberClass>GOV</i:memberClass><i:memberCode>12</i:memberCode>
<i:serviceCode>lookUp</i:serviceCode></x:service>"""
ID = "<x:id>0d3b-17</x:id>"
VERSION = "<x:protocolVersion>4.0</x:protocolVersion>"
FIELDS = CLIENT + SERVICE + ID + VERSION
HEADER = f"<s:Header>{FIELDS}</s:Header>"
BODY = "<s:Body><lookUp/></s:Body>"
FAULT = "<s:Fault><faultcode>c</faultcode><faultstring>t</faultstring></s:Fault>"


def envelope(content: str, attributes: str = "") -> str:
    return (
        f'<s:Envelope xmlns:s="{SOAP}" xmlns:x="http://x-road.eu/xsd/xroad.xsd" '
        f'xmlns:i="http://x-road.eu/xsd/identifiers" {attributes}>{content}</s:Envelope>'
    )


def read(content: str, content_type: str = "text/xml") -> SoapMessage:
    message = read_soap(envelope(content).encode(), content_type)
    assert isinstance(message, SoapMessage)
    return message


def refusal(octets: bytes, content_type: str = "text/xml") -> str:
    with pytest.raises(Fault) as found:
        read_soap(octets, content_type)
    return str(found.value)


def test_a_message() -> None:
    message = read(HEADER + BODY, "text/xml; charset=UTF-8")
    assert str(message.client) == "SUBSYSTEM:XG/COM/777/app"
    assert str(message.service) == "SERVICE:XG/GOV/12/lookUp"
    assert (message.id, message.protocol_version) == ("0d3b-17", "4.0")
    assert (message.body_name, message.response, message.rpc) == ("lookUp", False, False)
    assert (message.security_server, message.user_id, message.request_hash) == (None, None, None)
    assert (message.charset, message.content_type) == ("utf-8", "text/xml; charset=UTF-8")


@pytest.mark.parametrize(
    "content",
    [
        BODY + HEADER,
        HEADER + "<other/>" + BODY,
        f"<s:Header>{CLIENT}{SERVICE}</s:Header>{BODY}<s:Header>{ID}{VERSION}</s:Header>",
        HEADER
        + "<s:Body> text <!-- c --><p:lookUpXy xmlns:p='urn:p'><a/><b/></p:lookUpXy></s:Body>",
        HEADER.replace("<x:id>", "<t:securityToken xmlns:t='urn:t'/><x:other/><x:id>") + BODY,
    ],
)
def test_what_is_accepted_beside_the_usual_order(content: str) -> None:
    assert read(content).id == "0d3b-17"


# Soap-protocol 5, row by row

MISSING = "missing_header_field: "
TABLE = [
    (HEADER.replace(' i:objectType="SERVICE"', ""), "invalid_xml: Missing objectType attribute"),
    (
        HEADER.replace(ID, ID + ID) + BODY,
        "duplicate_header_field: SOAP header contains duplicate field "
        "'{http://x-road.eu/xsd/xroad.xsd}id'",
    ),
    (HEADER.replace("SUBSYSTEM", "sub") + BODY, "invalid_xml: Unknown objectType: sub"),
    (HEADER.replace("SUBSYSTEM", "SERVER") + BODY, "invalid_xml: Unexpected objectType: SERVER"),
    (HEADER.replace("777", "") + BODY, "internal_error: 'memberCode' must not be blank"),
    (
        HEADER.replace("4.0", "5.0") + BODY,
        "invalid_protocol_version: Invalid protocol version (supported: 4.x, provided: 5.0)",
    ),
    (
        HEADER + BODY.replace("<lookUp/>", "<lookUp/><lookUp/>"),
        "invalid_body: Malformed SOAP message: body must have exactly one child element",
    ),
    (BODY, "missing_header: Malformed SOAP message: header missing"),
    (HEADER.replace(VERSION, "") + BODY, MISSING + "Required field 'protocolVersion' is missing"),
    (HEADER.replace(CLIENT, "") + BODY, MISSING + "Required field 'client' is missing"),
    (HEADER.replace(ID, "") + BODY, MISSING + "Required field 'id' is missing"),
    (HEADER.replace(SERVICE, "") + BODY, MISSING + "Message header must contain service id"),
    (HEADER, "missing_body: Malformed SOAP message: body missing"),
    (
        HEADER + "<s:Body/>",
        "invalid_body: Malformed SOAP message: body must have exactly one child element",
    ),
    (
        HEADER + "<s:Body><find/></s:Body>",
        "inconsistent_headers: "
        "Malformed SOAP message: service code does not match in header and body",
    ),
    # several at once: the first in the stream, then the first in the table
    (
        HEADER.replace("4.0", "5.0").replace(CLIENT, "") + "<s:Body><a/><b/></s:Body>",
        "invalid_protocol_version: Invalid protocol version (supported: 4.x, provided: 5.0)",
    ),
    (
        "<s:Body><a/><b/></s:Body>" + HEADER.replace("4.0", "5.0"),
        "invalid_body: Malformed SOAP message: body must have exactly one child element",
    ),
    ("<s:Header/>", MISSING + "Required field 'protocolVersion' is missing"),
    ("", "missing_header: Malformed SOAP message: header missing"),
    (
        f"<s:Header>{VERSION}</s:Header><s:Body><x/></s:Body>",
        MISSING + "Required field 'client' is missing",
    ),
]


@pytest.mark.parametrize(("content", "expected"), TABLE)
def test_the_first_thing_wrong_is_the_answer(content: str, expected: str) -> None:
    assert refusal(envelope(content).encode()) == expected


def test_an_envelope_is_judged_before_what_follows_it() -> None:
    assert refusal(envelope(HEADER).encode() + b"<trailing/>").startswith("missing_body")
    assert refusal(envelope(HEADER + BODY).encode() + b"<trailing/>").startswith("invalid_soap")


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"text",
        b"<a>",
        b"<a/>",
        b"<Envelope/>",
        b"<!DOCTYPE a><a/>",
        envelope(HEADER + BODY).replace("<lookUp/>", "<p:lookUp/>").encode(),
        b"<?xml version='1.0' encoding='x-none'?>" + envelope(HEADER + BODY).encode(),
        envelope(HEADER + BODY).replace("777", "\x00").encode(),
        envelope("<a>" * 200 + "</a>" * 200).encode(),
    ],
)
def test_what_is_no_envelope_is_invalid_soap(octets: bytes) -> None:
    assert refusal(octets).startswith("invalid_soap: ")


def test_a_root_of_another_namespace_is_no_envelope() -> None:
    octets = envelope(HEADER + BODY).replace(SOAP, "http://www.w3.org/2003/05/soap-envelope")
    assert refusal(octets.encode()) == "invalid_soap: Malformed SOAP message: envelope missing"


def test_the_size_is_bounded() -> None:
    octets = envelope(HEADER + BODY).encode()
    with pytest.raises(Fault, match="larger than"):
        read_soap(octets, "text/xml", limit=len(octets) - 1)
    read_soap(octets, "text/xml", limit=len(octets))


@pytest.mark.parametrize("first", ["<lookUp/>", "<deleteAll/>", FAULT, ""])
def test_a_second_body_is_refused_because_services_act_on_the_first(first: str) -> None:
    expected = "invalid_body: Malformed SOAP message: more than one body"
    assert refusal(envelope(f"{HEADER}<s:Body>{first}</s:Body>{BODY}").encode()) == expected


def test_service_code_of_the_body_is_only_a_beginning() -> None:
    assert read(HEADER + "<s:Body><lookUpResponse/></s:Body>").response


def test_rpc_is_the_encoding_style_of_the_envelope() -> None:
    encoding = "http://schemas.xmlsoap.org/soap/encoding/"
    for attribute, rpc in (
        (f's:encodingStyle="{encoding}"', True),
        (f'encodingStyle="{encoding}"', False),
        ('s:encodingStyle="urn:other"', False),
    ):
        message = read_soap(envelope(HEADER + BODY, attribute).encode(), "text/xml")
        assert isinstance(message, SoapMessage)
        assert message.rpc is rpc


# Content types, charsets, encodings


@pytest.mark.parametrize(
    "content_type",
    ["text/xml", "TEXT/XML;a=b", "application/xop+xml; type=x", 'text/xml; charset="Latin1"'],
)
def test_content_types_of_soap(content_type: str) -> None:
    assert read(HEADER + BODY, content_type).id == "0d3b-17"


@pytest.mark.parametrize("content_type", ["text/plain", "", "multipart/related", "text/xmlx"])
def test_other_content_types_come_before_everything(content_type: str) -> None:
    expected = f"invalid_content_type: Invalid content type: {content_type}"
    assert refusal(b"", content_type) == expected


def test_an_unknown_charset_comes_before_the_document() -> None:
    expected = "internal_error: Unsupported charset: klingon"
    assert refusal(b"", "text/xml; charset=klingon") == expected


def test_a_byte_order_mark_is_kept() -> None:
    octets = b"\xef\xbb\xbf" + envelope(HEADER + BODY).encode()
    message = read_soap(octets, "text/xml")
    assert isinstance(message, SoapMessage)
    assert message.octets == octets


@pytest.mark.parametrize("encoding", ["UTF-8", "ISO-8859-1", "windows-1252", "UTF-16"])
def test_the_declaration_decides_the_encoding(encoding: str) -> None:
    text = f'<?xml version="1.0" encoding="{encoding}"?>' + envelope(HEADER + BODY)
    octets = text.replace("0d3b-17", "õ-17").encode(encoding)
    message = read_soap(octets, "text/xml; charset=iso-8859-15")
    assert isinstance(message, SoapMessage)
    assert (message.id, message.charset) == ("õ-17", "iso8859-15")
    assert message.octets == octets


# Faults


def test_a_fault_is_returned_with_what_it_says_and_what_to_relay() -> None:
    octets = envelope(
        "<s:Body><s:Fault><faultcode>\n soap:Server </faultcode><faultstring>why</faultstring>"
        "<faultactor>who</faultactor><detail>x<q:faultDetail xmlns:q='urn:q'>uuid</q:faultDetail>"
        "</detail></s:Fault></s:Body>"
    ).encode()
    fault = read_soap(octets, "text/xml")
    assert isinstance(fault, Fault)
    assert (fault.code, fault.text) == ("soap:Server", "why")
    assert (fault.actor, fault.detail) == ("who", "uuid")
    assert fault.raw == octets
    assert fault.under("server.clientproxy") is fault


@pytest.mark.parametrize(
    "body",
    [
        FAULT,
        FAULT + "<lookUp/>",
        "<lookUp/>" + FAULT,
        "<s:Fault/>",
        "<s:Fault><detail>own text</detail></s:Fault>",
    ],
)
def test_a_fault_needs_no_header_and_outweighs_what_is_beside_it(body: str) -> None:
    assert isinstance(read_soap(envelope(f"<s:Body>{body}</s:Body>").encode(), "text/xml"), Fault)


def test_a_fault_of_no_namespace_is_just_an_element() -> None:
    assert refusal(envelope("<s:Body><Fault/></s:Body>").encode()).startswith("missing_header")


def test_a_wrong_header_is_still_wrong_before_a_fault() -> None:
    content = HEADER.replace("4.0", "3.0") + f"<s:Body>{FAULT}</s:Body>"
    assert refusal(envelope(content).encode()).startswith("invalid_protocol_version")


@pytest.mark.parametrize("encoding", ["ISO-8859-1", "UTF-16"])
def test_a_fault_is_relayed_in_utf_8_under_a_true_declaration(encoding: str) -> None:
    text = envelope(f"<s:Body>{FAULT.replace('>t<', '>tõ<')}</s:Body>")
    octets = f'<?xml version="1.0" encoding="{encoding}"?>{text}'.encode(encoding)
    fault = read_soap(octets, "text/xml")
    assert isinstance(fault, Fault)
    assert fault.raw == f'<?xml version="1.0" encoding="UTF-8"?>{text}'.encode()
    again = read_soap(fault.raw, "text/xml;charset=utf-8")
    assert isinstance(again, Fault)
    assert again.text == fault.text == "tõ"


@quickly
@given(
    st.binary(max_size=200)
    | st.tuples(st.integers(0, 900), st.binary(max_size=8)).map(
        lambda cut: (
            envelope(HEADER + BODY).encode()[: cut[0]]
            + cut[1]
            + envelope(HEADER + BODY).encode()[cut[0] + len(cut[1]) :]
        )
    )
)
def test_garbage_is_only_ever_refused(octets: bytes) -> None:
    try:
        outcome: object = read_soap(octets, "text/xml")
    except Fault as fault:
        outcome = fault
    assert isinstance(outcome, SoapMessage | Fault)


# What the reference accepts and refuses


def items(golden: Path, folder: str) -> dict[str, str]:
    listed = json.loads((golden / "expected.json").read_text())["items"]
    return {
        item["file"]: item["expect"]
        for item in listed
        if item["file"].startswith(folder)
        and not item.get("content_type", "").lower().startswith("multipart")
    }


@pytest.mark.reference
def test_messages_that_the_reference_refuses(golden: Path) -> None:
    refused = items(golden, "messages/soap/invalid/")
    assert len(refused) == 9
    for file, expected in refused.items():
        code = refusal((golden / file).read_bytes()).partition(":")[0]
        assert f"client.{code}" in expected or code in expected.split(), file


@pytest.mark.reference
def test_messages_that_the_reference_accepts(golden: Path) -> None:
    accepted = items(golden, "messages/soap/valid/")
    assert len(accepted) > 15
    for file in accepted:
        octets = (golden / file).read_bytes()
        if octets.startswith(b"--"):  # attachm2.answer and smallAttachment.query are multiparts
            continue
        message = read_soap(octets, "text/xml; charset=UTF-8")
        if "fault" in file:
            assert isinstance(message, Fault)
            assert message.code == ("CODE" if file.endswith("/fault.query") else "soap:Server")
            continue
        assert isinstance(message, SoapMessage)
        assert message.octets == octets
        assert message.response is file.endswith(".answer")
        assert message.rpc is file.endswith("simple-rpc.query")
        marked = read_soap(b"\xef\xbb\xbf" + octets, "text/xml")
        assert isinstance(marked, SoapMessage)
        assert marked.client == message.client


@pytest.mark.reference
def test_the_facts_of_simple_query(golden: Path) -> None:
    octets = (golden / "messages/soap/valid/simple.query").read_bytes()
    message = read_soap(octets, "text/xml")
    assert isinstance(message, SoapMessage)
    assert message.client.short == "EE/BUSINESS/consumer"
    assert message.service.short == "EE/BUSINESS/producer/testQuery"
    assert (message.user_id, message.id) == ("EE37702211234", "1234567890")


@pytest.mark.reference
def test_messages_of_real_servers(golden: Path) -> None:
    for folder in ("messages/real-7.4", "messages/soap/template"):
        for file in sorted((golden / folder).iterdir()):
            assert isinstance(read_soap(file.read_bytes(), "text/xml"), SoapMessage)
