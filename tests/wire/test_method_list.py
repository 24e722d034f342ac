"""Lists of services: in SOAP within the request's own envelope, in REST as JSON."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from xgate.errors import Fault
from xgate.ids import ClientId, ServiceId
from xgate.wire.method_list import (
    METASERVICES,
    ListedService,
    read_body_text,
    write_method_list,
    write_method_list_json,
    write_soap_answer,
)
from xgate.wire.names import ID_NS, SOAP_NS, XROAD_NS, read_id
from xgate.wire.soap import SoapMessage, read_soap

PROVIDER = ClientId("XG", "GOV", "12", "reg")
REQUEST = f"""<e:Envelope xmlns:e="{SOAP_NS}" xmlns:x="{XROAD_NS}" xmlns:i="{ID_NS}"><e:Header>
<x:client i:objectType="MEMBER"><i:xRoadInstance>XG</i:xRoadInstance>
<i:memberClass>COM</i:memberClass><i:memberCode>7</i:memberCode></x:client>
<x:service i:objectType="SERVICE"><i:xRoadInstance>XG</i:xRoadInstance>
<i:memberClass>GOV</i:memberClass><i:memberCode>12</i:memberCode>
<i:subsystemCode>reg</i:subsystemCode><i:serviceCode>listMethods</i:serviceCode></x:service>
<x:id>4711</x:id><x:userId>EE1</x:userId><x:protocolVersion>4.0</x:protocolVersion>
<mine xmlns="urn:mine">kept</mine></e:Header>
<e:Body><x:listMethods><x:serviceCode>getX</x:serviceCode></x:listMethods></e:Body></e:Envelope>
""".encode()


def test_the_answer_in_soap_has_the_requests_header_and_another_body() -> None:
    services = [ServiceId(PROVIDER, "getX", "v1"), ServiceId(PROVIDER, "getY")]
    octets = write_method_list(REQUEST, "listMethods", services)

    answer = read_soap(octets, "text/xml")
    assert isinstance(answer, SoapMessage)
    assert (answer.id, answer.user_id, answer.body_name) == ("4711", "EE1", "listMethodsResponse")
    assert b'<mine xmlns="urn:mine">kept</mine>' in octets
    (response,) = etree.fromstring(octets).iter(f"{{{XROAD_NS}}}listMethodsResponse")
    assert [read_id(service) for service in response] == services


def test_a_field_of_the_body_is_read_by_name() -> None:
    assert read_body_text(REQUEST, "serviceCode") == "getX"
    assert read_body_text(REQUEST, "serviceVersion") is None


@pytest.mark.parametrize(
    ("octets", "code"),
    [
        (b"<a/>", "invalid_body"),
        (f'<e:Envelope xmlns:e="{SOAP_NS}"><e:Body/></e:Envelope>'.encode(), "invalid_body"),
        (REQUEST[:-20], "invalid_xml"),
        (b"<!DOCTYPE a>" + REQUEST, "invalid_xml"),
    ],
)
def test_what_is_no_request_has_no_answer(octets: bytes, code: str) -> None:
    with pytest.raises(Fault) as refused:
        write_soap_answer(octets, lambda asked: asked)
    assert refused.value.code == code


def test_the_answer_in_rest_tells_the_endpoints() -> None:
    listed = [
        ListedService(ServiceId(PROVIDER, "people"), "OPENAPI", (("GET", "/people/*"),)),
        ListedService(ServiceId(ClientId("XG", "GOV", "12"), "bare"), "REST"),
    ]
    people, bare = json.loads(write_method_list_json(listed))["service"]
    assert people == {
        "member_class": "GOV",
        "member_code": "12",
        "object_type": "SERVICE",
        "service_code": "people",
        "service_type": "OPENAPI",
        "subsystem_code": "reg",
        "xroad_instance": "XG",
        "endpoint_list": [{"method": "GET", "path": "/people/*"}],
    }
    assert "subsystem_code" not in bare
    assert bare["endpoint_list"] == []
    assert json.loads(write_method_list_json([])) == {"service": []}


def test_the_servers_own_codes_are_reserved() -> None:
    assert {"listMethods", "allowedMethods", "getWsdl", "getOpenAPI"} < METASERVICES


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(REQUEST)), st.integers(0, 40), st.binary(max_size=20))
def test_a_request_with_a_piece_changed_is_answered_or_refused(
    start: int, length: int, put: bytes
) -> None:
    octets = REQUEST[:start] + put + REQUEST[start + length :]
    try:
        read_body_text(octets, "serviceCode")
        outcome = write_method_list(octets, "listMethods", [ServiceId(PROVIDER, "getX")])
    except Fault as fault:
        outcome = fault.code.encode()
    assert outcome in (b"invalid_xml", b"invalid_body") or b"listMethodsResponse" in outcome
