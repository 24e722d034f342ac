"""Both protocols through one door."""

from __future__ import annotations

import hashlib

import msgspec
import pytest

from xgate.errors import Fault
from xgate.ids import ClientId, ServiceId
from xgate.wire.message import Answer, Request, check_answer, endpoint
from xgate.wire.rest import read_rest_call, request_hash, write_rest_response
from xgate.wire.soap import SoapMessage, with_request_hash
from xgate.wire.soap_message import Place

CLIENT = ClientId("XG", "COM", "777", "app")
SOAP = SoapMessage(
    octets=b"<x:id/>",
    content_type="text/xml",
    charset="utf-8",
    client=CLIENT,
    service=ServiceId(ClientId("XG", "GOV", "12", "reg"), "people"),
    id="1",
    protocol_version="4.0",
    body_name="people",
    id_place=Place(0, 7),
)
REST = read_rest_call(
    "PUT",
    "/r1/XG/GOV/12/reg/people/7?x",
    [("X-Road-Client", "XG/COM/777/app"), ("X-Road-Id", "1")],
    request_id="uuid",
    fresh_id="",
)
HEAD, BODY = hashlib.sha512(b"head").digest(), hashlib.sha512(b"body").digest()


@pytest.mark.parametrize("request_", [SOAP, REST])
def test_a_request_is_seen_the_same_way_in_both_protocols(request_: Request) -> None:
    assert (request_.client, request_.id) == (CLIENT, "1")
    assert request_.service.short == "XG/GOV/12/reg/people"
    assert (request_.security_server, request_.represented_party) == (None, None)
    assert (request_.user_id, request_.issue) == (None, None)
    assert isinstance(request_.octets, bytes)


def test_what_access_rights_look_at() -> None:
    assert endpoint(SOAP) is None
    assert endpoint(REST) == ("PUT", "/7")


def test_answers_that_belong() -> None:
    check_answer(SOAP, with_request_hash(SOAP, HEAD), HEAD)
    for body in (None, BODY):
        answer = write_rest_response(REST, 200, "OK", [], request_hash(HEAD, body))
        check_answer(REST, answer, HEAD, body)


@pytest.mark.parametrize(
    ("request_", "answer", "code"),
    [
        (SOAP, SOAP, "inconsistent_response"),
        (
            SOAP,
            msgspec.structs.replace(SOAP, id="2"),
            "service_failed.inconsistent_response",
        ),
        (REST, write_rest_response(REST, 200, "", [], "x"), "inconsistent_response"),
        (SOAP, write_rest_response(REST, 200, "", [], "x"), "service_failed.invalid_message"),
        (REST, SOAP, "service_failed.invalid_message"),
    ],
)
def test_answers_that_do_not(request_: Request, answer: Answer, code: str) -> None:
    with pytest.raises(Fault) as refusal:
        check_answer(request_, answer, HEAD)
    assert refusal.value.code == code
