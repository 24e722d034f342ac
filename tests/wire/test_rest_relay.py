"""A REST message on plain HTTP: towards the service, and back to the caller."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xgate.errors import Fault
from xgate.wire.rest import RestRequest, read_rest_call, read_rest_request, write_rest_response
from xgate.wire.rest_relay import (
    caller_headers,
    carries_body,
    has_body,
    service_address,
    service_headers,
)

PATH = "/r1/XG/GOV/12/reg/people"
CLIENT = ("X-Road-Client", "XG/COM/777/app")


def call(rest: str = "", *headers: tuple[str, str], method: str = "GET") -> RestRequest:
    return read_rest_call(
        method, PATH + rest, [CLIENT, *headers], request_id="uuid", fresh_id="XG-1"
    )


@pytest.mark.parametrize(
    ("url", "rest", "address"),
    [
        ("http://is/api", "", "http://is/api"),
        ("http://is", "", "http://is/"),
        ("http://is", "?", "http://is/?"),
        ("HTTPS://Is", "/a", "HTTPS://Is/a"),
        ("http://is/api/", "/pets", "http://is/api/pets"),
        ("http://is/api", "/pets/?a=%zz&b=%20", "http://is/api/pets/?a=%zz&b=%20"),
        ("http://is/api/", "", "http://is/api/"),
        ("https://is:8443//api//v1", "/a%20b/./c", "https://is:8443/api/v1/a%20b/./c"),
        ("http://is/api", "/a?x=//y", "http://is/api/a?x=//y"),
    ],
)
def test_the_address_of_a_call(url: str, rest: str, address: str) -> None:
    assert service_address(url, call(rest)) == address


def test_characters_beyond_ascii_are_escaped_and_slashes_collapse() -> None:
    octets = call("/x?y").octets.replace(b"/x?y", "//ä///b?ö".encode())
    request = read_rest_request(octets)
    assert service_address("http://is/", request) == "http://is/%C3%A4/b?%C3%B6"


@pytest.mark.parametrize(
    "url", ["", "is/api", "ftp://is/", "http:///x", "http://is/?a", "http://i s"]
)
def test_an_address_of_another_form_is_refused(url: str) -> None:
    with pytest.raises(Fault, match="Malformed service address"):
        service_address(url, call())


def test_the_service_receives_every_signed_header() -> None:
    request = call("", ("Accept", "a"), ("accept", "b"), ("X-Raw", "\xc3\xb6\x80"))
    assert service_headers(request, None) == [
        CLIENT,
        ("Accept", "a"),
        ("accept", "b"),
        ("X-Raw", "\xc3\xb6\x80"),
        ("x-road-request-id", "uuid"),
        ("x-road-id", "XG-1"),
    ]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_verbs_with_a_body_always_say_its_length(method: str) -> None:
    request = call(method=method)
    assert carries_body(request)
    assert service_headers(request, 13)[-1] == ("Content-Length", "13")
    assert service_headers(request, None)[-1] == ("Content-Length", "0")


@pytest.mark.parametrize("method", ["GET", "DELETE", "OPTIONS", "HEAD", "TRACE"])
def test_other_verbs_deliver_none(method: str) -> None:
    request = call("", ("Content-Type", "text/plain"), method=method)
    assert not carries_body(request)
    names = [name for name, _ in service_headers(request, 13)]
    assert "Content-Length" not in names
    assert "Content-Type" in names


def test_what_no_octet_stands_for_becomes_a_question_mark() -> None:
    octets = call("", ("A", "x")).octets.replace(b"A:x", "A:€\xff".encode())
    assert ("A", "?\xff") in service_headers(read_rest_request(octets), None)


def test_blanks_around_a_value_are_signed_and_not_sent() -> None:
    octets = call("", ("X-Blank", "@"), ("X-Empty", "#")).octets
    request = read_rest_request(octets.replace(b"@", b" \ta b\t ").replace(b"#", b" "))
    assert b"X-Blank: \ta b\t \r\n" in request.octets
    assert {("X-Blank", "a b"), ("X-Empty", "")} <= set(service_headers(request, None))


def test_the_caller_sees_exactly_one_date() -> None:
    request = call()
    hashed = "aGFzaA=="
    without = write_rest_response(request, 200, "OK", [("A", "1")], hashed)
    assert caller_headers(without, "now")[0] == ("A", "1")
    assert caller_headers(without, "now")[-1] == ("Date", "now")
    twice = write_rest_response(request, 200, "OK", [("date", "1"), ("Date", "2")], hashed)
    dates = [item for item in caller_headers(twice, "now") if item[0].lower() == "date"]
    assert dates == [("Date", "2")]


def test_the_caller_sees_what_the_service_said() -> None:
    answer = write_rest_response(
        call(), 302, "Found", [("Location", "http://x/y"), ("X-Road-Error", "e")], "h"
    )
    assert caller_headers(answer, "now") == [
        ("Location", "http://x/y"),
        ("X-Road-Error", "e"),
        ("x-road-id", "XG-1"),
        ("x-road-client", "XG/COM/777/app"),
        ("x-road-service", "XG/GOV/12/reg/people"),
        ("x-road-request-id", "uuid"),
        ("x-road-request-hash", "h"),
        ("Date", "now"),
    ]


def test_some_answers_have_no_body() -> None:
    get, head = call(), call(method="HEAD")
    full, none = (write_rest_response(get, status, "", [], "h") for status in (200, 204))
    assert has_body(get, full)
    assert not has_body(head, full)
    assert not has_body(get, none)


@settings(max_examples=200, deadline=None)
@given(
    path=st.text("/a.%2F5C\u00e4~;\u20ac", max_size=12),
    query=st.text("?&=%[a/\u00e4", max_size=8),
    url=st.sampled_from(["http://is", "https://is:8443/", "http://is//a/"]) | st.text(max_size=12),
)
def test_whatever_was_sent_the_address_is_one_word_below_the_services_own(
    path: str, query: str, url: str
) -> None:
    head = f"GET\r\n{PATH}/{path}?{query}\r\nx-road-client:XG/COM/1\r\nx-road-id:1\r\n"
    try:
        request = read_rest_request((head + "x-road-request-id:1\r\n").encode())
        address = service_address(url, request)
    except Fault:
        return
    assert address.isascii()
    assert address.split() == [address]
    assert address.startswith(url.rstrip("/").split("//a")[0] + "/")
    assert "//" not in address.partition("://")[2].partition("?")[0]
