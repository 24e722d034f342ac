"""The query of a download: what is read, in which order it is refused, and in which words."""

from __future__ import annotations

from contextlib import suppress
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xgate.ids import ClientId
from xgate.wire.download import (
    ASIC_PATH,
    CONF_PATH,
    NotHandedOut,
    Wanted,
    bundle_name,
    check_unique,
    is_download,
    nothing_found,
    read_owner,
    read_parameters,
    read_wanted,
)

MEMBER = {"xRoadInstance": "XG", "memberClass": "COM", "memberCode": "1"}


def read(query: str) -> None:
    """A whole query, in the order of the server."""
    parameters = read_parameters(query)
    read_owner(parameters)
    check_unique(read_wanted(parameters))


def refused(query: str) -> tuple[int, str]:
    """How a whole query is refused."""
    with pytest.raises(NotHandedOut) as caught:
        read(query)
    return caught.value.status, caught.value.text


def test_only_a_get_of_these_very_paths_is_a_download() -> None:
    assert is_download("GET", ASIC_PATH)
    assert is_download("GET", CONF_PATH)
    for method, path in (("POST", "/asic"), ("get", "/asic"), ("GET", "/asic/"), ("GET", "/Asic")):
        assert not is_download(method, path)


def test_a_whole_query() -> None:
    query = urlencode({**MEMBER, "subsystemCode": "ä b/c", "queryId": "1+1"}) + "&force&unique="
    parameters = read_parameters(query + "&requestOnly=false")
    assert read_owner(parameters) == ClientId("XG", "COM", "1", "ä b/c")
    assert read_wanted(parameters) == Wanted("1+1", response=False, unique=True, force=True)


def test_what_is_left_out() -> None:
    parameters = read_parameters(urlencode({**MEMBER, "queryId": ""}))
    assert read_owner(parameters) == ClientId("XG", "COM", "1")
    assert read_wanted(parameters) == Wanted("", response=None, unique=False, force=False)


def test_of_a_parameter_that_is_given_twice_the_first_one_counts() -> None:
    query = urlencode([*MEMBER.items(), ("memberCode", "2"), ("queryId", "a"), ("queryId", "b")])
    parameters = read_parameters(query)
    assert read_owner(parameters).member_code == "1"
    assert read_wanted(parameters).query_id == "a"


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("", 'Parameter "xRoadInstance"  must be specified.'),
        ("xRoadInstance=XG&memberCode=1", 'Parameter "memberClass"  must be specified.'),
        ("xRoadInstance=XG&memberClass=COM", 'Parameter "memberCode"  must be specified.'),
        (urlencode({**MEMBER, "memberCode": " "}), "'memberCode' must not be blank"),
        (urlencode({**MEMBER, "subsystemCode": ""}), "'subsystemCode' must not be blank"),
        (urlencode(MEMBER) + "&unique", 'Parameter "queryId"  must be specified.'),
        (
            urlencode(MEMBER) + "&queryId=1&requestOnly&responseOnly&unique",
            'Parameters "requestOnly" and "responseOnly" cannot be used at the same time.',
        ),
        (
            urlencode(MEMBER) + "&queryId=1&unique",
            'Parameter "unique" not applicable without "requestOnly" or "responseOnly".',
        ),
        ("queryId=%ff", "A parameter is not UTF-8."),
        ("&" * 100, "There are too many parameters."),
    ],
)
def test_a_bad_query_is_a_400_with_its_words(query: str, text: str) -> None:
    assert refused(query) == (400, text)


def test_a_refusal_takes_no_prefix_and_keeps_its_status() -> None:
    refusal = nothing_found()
    assert refusal.under("server.clientproxy") is refusal
    assert (refusal.status, refusal.text) == (404, "No signed documents found")


@pytest.mark.parametrize(
    ("query_id", "response", "name"),
    [
        ("a b~c*", None, "a+b%7Ec*.zip"),
        ('x"\r\n/', True, "x%22%0D%0A%2F-response.zip"),
        ("é" * 300, False, ("%C3%A9" * 300)[:226] + "-request.zip"),
    ],
)
def test_the_name_of_the_zip_fits_into_a_header(
    query_id: str, response: bool | None, name: str
) -> None:
    assert bundle_name(Wanted(query_id, response, unique=False, force=False)) == name


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet=st.characters(min_codepoint=0x21, max_codepoint=0x7E)))
def test_whatever_comes_is_read_or_refused(query: str) -> None:
    with suppress(NotHandedOut):
        read(query)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.text(), st.text(), max_size=20))
def test_form_encoding_round_trip(fields: dict[str, str]) -> None:
    assert read_parameters(urlencode(fields, errors="strict")) == fields
