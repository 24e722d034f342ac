"""What may be logged where bodies may not: the parties and the service, and nothing else."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xgate.ids import ClientId, RepresentedParty, ServerId, ServiceId
from xgate.sandbox.messages import soap_request
from xgate.wire.bodiless import without_body
from xgate.wire.rest import (
    RestRequest,
    read_rest_call,
    read_rest_request,
    read_rest_response,
    write_rest_response,
)
from xgate.wire.soap import RequestHash, SoapMessage, read_soap

CONSUMER = ClientId("XG", "COM", "1", "app")
PROVIDER = ClientId("XG", "GOV", "2", "reg")


def soap(**fields: Any) -> SoapMessage:
    octets = soap_request(CONSUMER, PROVIDER, "look", "id-1", version="v1", content="<x>secret</x>")
    read = read_soap(octets, "text/xml")
    assert isinstance(read, SoapMessage)
    return msgspec.structs.replace(read, **fields)


def again(message: SoapMessage) -> SoapMessage:
    octets = without_body(message)
    assert b"secret" not in octets
    read = read_soap(octets, "text/xml; charset=UTF-8")
    assert isinstance(read, SoapMessage)
    return read


FIELDS = (
    "client",
    "service",
    "id",
    "user_id",
    "issue",
    "security_server",
    "represented_party",
    "request_hash",
    "protocol_version",
)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"user_id": "<&>", "issue": ""},
        {"security_server": ServerId(PROVIDER.member, "S")},
        {"represented_party": RepresentedParty("GOV", "3")},
        {"represented_party": RepresentedParty(None, "3"), "client": CONSUMER.member},
        {"request_hash": RequestHash("urn:a", "aGFzaA==")},
        {"request_hash": RequestHash(None, "aGFzaA==")},
        {"service": ServiceId(PROVIDER, "look"), "id": "ü ☂"},
    ],
)
def test_the_header_says_what_it_said_and_the_body_is_empty(fields: dict[str, Any]) -> None:
    message = soap(**fields)
    read = again(message)
    for name in FIELDS:
        assert getattr(read, name) == getattr(message, name), name
    assert (read.body_name, read.response) == ("look", False)
    assert read.octets.endswith(b"<SOAP-ENV:Body><xroad:look/></SOAP-ENV:Body></SOAP-ENV:Envelope>")


def test_an_answer_stays_an_answer() -> None:
    read = again(soap(body_name="lookResponse"))
    assert (read.body_name, read.response) == ("lookResponse", True)


def call() -> RestRequest:
    return read_rest_call(
        "POST",
        f"/r1/{PROVIDER.url}/look/people/42?name=secret",
        [
            ("Host", "h"),
            ("X-Road-Client", CONSUMER.url),
            ("X-Road-Id", "id-1"),
            ("x-RoAd-UserId", "me"),
            ("Authorization", "secret"),
            ("Content-Type", "text/plain"),
        ],
        request_id="5d8a6f6e-8b0e-4c2a-8a55-0a3f4f6c9f11",
        fresh_id="",
    )


def test_of_a_rest_request_the_service_stays_and_what_was_asked_of_it_does_not() -> None:
    request = call()
    octets = without_body(request)
    assert b"secret" not in octets
    assert octets.split(b"\r\n")[:2] == [b"POST", b"/r1/XG/GOV/2/reg/look"]
    read = read_rest_request(octets)
    assert (read.client, read.service, read.id) == (CONSUMER, request.service, "id-1")
    assert (read.user_id, read.request_id) == ("me", request.request_id)
    assert all(name.lower().startswith("x-road-") for name, _ in read.headers)


def test_of_a_rest_answer_the_status_stays() -> None:
    headers = [("Set-Cookie", "secret"), ("Content-Type", "text/secret")]
    answer = write_rest_response(call(), 404, "Not Found", headers, "aGFzaA==")
    octets = without_body(answer)
    assert b"secret" not in octets
    read = read_rest_response(octets)
    assert (read.status, read.reason, read.request_hash) == (404, "Not Found", "aGFzaA==")
    assert (read.client, read.id) == (CONSUMER, "id-1")


texts = st.text(
    st.characters(min_codepoint=33, max_codepoint=0xD7FF, exclude_categories=["C", "Z"])
)


@settings(max_examples=100, deadline=None)
@given(texts, texts, texts, texts)
def test_whatever_the_parties_are_called_they_stay(
    member: str, query: str, user: str, issue: str
) -> None:
    client = ClientId("XG", "COM", "1" + member.translate({ord(c): "" for c in "/\\%;:"}))
    message = soap(client=client, id="1" + query, user_id="1" + user, issue="1" + issue)
    read = again(message)
    assert (read.client, read.service, read.id) == (client, message.service, message.id)
    assert (read.user_id, read.issue) == (message.user_id, message.issue)
