"""Identifiers: exact values, their texts, and the percent-encoded forms of REST."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xgate.errors import Fault
from xgate.ids import (
    ClientId,
    GlobalGroupId,
    LocalGroupId,
    RepresentedParty,
    ServerId,
    ServiceId,
    decode_segment,
    encode_segment,
    parse_client,
    parse_represented_party,
    parse_server,
    parse_service,
    parse_short_client,
    parse_short_server,
)

MEMBER = ClientId("DEV", "COM", "222")
SUBSYSTEM = ClientId("DEV", "COM", "222", "sub")

quickly = settings(max_examples=100, deadline=None)
texts = st.text(st.characters(codec="utf-8"), max_size=20)
parts = texts.filter(lambda text: text.strip() != "")
clients = st.builds(ClientId, parts, parts, parts, st.none() | parts)
subsystems = st.builds(ClientId, parts, parts, parts, parts)


@pytest.mark.parametrize(
    ("identifier", "text"),
    [
        (MEMBER, "MEMBER:DEV/COM/222"),
        (SUBSYSTEM, "SUBSYSTEM:DEV/COM/222/sub"),
        (ServiceId(SUBSYSTEM, "getRandom", "v1"), "SERVICE:DEV/COM/222/sub/getRandom/v1"),
        (ServiceId(MEMBER, "getRandom"), "SERVICE:DEV/COM/222/getRandom"),
        (ServerId(MEMBER, "ss1"), "SERVER:DEV/COM/222/ss1"),
        (GlobalGroupId("DEV", "all"), "GLOBALGROUP:DEV/all"),
        (LocalGroupId("ours"), "LOCALGROUP:ours"),
        (RepresentedParty("COM", "5"), "COM/5"),
        (RepresentedParty(None, "5"), "5"),
    ],
)
def test_an_identifier_prints_as_the_protocol_prints_it(identifier: object, text: str) -> None:
    assert str(identifier) == text


def test_identifiers_are_equal_only_when_every_part_is_equal_by_case() -> None:
    assert ClientId("DEV", "COM", "222", "sub") == SUBSYSTEM
    assert ClientId("DEV", "COM", "222", "Sub") != SUBSYSTEM
    assert ClientId("DEV", "COM", "222", " sub") != SUBSYSTEM
    assert MEMBER != SUBSYSTEM
    assert ServiceId(MEMBER, "a", "") != ServiceId(MEMBER, "a")
    assert hash(ClientId("DEV", "COM", "222")) == hash(MEMBER)


def test_a_subsystem_knows_its_member() -> None:
    assert SUBSYSTEM.member == MEMBER
    assert MEMBER.member is MEMBER
    assert (MEMBER.object_type, SUBSYSTEM.object_type) == ("MEMBER", "SUBSYSTEM")


def test_an_identifier_can_not_be_changed() -> None:
    with pytest.raises(AttributeError):
        MEMBER.instance = "EE"  # type: ignore[misc]  # the refusal is the subject


@pytest.mark.parametrize(
    ("values", "name"),
    [
        (("", "COM", "1"), "xRoadInstance"),
        (("DEV", " ", "1"), "memberClass"),
        (("DEV", "COM", "\t\n"), "memberCode"),
        (("DEV", "COM", "1", ""), "subsystemCode"),
    ],
)
def test_a_blank_part_is_named(values: tuple[str, ...], name: str) -> None:
    with pytest.raises(Fault) as refusal:
        ClientId(*values)
    assert str(refusal.value) == f"internal_error: '{name}' must not be blank"


def test_service_and_server_and_groups_check_their_own_parts() -> None:
    for build, name in (
        (lambda: ServiceId(MEMBER, ""), "serviceCode"),
        (lambda: ServerId(MEMBER, ""), "serverCode"),
        (lambda: GlobalGroupId("DEV", ""), "groupCode"),
        (lambda: LocalGroupId(" "), "groupCode"),
    ):
        with pytest.raises(Fault, match=f"'{name}' must not be blank"):
            build()


def test_a_blank_service_version_is_a_version() -> None:
    assert ServiceId(MEMBER, "a", "").short == "DEV/COM/222/a/"


def test_the_check_holds_when_an_identifier_is_read_from_data() -> None:
    with pytest.raises(Fault, match="'memberCode' must not be blank"):
        msgspec.convert({"instance": "I", "member_class": "C", "member_code": " "}, ClientId)


def test_segments_keep_what_a_path_segment_may_hold() -> None:
    plain = "AZaz09-._~!$&'()*+,;=:@"
    assert encode_segment(plain) == plain
    assert decode_segment(plain) == plain
    assert encode_segment("a b/c%d?#öä€") == "a%20b%2Fc%25d%3F%23%C3%B6%C3%A4%E2%82%AC"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a b", "Invalid character in path segment"),
        ("ö", "Invalid character in path segment"),
        ("a/b", "Invalid character in path segment"),
        ("%", "Incomplete percent encoding"),
        ("a%2", "Incomplete percent encoding"),
        ("%zz", "Invalid percent encoding"),
        ("%-1", "Invalid percent encoding"),
        ("%+1", "Invalid percent encoding"),
        ("%C3", "Invalid percent encoding"),
        ("%C0%80", "Invalid percent encoding"),
        ("%ED%A0%80", "Invalid percent encoding"),
    ],
)
def test_a_segment_is_decoded_strictly(text: str, complaint: str) -> None:
    with pytest.raises(Fault) as refusal:
        decode_segment(text)
    assert str(refusal.value) == f"internal_error: {complaint}"


def test_a_segment_is_decoded_once_and_plus_stays_plus() -> None:
    assert decode_segment("a+b%2Fc%252F") == "a+b/c%2F"


def test_text_that_is_not_unicode_is_refused() -> None:
    with pytest.raises(Fault, match="not Unicode"):
        encode_segment("a\ud800")


@quickly
@given(texts)
def test_segments_survive_the_way_there_and_back(text: str) -> None:
    assert decode_segment(encode_segment(text)) == text


@quickly
@given(clients)
def test_clients_survive_the_way_there_and_back(client: ClientId) -> None:
    assert parse_client(client.url) == client


@quickly
@given(subsystems, parts)
def test_services_survive_the_way_there_and_back(client: ClientId, code: str) -> None:
    service = ServiceId(client, code)
    assert parse_service(service.url) == service


@quickly
@given(texts)
def test_garbage_is_refused_and_nothing_else(text: str) -> None:
    for parse in (parse_client, parse_service, parse_server, parse_represented_party):
        code = "internal_error"
        try:
            parse(text)
        except Fault as fault:
            code = fault.code
        assert code == "internal_error"


@pytest.mark.parametrize("text", ["", "A", "A/B", "A/B/C/D/E", "a b/c/d"])
def test_a_client_has_three_or_four_pieces(text: str) -> None:
    with pytest.raises(Fault):
        parse_client(text)


def test_the_texts_of_wrong_piece_counts() -> None:
    for parse, complaint in (
        (parse_client, "Invalid Client Id"),
        (parse_service, "Invalid Service Id"),
        (parse_server, "Invalid SecurityServer Id"),
    ):
        with pytest.raises(Fault, match=complaint):
            parse("A/B")
    with pytest.raises(Fault, match="Invalid RepresentedParty Id"):
        parse_represented_party("A/B/C")


def test_server_and_represented_party_forms() -> None:
    assert parse_server("DEV/COM/222/ss%2F1") == ServerId(MEMBER, "ss/1")
    assert parse_represented_party("COM/%C3%B6") == RepresentedParty("COM", "ö")
    assert parse_represented_party("5") == RepresentedParty(None, "5")


def test_the_short_form_is_what_people_write() -> None:
    assert parse_short_client("DEV/COM/222") == MEMBER
    assert parse_short_client("DEV/COM/222/sub") == SUBSYSTEM
    assert parse_short_client("DEV/COM/100%/a b").subsystem_code == "a b"
    assert parse_short_server("DEV/COM/222/ss1") == ServerId(MEMBER, "ss1")
    for text in ("DEV/COM", "DEV/COM/1/2/3", "DEV//222", ""):
        with pytest.raises(Fault):
            parse_short_client(text)
    with pytest.raises(Fault, match="'DEV/COM/222' is not"):
        parse_short_server("DEV/COM/222")
