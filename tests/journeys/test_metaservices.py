"""What security servers tell: of their clients' services, and of everybody in an instance."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from lxml import etree
from tests.journeys.fault_table import assert_in_table

from xgate.sandbox.country import CONSUMER, PROVIDER
from xgate.wire.attachments import Head, PartBegin, PartData, SoapBodyReader
from xgate.wire.names import ID_NS, SOAP_NS, XROAD_NS

if TYPE_CHECKING:
    from tests.journeys.conftest import Caller, Reply

XRD = f"{{{XROAD_NS}}}"


def codes_in(reply: Reply) -> set[str]:
    """The service codes in a SOAP list."""
    (body,) = etree.fromstring(reply.body).iter(f"{{{SOAP_NS}}}Body")
    return {
        str(service.findtext(f"{{{ID_NS}}}serviceCode")) for service in body.iter(f"{XRD}service")
    }


def rest_list(reply: Reply) -> dict[str, dict[str, Any]]:
    """A REST list, by service code."""
    assert (reply.status, reply.header("content-type")) == (200, "application/json")
    return {service["service_code"]: service for service in json.loads(reply.body)["service"]}


# SOAP


async def test_soap_callers_are_told_of_services_with_a_wsdl_disabled_ones_too(
    caller: Caller,
) -> None:
    reply = await caller.soap("listMethods", "meta-list")

    assert {"tell", "versioned", "hidden", "closed", "tellWsdl"} <= codes_in(reply)
    assert not {"rest", "people", "listMethods", "getWsdl"} & codes_in(reply)
    assert reply.header("content-type").lower() == "text/xml; charset=utf-8"
    assert re.search(b"requestHash[^>]*>[A-Za-z0-9+/=]{88}<", reply.body)
    assert len(await caller.prove("meta-list")) == 4  # evidence, as of any other message


async def test_soap_callers_are_told_what_they_may_call(caller: Caller) -> None:
    reply = await caller.soap("allowedMethods", "meta-allowed")

    assert "tell" in codes_in(reply)
    assert "closed" in codes_in(reply)  # disabled, but a right is held
    assert "hidden" not in codes_in(reply)


async def test_a_list_is_asked_for_in_plain_soap_alone(caller: Caller) -> None:
    reply = await caller.soap("listMethods", "meta-multipart", attachments=[])

    assert reply.code == "server.serverproxy.invalid_content_type"
    assert reply.text == "Invalid content type: multipart/related"


async def test_a_wsdl_is_handed_out_without_the_address_of_the_service(caller: Caller) -> None:
    body = "<xrd:serviceCode>tellWsdl</xrd:serviceCode><xrd:serviceVersion>v2</xrd:serviceVersion>"
    reply = await caller.soap("getWsdl", "meta-wsdl", content=body)

    assert reply.header("content-type").startswith('multipart/related; type="text/xml"; charset=')
    assert "boundary=xroad" in reply.header("content-type")
    reader = SoapBodyReader(reply.header("content-type"))
    head, begin, data, _ = (*reader.feed(reply.body), *reader.finish())
    assert isinstance(head, Head)
    assert b"getWsdlResponse" in head.octets
    assert b"<xrd:serviceCode>tellWsdl</xrd:serviceCode>" in head.octets
    assert isinstance(begin, PartBegin)
    assert begin.content_type == "text/xml"
    assert dict(begin.headers)["Content-Transfer-Encoding"] == "binary"
    assert re.fullmatch("<wsdl=[0-9a-f-]{36}@x-road.eu>", dict(begin.headers)["Content-ID"])
    assert isinstance(data, PartData)
    wsdl = bytes(data.data)
    assert b'location="http://example.org/xroad-endpoint"' in wsdl
    assert b"secret" not in wsdl
    assert b'location="http://10.0.0.7/other"' in wsdl  # of another binding: not touched
    assert b"<!-- written by hand -->" in wsdl
    assert len(await caller.prove("meta-wsdl")) == 4


@pytest.mark.parametrize(
    ("asked", "code", "text"),
    [
        ("", "invalid_request", "Missing serviceCode in message body"),
        (
            "<xrd:serviceCode>tellWsdl</xrd:serviceCode>",
            "unknown_service",
            f"Could not find wsdl URL for service SERVICE:{PROVIDER.short}/tellWsdl",
        ),
        (
            "<xrd:serviceCode>people</xrd:serviceCode>",
            "service_type",
            "Service is a REST service and does not have a WSDL",
        ),
        (
            "<xrd:serviceCode>movedWsdl</xrd:serviceCode>"
            "<xrd:serviceVersion>v2</xrd:serviceVersion>",
            "internal_error",
            "Received HTTP error: 302 - ",
        ),
        (
            "<xrd:serviceCode>brokenWsdl</xrd:serviceCode>"
            "<xrd:serviceVersion>v2</xrd:serviceVersion>",
            "invalid_xml",
            "the document is not well-formed",
        ),
    ],
)
async def test_a_wsdl_that_cannot_be_handed_out(
    caller: Caller, asked: str, code: str, text: str
) -> None:
    reply = await caller.soap("getWsdl", "meta-no-wsdl", content=asked)

    assert reply.code == f"server.serverproxy.{code}"
    assert reply.text.startswith(text)
    assert_in_table(reply.code, reply.text)


# REST


async def test_rest_callers_are_told_of_the_other_services_and_their_endpoints(
    caller: Caller,
) -> None:
    reply = await caller.rest(
        "GET", "", [("Authorization", "Bearer mine"), ("X-Mine", "1")], service="listMethods"
    )

    services = rest_list(reply)
    assert {"rest", "secret", "off", "people", "people2"} <= set(services)
    assert "tell" not in services
    assert services["rest"] == {
        "member_class": "GOV",
        "member_code": "200",
        "object_type": "SERVICE",
        "service_code": "rest",
        "service_type": "REST",
        "subsystem_code": "registry",
        "xroad_instance": "XG",
        "endpoint_list": [],
    }
    assert services["people"]["service_type"] == "OPENAPI"
    assert services["people"]["endpoint_list"] == [
        {"method": "GET", "path": "/people/*"},
        {"method": "POST", "path": "/people"},
    ]
    assert not reply.all("authorization") + reply.all("x-mine")  # nothing is echoed
    assert len(await caller.prove(reply.id)) == 4


async def test_rest_callers_are_told_what_they_may_call(caller: Caller) -> None:
    services = rest_list(await caller.rest("GET", "", service="allowedMethods"))

    assert {"rest", "off", "people"} <= set(services)
    assert "secret" not in services
    assert services["people"]["endpoint_list"] == [{"method": "GET", "path": "/people/*"}]


async def test_a_list_is_got_and_not_posted(caller: Caller) -> None:
    reply = await caller.rest("POST", "", service="listMethods")

    assert reply.code == "server.serverproxy.unknown_service"


@pytest.mark.parametrize("name", ["getWsdl"])
async def test_a_service_of_the_other_protocol_is_none(caller: Caller, name: str) -> None:
    rest = await caller.rest("GET", "", service=name)
    soap = await caller.soap("getOpenAPI", "meta-other")

    assert (rest.code, soap.code) == ("server.serverproxy.unknown_service",) * 2


async def test_an_openapi_document_is_handed_out_with_paths_for_servers(caller: Caller) -> None:
    reply = await caller.rest("GET", "?SERVICEcode=people", service="getOpenAPI")

    assert reply.header("content-type") == "application/x-yaml"
    document = yaml.safe_load(reply.body)
    assert [server["url"] for server in document["servers"]] == [
        "/secret/base",
        "https://{host}/{base}",
    ]
    assert document["paths"] == {"/people": {"get": {}}, "/persons": {"get": {}}}
    assert len(await caller.prove(reply.id)) == 4


async def test_an_openapi_document_in_json_stays_json(caller: Caller) -> None:
    reply = await caller.rest("GET", "?serviceCode=people2", service="getOpenAPI")

    assert reply.header("content-type") == "application/json; charset=utf-8"
    assert json.loads(reply.body)["servers"] == [{"url": "/secret"}]


@pytest.mark.parametrize(
    ("query", "code", "text"),
    [
        ("", "invalid_request", "Missing serviceCode in message body"),
        ("?serviceCode=", "invalid_request", "Missing serviceCode in message body"),
        ("?serviceCode=none", "internal_error", "Service not found: none"),
        ("?serviceCode=rest", "internal_error", "Invalid service type: REST"),
        ("?serviceCode=old", "internal_error", "Incompatible openapi version."),
        ("?serviceCode=odd", "internal_error", "Failed overwriting origin URL"),
        ("?serviceCode=lost", "internal_error", "Failed reading service description from http"),
    ],
)
async def test_an_openapi_document_that_cannot_be_handed_out(
    caller: Caller, query: str, code: str, text: str
) -> None:
    reply = await caller.rest("GET", query, service="getOpenAPI")

    assert (reply.status, reply.code) == (500, f"server.serverproxy.{code}")
    assert reply.text.startswith(text)
    assert_in_table(reply.code, reply.text)


# everybody


async def test_everybody_is_listed_to_whoever_asks(caller: Caller) -> None:
    reply = await caller.send("GET", "/listClients")

    assert (reply.status, reply.header("content-type")) == (200, "text/xml; charset=UTF-8")
    root = etree.fromstring(reply.body)
    assert root.tag == f"{XRD}clientList"
    kinds = [node.get(f"{{{ID_NS}}}objectType") for node in root.iter(f"{XRD}id")]
    assert kinds[:2] == ["MEMBER", "SUBSYSTEM"]
    assert PROVIDER.subsystem_code in [
        node.findtext(f"{{{ID_NS}}}subsystemCode") for node in root.iter(f"{XRD}id")
    ]


async def test_everybody_is_listed_in_json_on_demand(caller: Caller) -> None:
    accept = [("Accept", "text/html;q=0.9, application/json;q=0.1")]
    reply = await caller.send("GET", "/listClients?xRoadInstance=XG", accept)

    assert reply.header("content-type") == "application/json; charset=utf-8"
    ids = [member["id"] for member in json.loads(reply.body)["member"]]
    assert {
        "xroad_instance": CONSUMER.instance,
        "member_class": CONSUMER.member_class,
        "member_code": CONSUMER.member_code,
        "subsystem_code": CONSUMER.subsystem_code,
        "object_type": "SUBSYSTEM",
    } in ids


@pytest.mark.parametrize(
    ("target", "accept", "text"),
    [
        (
            "/listClients?xRoadInstance=ZZ",
            "*/*",
            "Shared params for instance identifier ZZ not found",
        ),
        ("/listClients", "json", "Invalid mime type in Accept: json"),
    ],
)
async def test_a_list_of_everybody_that_cannot_be_made(
    caller: Caller, target: str, accept: str, text: str
) -> None:
    reply = await caller.send("GET", target, [("Accept", accept)])

    assert (reply.status, reply.code) == (200, "server.clientproxy.internal_error")
    assert reply.text == text


async def test_any_other_method_is_soap(caller: Caller) -> None:
    reply = await caller.send("PUT", "/listClients")

    assert reply.code == "client.invalid_http_method"
