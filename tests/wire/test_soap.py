"""SOAP: the hash of a request in its answer, and whether the two belong together."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path

import msgspec
import pytest

from xgate.algorithms import SHA512_URI
from xgate.errors import Fault
from xgate.ids import ClientId, RepresentedParty, ServiceId
from xgate.wire.attachments import SoapBodyReader
from xgate.wire.parts import Head
from xgate.wire.soap import (
    RequestHash,
    SoapMessage,
    check_consistent,
    check_request_hash,
    fault_of_caller,
    read_soap,
    with_request_hash,
)

DOCUMENT = """<?xml version="1.0" encoding="UTF-8"?>
<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"
            xmlns:xrd="http://x-road.eu/xsd/xroad.xsd" xmlns:id="http://x-road.eu/xsd/identifiers">
 <e:Header>
  <xrd:client id:objectType="SUBSYSTEM">
   <id:xRoadInstance>XG</id:xRoadInstance><id:memberClass>COM</id:memberClass>
   <id:memberCode>777</id:memberCode><id:subsystemCode>app</id:subsystemCode>
  </xrd:client>
  <xrd:service id:objectType="SERVICE">
   <id:xRoadInstance>XG</id:xRoadInstance><id:memberClass>GOV</id:memberClass>
   <id:memberCode>12</id:memberCode><id:subsystemCode>reg</id:subsystemCode>
   <id:serviceCode>lookUp</id:serviceCode><id:serviceVersion>v2</id:serviceVersion>
  </xrd:service>
  <xrd:userId>XG42</xrd:userId>
  <xrd:id>0d3b-17</xrd:id>
  <xrd:protocolVersion>4.0</xrd:protocolVersion>
 </e:Header>
 <e:Body><p:lookUp xmlns:p="urn:reg"><key>9</key></p:lookUp></e:Body>
</e:Envelope>
"""


def message(text: str, encoding: str = "utf-8") -> SoapMessage:
    read = read_soap(text.encode(encoding), "text/xml")
    assert isinstance(read, SoapMessage)
    return read


def digest(octets: bytes) -> bytes:
    return hashlib.sha512(octets).digest()


REQUEST = message(DOCUMENT)
ANSWER = message(DOCUMENT.replace("p:lookUp", "p:lookUpResponse").replace("<key>9</key>", "ok"))
HASHED = with_request_hash(ANSWER, digest(REQUEST.octets))


def refusal(request: SoapMessage, answer: SoapMessage) -> str:
    with pytest.raises(Fault) as found:
        check_consistent(request, answer)
    return str(found.value.under("server.clientproxy"))


# The request hash


def test_the_hash_stands_on_its_own_line_directly_after_id() -> None:
    value = base64.b64encode(digest(REQUEST.octets)).decode()
    assert HASHED.octets.decode() == ANSWER.octets.decode().replace(
        "<xrd:id>0d3b-17</xrd:id>",
        "<xrd:id>0d3b-17</xrd:id>\n"
        f'  <xrd:requestHash algorithmId="{SHA512_URI}">{value}</xrd:requestHash>',
    )


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "iso-8859-1"])
def test_the_answer_reads_as_the_same_message_with_the_hash(encoding: str) -> None:
    declared = encoding.removesuffix("-sig").upper()
    answer = message(
        DOCUMENT.replace('"UTF-8"', f'"{declared}"').replace("0d3b-17", "õ-17"), encoding
    )
    hashed = with_request_hash(answer, bytes(64))
    assert read_soap(hashed.octets, "text/xml") == hashed
    assert hashed.request_hash == RequestHash(SHA512_URI, base64.b64encode(bytes(64)).decode())
    assert answer == msgspec.structs.replace(
        hashed,
        octets=answer.octets,
        id_place=answer.id_place,
        request_hash=None,
        request_hash_place=None,
    )


def test_a_hash_that_the_service_sent_is_thrown_away() -> None:
    forged = '  <xrd:requestHash algorithmId="x">forged</xrd:requestHash>\n'
    for place in ("  <xrd:userId>", "  <xrd:protocolVersion>", " </e:Header>"):
        answer = message(ANSWER.octets.decode().replace(place, forged + place))
        assert answer.request_hash == RequestHash("x", "forged")
        assert with_request_hash(answer, digest(REQUEST.octets)).octets == HASHED.octets


def test_hashing_twice_changes_nothing() -> None:
    assert with_request_hash(HASHED, digest(REQUEST.octets)) == HASHED


# Whether the answer belongs to the request


def test_an_answer_that_belongs_to_its_request() -> None:
    check_consistent(REQUEST, HASHED)
    check_consistent(REQUEST, HASHED, digest(REQUEST.octets))


OTHER = ClientId("XG", "COM", "778")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("client", OTHER),
        ("service", ServiceId(REQUEST.service.client, "lookUp")),
        ("user_id", None),
        ("user_id", ""),
        ("issue", ""),
        ("represented_party", RepresentedParty(None, "5")),
        ("id", "0d3b-18"),
    ],
)
def test_fields_that_must_be_equal(field: str, value: object) -> None:
    answer = msgspec.structs.replace(HASHED, **{field: value})
    assert refusal(REQUEST, answer) == (
        "server.clientproxy.service_failed.inconsistent_response: "
        "Response from server proxy is not consistent with request"
    )


def test_fields_that_need_not_be_equal() -> None:
    check_consistent(REQUEST, msgspec.structs.replace(HASHED, protocol_version="4.9"))
    targeted = msgspec.structs.replace(REQUEST, security_server=None)
    check_consistent(targeted, HASHED)


def test_a_hash_must_be_there_and_be_that_of_the_request() -> None:
    assert refusal(REQUEST, ANSWER) == (
        "server.clientproxy.inconsistent_response: "
        "Response from server proxy is missing request message hash"
    )
    other = msgspec.structs.replace(REQUEST, octets=REQUEST.octets + b"\n")
    mismatch = (
        "server.clientproxy.inconsistent_response: "
        "Request message hash does not match request message"
    )
    assert refusal(other, HASHED) == mismatch
    assert HASHED.request_hash is not None
    for found in (
        RequestHash("http://www.w3.org/2001/04/xmlenc#sha256", HASHED.request_hash.value),
        RequestHash(None, HASHED.request_hash.value),
        RequestHash(SHA512_URI, ""),
        RequestHash(SHA512_URI, "not base64!"),
        RequestHash(SHA512_URI, "õ"),
    ):
        answer = msgspec.structs.replace(HASHED, request_hash=found)
        assert refusal(REQUEST, answer) == mismatch


def test_a_hash_may_be_broken_into_lines_and_name_its_algorithm_as_a_snapshot_did() -> None:
    assert HASHED.request_hash is not None
    value = HASHED.request_hash.value
    found = RequestHash("SHA-512", f"\n{value[:76]}\n{value[76:]}\n")
    check_request_hash(msgspec.structs.replace(HASHED, request_hash=found), digest(REQUEST.octets))


# A caller's own fault


@pytest.mark.parametrize(
    ("code", "told"),
    [("CODE", "client.code"), ("Client.Bad", "client.bad"), ("client", "client")],
)
def test_a_caller_that_sends_a_fault_is_told_its_own_words(code: str, told: str) -> None:
    fault = fault_of_caller(Fault(code, "text", actor="who", raw=b"<xml/>"))
    assert (fault.code, fault.text, fault.actor, fault.raw) == (told, "text", "who", None)


# The reference's own exchanges


@pytest.mark.reference
def test_real_requests_and_answers_belong_together(golden: Path) -> None:
    folder = golden / "messages" / "real-7.4"
    for name in ("getSecurityServerMetrics", "getSecurityServerOperationalData"):
        request = message((folder / f"{name}-request.xml").read_text())
        answer = message((folder / f"{name}-response.xml").read_text())
        check_consistent(request, answer)
        again = with_request_hash(answer, digest(request.octets))
        assert again.request_hash == answer.request_hash
        check_consistent(request, again)


@pytest.mark.reference
def test_the_request_hash_vector(golden: Path) -> None:
    vector = json.loads((golden / "vectors.json").read_text())["request_hash"]
    answer = read_soap((golden / vector["response"]).read_bytes(), "text/xml")
    assert isinstance(answer, SoapMessage)
    value = base64.b64encode(digest((golden / vector["request"]).read_bytes())).decode()
    assert answer.request_hash == RequestHash(SHA512_URI, value)


@pytest.mark.reference
def test_exchanges_of_the_reference_s_suite(golden: Path) -> None:
    folder = golden / "messages" / "soap" / "valid"
    for name in ("getstate", "getstate-subsystem", "cdata", "missing-userId"):
        request = message((folder / f"{name}.query").read_text())
        answer = message((folder / f"{name}.answer").read_text())
        if name != "missing-userId":  # its answer has other fields than its request
            check_consistent(request, with_request_hash(answer, digest(request.octets)))
    other = message((folder / "xml.query").read_text())
    answer = message((folder / "getstate.answer").read_text())
    assert refusal(other, answer).startswith(
        "server.clientproxy.service_failed.inconsistent_response"
    )


@pytest.mark.reference
def test_a_fault_from_a_caller_of_the_suite(golden: Path) -> None:
    fault = read_soap((golden / "messages/soap/valid/fault.query").read_bytes(), "text/xml")
    assert isinstance(fault, Fault)
    assert (fault.actor, fault.detail) == ("ACTOR", "DETAIL")
    assert str(fault_of_caller(fault)) == "client.code: STRING"


def read_body(octets: bytes, content_type: str) -> SoapMessage | Fault:
    reader = SoapBodyReader(content_type)
    heads = [event for event in (*reader.feed(octets), *reader.finish()) if isinstance(event, Head)]
    return read_soap(heads[0].octets, heads[0].content_type)


@pytest.mark.reference
def test_multiparts_of_the_suite(golden: Path) -> None:
    items = json.loads((golden / "expected.json").read_text())["items"]
    outcomes: dict[str, str] = {}
    for item in items:
        file, content_type = item["file"], item.get("content_type", "")
        if not file.startswith("messages/soap/") or "multipart" not in content_type.lower():
            continue
        try:
            found = read_body((golden / file).read_bytes(), content_type)
            outcomes[file] = "accepted" if isinstance(found, SoapMessage) else found.code
        except Fault as fault:
            outcomes[file] = fault.under("client").code
        assert outcomes[file] in item["expect"]
    refused = {file for file, outcome in outcomes.items() if outcome != "accepted"}
    assert refused == {
        "messages/soap/invalid/attachm-error.query",
        "messages/soap/invalid/attachm-no-soap.query",
    }
    assert len(outcomes) == 8


@pytest.mark.reference
def test_an_empty_body_is_called_by_its_type(golden: Path) -> None:
    octets = (golden / "messages/soap/invalid/empty.query").read_bytes()
    for content_type, code in (
        ("text/xml", "invalid_soap"),
        ("multipart/related; boundary=b", "missing_soap"),
    ):
        with pytest.raises(Fault) as found:
            read_body(octets, content_type)
        assert found.value.code == code
