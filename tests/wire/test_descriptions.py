"""Descriptions on their way to callers: all of them, but not where the service lives."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from xgate.errors import Fault
from xgate.wire.descriptions import (
    DESCRIPTION_LIMIT,
    hide_openapi_servers,
    hide_wsdl_addresses,
)

URL = "http://10.0.0.7/api"
JSON = "application/json"
SOAP = "http://schemas.xmlsoap.org/wsdl/soap/"


def servers_of(*urls: object) -> list[Any]:
    octets = json.dumps({"openapi": "3.0.3", "servers": [{"url": url} for url in urls]}).encode()
    hidden = json.loads(hide_openapi_servers(octets, JSON, URL))
    return [server["url"] for server in hidden["servers"]]


def test_every_soap_address_of_a_wsdl_is_replaced() -> None:
    wsdl = f'<d><a xmlns="{SOAP}"/><s:address xmlns:s="{SOAP}" location="x"/>'
    wsdl += f'<s:address xmlns:s="{SOAP}"/><address location="mine"/><!-- c --></d>'
    hidden = hide_wsdl_addresses(wsdl.encode())
    assert hidden.count(b'location="http://example.org/xroad-endpoint"') == 2
    assert b'<address location="mine"/><!-- c -->' in hidden


@pytest.mark.parametrize("octets", [b"", b"<d>", b"<!DOCTYPE d><d/>", b"<d/>" * 2_000_000])
def test_what_is_no_wsdl_is_refused(octets: bytes) -> None:
    with pytest.raises(Fault, match="invalid_xml"):
        hide_wsdl_addresses(octets)


def test_servers_become_paths_but_for_templates() -> None:
    assert servers_of(
        "https://user:secret@10.0.0.7:8443/a/b?c=d#e",
        "http://10.0.0.7",
        "/already",
        "https://{host}/x",
        7,
    ) == ["/a/b", "", "/already", "https://{host}/x", 7]


def test_an_address_that_cannot_be_read_is_not_handed_out() -> None:
    with pytest.raises(Fault, match=r"internal_error: Can't parse url string: http://\["):
        servers_of("http://[10.0.0.7")


@pytest.mark.parametrize(
    ("kind", "url", "form"),
    [
        ("application/json;charset=UTF-8", URL, "json"),
        ("application/x-yaml", URL + ".json", "yaml"),
        ("text/plain", URL + ".json?x=.yaml", "json"),
        ("", URL, "yaml"),
    ],
)
def test_the_form_is_told_by_the_type_and_then_by_the_name(kind: str, url: str, form: str) -> None:
    octets = b'{"openapi": "3.1", "a": [1]}'  # YAML as well
    hidden = hide_openapi_servers(octets, kind, url)
    assert (hidden == b'{"openapi":"3.1","a":[1]}') is (form == "json")
    assert yaml.safe_load(hidden) == {"openapi": "3.1", "a": [1]}


@pytest.mark.parametrize(
    ("document", "text"),
    [
        (b"openapi: 3.0", "Incompatible openapi version."),
        (b"openapi: '2.0'", "Incompatible openapi version."),
        (b"- a", "Failed overwriting origin URL"),
        (b"a: [", "Failed overwriting origin URL"),
        (b"\xff\xfe\xfd", "Failed overwriting origin URL"),
        (b"a: !!python/object/apply:os.system [id]", "Failed overwriting origin URL"),
        (b"a: " + b"[" * 200 + b"]" * 200, "Failed overwriting origin URL"),
    ],
)
def test_what_is_no_openapi_3_is_refused(document: bytes, text: str) -> None:
    with pytest.raises(Fault) as refused:
        hide_openapi_servers(document, "application/x-yaml", URL)
    assert refused.value.code == "internal_error"
    assert refused.value.text.startswith(text)


def test_a_document_without_a_version_or_servers_is_taken() -> None:
    assert hide_openapi_servers(b"paths: {}\n", "", URL) == b"paths: {}\n"
    assert hide_openapi_servers(b"servers: none\n", "", URL) == b"servers: none\n"


def test_nodes_that_repeat_themselves_are_not_multiplied() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 20)]
    octets = "\n".join(lines).encode()
    assert len(hide_openapi_servers(octets, "", URL)) < 10 * len(octets)


@given(st.binary(max_size=200))
def test_nothing_that_a_server_sends_does_more_than_refuse(octets: bytes) -> None:
    for kind in (JSON, ""):
        with suppress(Fault):
            assert len(hide_openapi_servers(octets, kind, URL)) < DESCRIPTION_LIMIT


@pytest.mark.parametrize(
    "odd", ['!!int ""', "!!bool x", "!!timestamp x", "!!float 1" + ":60" * 300]
)
def test_odd_values_are_handed_on_as_they_are(odd: str) -> None:
    hidden = hide_openapi_servers(f"openapi: 3.0.0\nx: {odd}\n".encode(), "", URL)
    assert odd.split()[-1].strip('"') in hidden.decode()


@pytest.mark.parametrize(
    "document",
    [
        "servers: &s [{url: http://secret/a}]\nx: *s",
        "<<: {servers: [{url: http://secret/a}]}",
        "x: &s {url: http://secret/a}\nservers: [{<<: *s}, {<<: [*s, *s]}]",
        "servers: [{url: http://secret/a}]\nservers: [{url: http://secret/b}]",
        "servers: [{url: http://secret/a, url: http://secret/b}]",
    ],
)
def test_no_way_to_write_yaml_tells_where_a_service_lives(document: str) -> None:
    hidden = hide_openapi_servers(f"openapi: 3.0.0\n{document}\n".encode(), "", URL)
    assert b"secret" not in hidden
    assert b"/a" in hidden
