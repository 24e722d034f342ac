"""HTTP heads between security servers: the bytes of ours, the checks of theirs, in their order."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xgate.errors import Fault
from xgate.wire.transport_head import (
    FaultHead,
    TransportHead,
    check_original_content_type,
    check_soap_action,
    read_request_head,
    read_response_head,
    write_fault_head,
    write_request_head,
    write_response_head,
)

BOUNDARY = "xtop" + "Aa" * 15
SOAP = write_request_head(
    "SOAP",
    boundary=BOUNDARY,
    original_content_type="text/xml",
    soap_action='"urn:x"',
    request_id="r-1",
)
REST = write_request_head(
    "REST", boundary=BOUNDARY, original_content_type="", soap_action="", request_id="r-1"
)


def without(headers: list[tuple[str, str]], name: str) -> list[tuple[str, str]]:
    return [field for field in headers if field[0].lower() != name]


def test_a_soap_requests_head() -> None:
    assert [
        ("Content-Type", f"multipart/mixed; charset=UTF-8; boundary={BOUNDARY}"),
        ("x-hash-algorithm", "SHA-512"),
        ("x-proxy-version", "7.8.0"),
        ("x-original-content-type", "text/xml"),
        ("x-original-soapaction", '"urn:x"'),
        ("x-road-request-id", "r-1"),
    ] == SOAP
    assert read_request_head("POST", SOAP) == TransportHead(
        "SOAP", BOUNDARY, "text/xml", '"urn:x"', "r-1", "7.8.0"
    )


def test_a_rest_requests_head() -> None:
    assert [
        ("Content-Type", f"multipart/mixed; charset=UTF-8; boundary={BOUNDARY}"),
        ("x-hash-algorithm", "SHA-512"),
        ("x-proxy-version", "7.8.0"),
        ("x-original-content-type", ""),
        ("x-road-message-type", "REST"),
        ("x-road-request-id", "r-1"),
    ] == REST
    assert read_request_head("POST", REST) == TransportHead(
        "REST", BOUNDARY, "", "", "r-1", "7.8.0"
    )


def test_responses_are_written_in_lower_case_and_read_in_any() -> None:
    soap = write_response_head("SOAP", boundary=BOUNDARY, original_content_type="text/xml; a=b")
    assert soap[1:] == [
        ("x-hash-algorithm", "SHA-512"),
        ("x-original-content-type", "text/xml; a=b"),
    ]
    rest = write_response_head("REST", boundary=BOUNDARY, original_content_type="x")
    assert rest == soap[:2]
    shouted = [(name.upper(), value) for name, value in soap]
    expected = TransportHead("SOAP", BOUNDARY, "text/xml; a=b")
    assert read_response_head(200, "OK", shouted) == expected
    assert read_response_head(500, "", rest, protocol="REST") == TransportHead("REST", BOUNDARY)


def test_a_fault_alone() -> None:
    assert write_fault_head() == [("Content-Type", "text/xml;charset=utf-8"), ("SOAPAction", "")]
    head = read_response_head(200, "OK", write_fault_head())
    assert head == FaultHead("text/xml;charset=utf-8")


def test_the_message_type_is_compared_by_case() -> None:
    headers = [*without(REST, "x-road-message-type"), ("x-road-message-type", "rest")]
    assert read_request_head("POST", headers).protocol == "SOAP"


def test_of_repeated_headers_the_last_counts() -> None:
    headers = [*SOAP, ("X-Hash-Algorithm", "sha-512"), ("x-original-content-type", "a/b")]
    assert read_request_head("POST", headers).original_content_type == "a/b"


@pytest.mark.parametrize(
    ("method", "headers", "refusal"),
    [
        ("GET", [], "invalid_http_method: Must use POST request method instead of GET"),
        ("post", SOAP, "invalid_http_method"),
        ("POST", without(SOAP, "x-proxy-version"), "internal_error: '' is not a semantic version"),
        ("POST", [*SOAP, ("x-proxy-version", "7.5.9")], "client_proxy_version_not_supported"),
        ("POST", [*SOAP, ("x-original-soapaction", "x")], "invalid_soap_action"),
        ("POST", without(SOAP, "x-hash-algorithm"), "internal_error: Could not get hash algorithm"),
        ("POST", [*SOAP, ("x-hash-algorithm", "SHA-256")], "internal_error: Hash algorithm"),
        ("POST", [*SOAP, ("x-hash-algorithm", "MD5")], "internal_error: Hash algorithm"),
        ("POST", without(SOAP, "content-type"), "service_failed.invalid_content_type: Could not"),
        ("POST", [*SOAP, ("content-type", "text/xml")], "service_failed.invalid_content_type"),
        (
            "POST",
            [*SOAP, ("content-type", "multipart/mixed")],
            "service_failed.invalid_content_type: Multipart content type is missing",
        ),
        ("POST", without(REST, "x-road-request-id"), "service_failed.internal_error"),
    ],
)
def test_requests_refused(method: str, headers: list[tuple[str, str]], refusal: str) -> None:
    with pytest.raises(Fault) as refused:
        read_request_head(method, headers, minimum_version="7.6.0")
    assert str(refused.value).startswith(refusal)


def test_checks_come_in_the_server_proxys_order() -> None:
    headers = [("x-proxy-version", "1.0.0"), ("x-original-soapaction", "bad")]
    codes = []
    for repair in (
        ("x-proxy-version", "7.8.0"),
        ("x-original-soapaction", ""),
        ("x-hash-algorithm", "SHA-512"),
        ("content-type", "multipart/mixed; boundary=b"),
    ):
        with pytest.raises(Fault) as refused:
            read_request_head("POST", headers, minimum_version="7.6.0")
        codes.append(refused.value.code)
        headers.append(repair)
    assert codes == [
        "client_proxy_version_not_supported",
        "invalid_soap_action",
        "internal_error",
        "service_failed.invalid_content_type",
    ]
    assert read_request_head("POST", headers, minimum_version="7.6.0").boundary == "b"


def test_an_old_peer_is_served_when_nothing_is_asked_of_it() -> None:
    assert read_request_head("POST", without(SOAP, "x-proxy-version")).version == ""


@pytest.mark.parametrize(
    ("status", "headers", "refusal"),
    [
        (404, [], "http_error: Server responded with error 404: Not Found"),
        (201, SOAP, "http_error"),
        (200, [], "invalid_content_type: Could not get content type from response"),
        (200, [("content-type", " ")], "invalid_content_type"),
        (200, [("content-type", "text/html")], "service_failed.invalid_content_type: Invalid"),
        (
            200,
            [("content-type", "multipart/mixed; boundary=b")],
            "service_failed.internal_error: Could not get hash algorithm",
        ),
    ],
)
def test_responses_refused(status: int, headers: list[tuple[str, str]], refusal: str) -> None:
    with pytest.raises(Fault) as refused:
        read_response_head(status, "Not Found", headers)
    assert str(refused.value).startswith(refusal)


@pytest.mark.parametrize(
    "value",
    [
        *("", '""', '"urn:x"', '"http://a.b/c?d=[e]#f"', '"a/b:c"', '"?x"', '"#"', '"%20"', '"."'),
        *('"http://[::1]/x"', '"mailto:a@b"', '"\xf5"', '"/"', '"//h:1/"'),
    ],
)
def test_soap_actions(value: str) -> None:
    check_soap_action(value)


@pytest.mark.parametrize(
    "value",
    [
        *(
            "x",
            '"x',
            'x"',
            '"',
            '"a b"',
            '"<"',
            '"%2"',
            '"%zz"',
            '"a"b"',
            '":x"',
            '"1:x"',
            '"urn:"',
        ),
        *('"a#b#c"', '"{}"', '"\x80"', '"a\tb"', '"http://"', '"//' + "a" * 50_000 + ' "'),
    ],
)
def test_malformed_soap_actions(value: str) -> None:
    with pytest.raises(Fault, match="invalid_soap_action: Malformed SOAPAction header"):
        check_soap_action(value)


@pytest.mark.parametrize("value", [None, "", "  ", "text/xml; charset=klingon"])
def test_soap_can_not_do_without_the_original_content_type(value: str | None) -> None:
    with pytest.raises(Fault, match="internal_error"):
        check_original_content_type(value)
    assert check_original_content_type("text/xml; charset=ISO-8859-1").base == "text/xml"


names = st.sampled_from(
    [name for name, _ in SOAP] + ["x-road-message-type", "X-PROXY-VERSION", "other"]
)
values = st.sampled_from(["", "REST", "SHA-512", "7.8.0", "multipart/mixed; boundary=b"]) | st.text(
    st.characters(min_codepoint=32, max_codepoint=255), max_size=30
)


@given(st.lists(st.tuples(names, values), max_size=10))
@settings(max_examples=100, deadline=None)
def test_garbage_meets_only_faults(headers: list[tuple[str, str]]) -> None:
    with suppress(Fault):
        read_request_head("POST", headers, minimum_version="7.6.0")
    with suppress(Fault):
        read_response_head(200, "", headers)
