"""The path of a REST request: the service in it, and the endpoint that a right must cover."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xgate.errors import Fault
from xgate.ids import ClientId, ServiceId
from xgate.wire.rest_path import (
    decode_service_path,
    endpoint_matches,
    read_reference,
    read_service,
)

SERVICE = ServiceId(ClientId("XG", "GOV", "12", "reg"), "people")


@pytest.mark.parametrize(
    ("path", "rest"),
    [
        ("/r1/XG/GOV/12/reg/people", ""),
        ("/r1/XG/GOV/12/reg/people/", "/"),
        ("/r1/XG/GOV/12/reg/people/a%20b", "/a%20b"),
        ("/r1/XG/GOV/12/reg/people//x/../y", "//x/../y"),
    ],
)
def test_the_service_and_the_raw_rest(path: str, rest: str) -> None:
    assert read_service(path) == (SERVICE, rest)


def test_identifiers_are_decoded_one_by_one() -> None:
    service, rest = read_service("/r1/EE/BUSINESS/producer/s%2Fub/%C3%B6%C3%A4%C3%A5/path%3B/")
    assert service == ServiceId(ClientId("EE", "BUSINESS", "producer", "s/ub"), "öäå")
    assert rest == "/path%3B/"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/r1/invalid", "Invalid request URI"),
        ("/r1/XG/GOV/12/reg", "Invalid request URI"),
        ("r1/XG/GOV/12/reg/people/x", "Invalid request URI"),
        ("/r2/XG/GOV/12/reg/people", "Unsupported protocol version 2"),
        ("/r12/XG/GOV/12/reg/people", "Invalid protocol version r12"),
        ("/x1/XG/GOV/12/reg/people", "Invalid protocol version x1"),
        ("/r1/XG/GOV/12/re g/people", "Invalid character in path segment"),
        ("/r1/XG/GOV/12/re%g/people", "Incomplete percent encoding"),
        ("/r1/XG/GOV/12/re%ggg/people", "Invalid percent encoding"),
        ("/r1/XG/GOV/%20/reg/people", "'memberCode' must not be blank"),
        ("/r1/XG/GOV/12//people", "'subsystemCode' must not be blank"),
    ],
)
def test_another_form_is_an_internal_error_in_the_reference_s_words(path: str, text: str) -> None:
    with pytest.raises(Fault) as refusal:
        read_service(path)
    assert (refusal.value.code, refusal.value.text) == ("internal_error", text)


@pytest.mark.parametrize(
    ("line", "path", "query"),
    [
        ("/a?b", "/a", "b"),
        ("/a?", "/a", ""),
        ("/a#f", "/a", None),
        ("/a?b#f?g", "/a", "b"),
        ("/a/..//b", "/a/..//b", None),
        ("/ä?[ö]", "/ä", "[ö]"),
    ],
)
def test_a_reference_as_java_takes_it(line: str, path: str, query: str | None) -> None:
    assert read_reference(line) == (path, query)


@pytest.mark.parametrize(
    "line",
    ["", "a", "http://h/a", "//a/b", "/a b", "/a%", "/a%zz", "/a[b]", "/a\x00", "/a\x85", "/a#b#c"]
    + [f"/a?{char}" for char in '{}|"^\\<>` \u00a0\u2028'],
)
def test_what_is_no_uri_is_refused(line: str) -> None:
    with pytest.raises(Fault, match="Invalid request URI"):
        read_reference(line)


@pytest.mark.parametrize(
    ("path", "decoded"),
    [
        ("", ""),
        ("/", "/"),
        ("/pets/1", "/pets/1"),
        ("/a%20b/%C3%B6", "/a b/ö"),
        ("/a..b/...", "/a..b/..."),
        ("/pets;x=1/y", "/pets;x=1/y"),
        ("/a/", "/a/"),
    ],
)
def test_a_plain_path_is_decoded_once(path: str, decoded: str) -> None:
    assert decode_service_path(path) == decoded


@pytest.mark.parametrize(
    "path",
    [
        "/pets%2F1",
        "/pets%5C1",
        "/pets%00",
        "/pets%0A",
        "/pets%3Fx",
        "/pets%23x",
        "/pets%2541",
        "/a/./b",
        "/a/%2e/b",
        "/a/../b",
        "/a/%2e%2e/b",
        "/a/..;x/b",
        "/a//b",
        "//a",
    ],
)
def test_what_providers_could_read_differently_has_no_decoded_form(path: str) -> None:
    assert decode_service_path(path) is None


@pytest.mark.parametrize(
    "path",
    [
        "/..",
        "/../x",
        "/a/../../x",
        "/%2e%2e/x",
        "/.%2E/x",
        "/a%2F..%2F..%2Fx",
        "/%252e%252e/x",
        "/%25252e%25252e/x",
        "/..%5Cx",
        "/a/..;/..;x/b",
        "/..%3Fx",
        "/..%00",
        "/a//../../x",
        "/%25252525252e",
    ],
)
def test_a_path_that_leads_out_is_refused_whatever_rights_exist(path: str) -> None:
    with pytest.raises(Fault) as refusal:
        decode_service_path(path)
    assert refusal.value.code == "access_denied"


@pytest.mark.parametrize("path", ["/a%", "/a%zz", "/a%ff", "/a b", "/ö", "/a{", "/..%c0%af"])
def test_what_can_not_be_decoded_is_an_internal_error(path: str) -> None:
    with pytest.raises(Fault) as refusal:
        decode_service_path(path)
    assert refusal.value.code == "internal_error"


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("**", "", True),
        ("**", "/a/b", True),
        ("/pets/*", "/pets/1", True),
        ("/pets/*", "/pets/", True),
        ("/pets/*", "/pets/1/x", False),
        ("/pets/*", "/pets", False),
        ("/pets/**", "/pets/1/x", True),
        ("/pets*", "/petshop", True),
        ("*", "", True),
        ("/", "", False),
        ("/", "/", True),
        ("/pets", "/Pets", False),
        ("/a.c", "/abc", False),
        ("/a?", "/a", False),
        (r"/\*", "/*", True),
        (r"/\*", "/x", False),
        (r"/\\", "\\", False),
        (r"/\\*", "/\\x", True),
        (r"/\a", r"/\a", True),
        ("/***/x", "/a/b/x", True),
        ("/**/x/*", "/a/x/b/x/c", True),
        ("/**a*b", "/a/ab", True),
        ("/*/b/*/c", "/a/b/b/c", True),
        ("/*a*a", "/aaa", True),
        ("/*a*a", "/a", False),
    ],
)
def test_patterns(pattern: str, path: str, matches: bool) -> None:
    assert endpoint_matches("*", pattern, "GET", path) is matches


def test_methods() -> None:
    assert endpoint_matches("get", "/a", "GET", "/a")
    assert not endpoint_matches("POST", "**", "GET", "/a")


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="ab/*", max_size=10), st.text(alphabet="ab/", max_size=14))
def test_patterns_mean_what_the_plain_expression_means(pattern: str, path: str) -> None:
    plain = re.sub(r"\*+", lambda run: "[^/]*" if run[0] == "*" else ".*", pattern)
    assert endpoint_matches("*", pattern, "GET", path) is bool(re.fullmatch(plain, path))


def test_a_hostile_path_costs_no_more_than_its_square() -> None:
    began = time.monotonic()
    assert not endpoint_matches("*", "/**a**a**a**a**a*b*c*d", "GET", "/" + "a" * 4000)
    assert not endpoint_matches("*", "/*a*a*a*a*a*a*b", "GET", "/" + "a" * 4000)
    assert time.monotonic() - began < 2


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="/.%2eEfF5cC;a\\ö\x00", max_size=30))
def test_garbage_is_decoded_or_refused(path: str) -> None:
    for read in (decode_service_path, read_service, read_reference):
        code = None
        try:
            read(path)
        except Fault as fault:
            code = fault.code
        assert code in (None, "internal_error", "access_denied")
