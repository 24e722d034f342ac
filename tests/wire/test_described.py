"""Descriptions are read to the services and endpoints in them, or refused."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xgate.errors import Fault
from xgate.wire.described import DescribedApi, DescribedService, read_openapi, read_wsdl

URL = "https://h/docs/api.yaml"
ADDRESS = "http://iks2-testhost:8080/testservice-0.1/xroad"
WSDL = """<w:definitions xmlns:w="http://schemas.xmlsoap.org/wsdl/" xmlns:t="urn:t"
 xmlns:s="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:x="http://x-road.eu/xsd/xroad.xsd">
<w:binding name="b"><w:operation name="getA"><x:version>v1</x:version></w:operation>
<w:operation name="getB"/></w:binding>
<w:service><w:port binding="t:b"><s:address location=" http://h/a "/></w:port>
<w:port binding="t:none"><s:address location="http://h/none"/></w:port>
<w:port binding="t:b"/></w:service></w:definitions>"""


def test_every_operation_at_a_soap_address_is_a_service() -> None:
    assert read_wsdl(WSDL.encode()) == (
        DescribedService("getA", "v1", "http://h/a"),
        DescribedService("getB", None, "http://h/a"),
    )


def test_what_is_at_several_ports_is_at_the_first() -> None:
    again = '<w:port binding="t:b"><s:address location="http://h/b"/></w:port></w:service>'
    found = read_wsdl(WSDL.replace("</w:service>", again).encode())
    assert {service.url for service in found} == {"http://h/a"}
    assert len(found) == 2


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        (WSDL, "not xml", "invalid_wsdl"),
        (WSDL, "<a/>", "invalid_wsdl"),
        ("t:b", "t:c", "invalid_wsdl"),
        ("<x:version>v1</x:version>", "", ""),
        ('"getB"', '"getA"', ""),
        ("v1", "v:1", "invalid_wsdl_service_identifier"),
        ('"getB"', '"get%B"', "invalid_wsdl_service_identifier"),
        ('"getB"', '""', "invalid_wsdl_service_identifier"),
    ],
)
def test_what_cannot_be_registered_is_refused(old: str, new: str, code: str) -> None:
    try:
        read_wsdl(WSDL.replace(old, new).encode())
        found = ""
    except Fault as fault:
        found = fault.code
    assert found == code


@pytest.mark.parametrize(
    ("servers", "url"),
    [
        ("[{url: https://x/api}]", "https://x/api"),
        ("[{url: /api}]", "https://h/api"),
        ("[{url: 'https://{a}/b'}]", "https://{a}/b"),
        ("[]", ""),
        ("[1]", ""),
        ("none", ""),
    ],
)
def test_the_address_is_the_first_servers(servers: str, url: str) -> None:
    octets = f"openapi: '3.0.1'\nservers: {servers}\n".encode()
    assert read_openapi(octets, "", URL) == DescribedApi(url, ())


def test_every_operation_is_an_endpoint_and_templates_are_stars() -> None:
    octets = b"""{"openapi": "3.1.0", "paths": {"/a/{id}/b-{c}": {"get": {}, "post": {}, "x": 1},
        "/d": {"parameters": []}, "relative": {"get": {}}}}"""
    assert read_openapi(octets, "application/json", URL).endpoints == (
        ("GET", "/a/*/b-*"),
        ("POST", "/a/*/b-*"),
    )


@pytest.mark.parametrize(
    ("octets", "code"),
    [
        (b"openapi: 3.0.1\na: 1\na: 2\n", "openapi_parsing_error"),
        (b"openapi: 3.0\n", "openapi_parsing_error"),
        (b"[]", "openapi_parsing_error"),
        (b"a: [", "openapi_parsing_error"),
        (b"openapi: '3.1.1'\n", "unsupported_openapi_version"),
        (b"openapi: '2.0'\n", "unsupported_openapi_version"),
        (
            b"openapi: '3.0'\npaths: {'/a/{b}': {get: 1}, '/a/{c}': {get: 1}}",
            "openapi_parsing_error",
        ),
        (b"openapi: '3.0'\nservers: [{url: 'http://['}]", "openapi_parsing_error"),
        (b"x: " + b"[" * 200 + b"]" * 200, "openapi_parsing_error"),
        (b" " * (5 << 20), "openapi_parsing_error"),
    ],
)
def test_a_document_that_cannot_be_used_is_refused(octets: bytes, code: str) -> None:
    with pytest.raises(Fault) as refused:
        read_openapi(octets, "", URL)
    assert refused.value.code == code


def test_a_key_that_is_there_twice_is_refused_in_json_too() -> None:
    with pytest.raises(Fault, match="twice"):
        read_openapi(b'{"openapi": "3.0.0", "a": 1, "a": 2}', "application/json", URL)


@given(st.binary(max_size=300))
def test_garbage_is_refused_and_nothing_else(octets: bytes) -> None:
    with suppress(Fault):
        read_wsdl(octets)
    for kind in ("application/json", ""):
        with suppress(Fault):
            read_openapi(octets, kind, URL)


# the reference's own


@pytest.mark.reference
@pytest.mark.parametrize(
    ("file", "services"),
    [
        ("wsdl/valid.wsdl", ["xroadGetRandom", "xroadSmallAttachment", "xroadBigAttachment"]),
        ("wsdl/valid-getrandom.wsdl", ["xroadGetRandom"]),
        ("wsdl/valid-smallattachment.wsdl", ["xroadSmallAttachment"]),
    ],
)
def test_the_references_wsdl(golden: Path, file: str, services: list[str]) -> None:
    found = read_wsdl((golden / "service-descriptions" / file).read_bytes())
    assert [service.code for service in found] == services
    assert {(service.version, service.url) for service in found} == {("v1", ADDRESS)}


@pytest.mark.reference
@pytest.mark.parametrize(
    ("file", "code"),
    [
        ("wsdl/invalid.wsdl", "invalid_wsdl"),
        ("wsdl/fault.xml", "invalid_wsdl"),
        ("wsdl/invalid-servicecode-colon.wsdl", "invalid_wsdl_service_identifier"),
        ("wsdl/invalid-serviceversion-percent.wsdl", "invalid_wsdl_service_identifier"),
    ],
)
def test_the_references_wsdl_that_is_refused(golden: Path, file: str, code: str) -> None:
    with pytest.raises(Fault) as refused:
        read_wsdl((golden / "service-descriptions" / file).read_bytes())
    assert refused.value.code == code


@pytest.mark.reference
@pytest.mark.parametrize(
    "file", ["wsdl-validator/testservice.wsdl", "system-test/testservice1.wsdl"]
)
def test_other_wsdl_of_the_reference(golden: Path, file: str) -> None:
    assert read_wsdl((golden / "service-descriptions" / file).read_bytes())


@pytest.mark.reference
@pytest.mark.parametrize(
    ("file", "endpoints"),
    [
        ("openapi/valid.yaml", None),
        ("openapi/valid.json", None),
        ("openapi/v310.yaml", 3),
        ("openapi/petstore.json", None),
        ("system-test/testopenapi1.yaml", None),
        ("system-test/testopenapi_v310.json", None),
    ],
)
def test_the_references_openapi(golden: Path, file: str, endpoints: int | None) -> None:
    octets = (golden / "service-descriptions" / file).read_bytes()
    found = read_openapi(octets, "", f"https://h/{file}")
    assert found.endpoints
    assert endpoints in (None, len(found.endpoints))
    if file.startswith("openapi/v"):
        assert found.url == "https://example.org/api"


@pytest.mark.reference
@pytest.mark.parametrize(
    ("file", "code"),
    [
        ("openapi/duplicateendpoint.yaml", "openapi_parsing_error"),
        ("openapi/invalid_version.yaml", "unsupported_openapi_version"),
    ],
)
def test_the_references_openapi_that_is_refused(golden: Path, file: str, code: str) -> None:
    octets = (golden / "service-descriptions" / file).read_bytes()
    with pytest.raises(Fault) as refused:
        read_openapi(octets, "", URL)
    assert refused.value.code == code


def test_endpoints_are_not_more_than_a_message_can_be_held_against() -> None:
    def document(endpoints: int) -> bytes:
        paths = ",".join(f'"/{n}": {{"get": {{}}}}' for n in range(endpoints))
        return f'{{"openapi": "3.0.0", "paths": {{{paths}}}}}'.encode()

    assert len(read_openapi(document(4000), "application/json", URL).endpoints) == 4000
    for endpoints in (4001, 50_000):
        with pytest.raises(Fault, match="more than 4000 endpoints"):
            read_openapi(document(endpoints), "application/json", URL)


def test_a_binding_at_many_ports_is_read_once() -> None:
    operations = "".join(f'<w:operation name="o{n}"/>' for n in range(20_000))
    port = '<w:port binding="t:b"><s:address location="http://h/b"/></w:port>'
    wsdl = WSDL.replace("</w:binding>", f"{operations}</w:binding>")
    found = read_wsdl(wsdl.replace("</w:service>", f"{port * 20_000}</w:service>").encode())
    assert len(found) == 20_002


@pytest.mark.parametrize(
    "document",
    [
        "<<: {paths: {/a: {get: {}}}}",
        "paths: {<<: {/a: {get: {}}}}",
        "paths: {/a: {<<: {get: {}}}}",
    ],
)
def test_paths_that_are_merged_from_elsewhere_are_refused(document: str) -> None:
    with pytest.raises(Fault, match="write them out"):
        read_openapi(f"openapi: 3.0.0\n{document}\n".encode(), "", URL)
