"""What the X-Road headers say, and which of several counts."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xgate.errors import Fault
from xgate.ids import ClientId, RepresentedParty, ServerId, ServiceId
from xgate.wire.rest_fields import read_request_fields, read_response_fields

CLIENT = ClientId("XG", "COM", "777", "app")


def test_every_field_of_a_request() -> None:
    fields = read_request_fields(
        [
            ("X-ROAD-Client", "XG/COM/777/app"),
            ("x-road-ID", "q"),
            ("X-Road-UserId", "EE1"),
            ("X-Road-Issue", "7"),
            ("X-Road-Represented-Party", "COM/5"),
            ("X-Road-Security-Server", "XG/GOV/1/ss"),
            ("x-road-request-id", "uuid"),
            ("X-Road-Service", "has no meaning here"),
            ("Accept", "*/*"),
        ]
    )
    assert fields == {
        "client": CLIENT,
        "id": "q",
        "user_id": "EE1",
        "issue": "7",
        "represented_party": RepresentedParty("COM", "5"),
        "security_server": ServerId(ClientId("XG", "GOV", "1"), "ss"),
        "request_id": "uuid",
    }


def test_every_field_of_an_answer() -> None:
    fields = read_response_fields(
        [
            ("X-Road-Client", "XG/COM/777/app"),
            ("X-Road-Service", "XG/GOV/12/reg/people"),
            ("X-Road-Id", "q"),
            ("X-Road-Request-Id", "uuid"),
            ("X-Road-Request-Hash", "aGFzaA=="),
        ]
    )
    assert fields == {
        "client": CLIENT,
        "service": ServiceId(ClientId("XG", "GOV", "12", "reg"), "people"),
        "id": "q",
        "request_id": "uuid",
        "request_hash": "aGFzaA==",
    }


def test_absent_is_absent() -> None:
    assert read_request_fields([]) == read_response_fields([]) == {}


def test_the_last_of_equal_names_wins_in_an_answer() -> None:
    assert read_response_fields([("X-Road-Id", "1"), ("x-road-id", "")]) == {"id": ""}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("X-Road-Client", "XG/COM/1"), ("x-road-client", "XG/COM/2")),
        (("X-Road-Id", "1"), ("x-road-id", "")),
        (("X-Road-UserId", "a"), ("X-ROAD-USERID", "b")),
        (("X-Road-Security-Server", "a/b/c/d"), ("X-Road-Security-Server", "a/b/c/e")),
        (("x-road-request-id", "a"), ("x-road-request-id", "b")),
        (("X_Road_Client", "XG/COM/1"), ("X-Road-Client", "XG/COM/1")),
        (("Accept", "*/*"), ("x-road_userid", "a")),
    ],
)
def test_a_request_does_not_say_two_things(first: tuple[str, str], second: tuple[str, str]) -> None:
    """We would look at the one, and the service at the other."""
    for headers in ([first, second], [second, first]):
        with pytest.raises(Fault, match="internal_error: Invalid header: "):
            read_request_fields(headers)


def test_a_request_may_say_one_thing_twice() -> None:
    twice = [("X-Road-Client", "XG/COM/777/app"), ("x-road-client", "XG/COM/777/app")]
    assert read_request_fields(twice) == {"client": CLIENT}
    other = [("X-Road-Request-Id", "theirs"), ("x-road-request-id", "ours")]
    assert read_request_fields(other) == {"request_id": "ours"}


def test_a_request_id_counts_in_one_spelling_only_in_a_request() -> None:
    assert read_request_fields([("X-Road-Request-Id", "u")]) == {}
    assert read_response_fields([("X-Road-Request-Id", "u")]) == {"request_id": "u"}


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("X-Road-Client", "", "Invalid Client Id"),
        ("X-Road-Client", "a/b", "Invalid Client Id"),
        ("X-Road-Client", " a/b/c", "Invalid character in path segment"),
        ("X-Road-Client", "a/b/\xc3\xb6", "Invalid character in path segment"),
        ("X-Road-Security-Server", "a/b/c", "Invalid SecurityServer Id"),
        ("X-Road-Represented-Party", "a/b/c", "Invalid RepresentedParty Id"),
    ],
)
def test_identifiers_are_parsed_strictly(name: str, value: str, text: str) -> None:
    with pytest.raises(Fault) as refusal:
        read_request_fields([(name, value)])
    assert (refusal.value.code, refusal.value.text) == ("internal_error", text)


def test_an_answer_s_service_has_five_pieces() -> None:
    with pytest.raises(Fault, match="Invalid Service Id"):
        read_response_fields([("x-road-service", "a/b/c/d")])


names = st.sampled_from(
    [
        *("X-Road-Client", "x-road-id", "x-road-request-id", "X-Road-Represented-Party"),
        *("X_Road-Client", "X-ROAD-SECURITY-SERVER", "x-road-service", "Accept"),
    ]
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(names, st.text(max_size=30) | st.just("XG/COM/1/a")), max_size=5))
def test_whatever_headers_say_is_understood_or_refused(headers: list[tuple[str, str]]) -> None:
    for read in (read_request_fields, read_response_fields):
        found: list[object] = []
        for more in ([], [("Accept", "*/*")]):
            try:
                found.append(read([*headers, *more]))
            except Fault as fault:
                found.append(fault.code)
        assert found[0] == found[1]
        assert isinstance(found[0], dict) or found[0] == "internal_error"
