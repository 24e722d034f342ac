from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xgate.errors import Fault
from xgate.trust import der
from xgate.trust.der import Cursor, DerError

quickly = settings(max_examples=100, deadline=None)


@given(st.integers(min_value=-(2**500), max_value=2**500))
@quickly
def test_an_integer_comes_back(value: int) -> None:
    assert der.read_integer(der.read(der.write_integer(value), der.INTEGER)) == value


arcs = st.lists(st.integers(0, 2**40), max_size=6)


@given(st.integers(0, 2), st.integers(0, 39), arcs)
@quickly
def test_an_object_identifier_comes_back(first: int, second: int, rest: list[int]) -> None:
    dotted = ".".join(map(str, (first, second, *rest)))
    assert der.read_oid(der.read(der.write_oid(dotted), der.OID)) == dotted


@given(st.datetimes(datetime(1950, 1, 1), datetime(2049, 12, 31), timezones=st.just(UTC)))
@quickly
def test_a_time_comes_back(moment: datetime) -> None:
    assert der.read_time(der.read(der.write_time(moment))) == moment
    whole = moment.replace(microsecond=0)
    assert der.read_time(der.read(der.write_time(moment, der.UTC_TIME))) == whole


@given(st.binary(max_size=300))
@quickly
def test_any_content_comes_back_with_the_shortest_length(content: bytes) -> None:
    encoded = der.encode(der.OCTET_STRING, content)
    element = der.read(encoded)
    assert (element.tag, element.content, element.raw) == (der.OCTET_STRING, content, encoded)
    assert der.read_first(encoded + b"tail") == element


@given(st.binary(max_size=200))
@quickly
def test_garbage_is_refused_or_read_whole(data: bytes) -> None:
    try:
        element = der.read(data)
    except DerError:
        return
    assert der.encode(element.tag, element.content) == data


@pytest.mark.parametrize(
    ("octets", "why"),
    [
        (b"", "ends"),
        (b"\x30", "ends"),
        (b"\x30\x05\x00", "ends inside an element"),
        (b"\x30\x80\x00\x00", "indefinite"),
        (b"\x30\x85\x00\x00\x00\x00\x01\x00", "too long"),
        (b"\x04\x81\x01\x00", "shortest"),
        (b"\x04\x82\x00\x81" + bytes(129), "shortest"),
        (b"\x1f\x81\x01\x00", "several octets"),
        (b"\x05\x00\x05\x00", "unexpected data"),
    ],
)
def test_what_is_not_distinguished_is_refused(octets: bytes, why: str) -> None:
    with pytest.raises(DerError, match=why):
        der.read(octets)


@pytest.mark.parametrize("octets", ["", "0001", "ff80", "00" * 65])
def test_an_integer_has_one_form(octets: str) -> None:
    with pytest.raises(DerError, match="integer"):
        der.read_integer(der.read(der.encode(der.INTEGER, bytes.fromhex(octets))))


@pytest.mark.parametrize("octets", ["", "80", "2a80", "2a8001", "2a" * 65])
def test_an_object_identifier_has_one_form(octets: str) -> None:
    with pytest.raises(DerError, match="object identifier"):
        der.read_oid(der.read(der.encode(der.OID, bytes.fromhex(octets))))


@pytest.mark.parametrize("octets", ["", "08ff", "01", "0101"])
def test_a_bit_string_has_clean_padding(octets: str) -> None:
    with pytest.raises(DerError, match="bit"):
        der.read_bits(der.read(der.encode(der.BIT_STRING, bytes.fromhex(octets))))


def test_bits_tell_how_many_are_unused() -> None:
    assert der.read_bits(der.read(b"\x03\x02\x05\xa0")) == (b"\xa0", 5)


@pytest.mark.parametrize(
    "text",
    [
        "20260101000000",
        "202601010000Z",
        "20261301000000Z",
        "20260101000000.Z",
        "20260101000000.10Z",
    ],
)
def test_a_time_has_one_form(text: str) -> None:
    with pytest.raises(DerError, match="time"):
        der.read_time(der.read(der.encode(der.GENERALIZED_TIME, text.encode())))


def test_two_digit_years_turn_at_fifty() -> None:
    years = [
        der.read_time(der.read(der.encode(der.UTC_TIME, f"{year}0101000000Z".encode()))).year
        for year in ("49", "50")
    ]
    assert years == [2049, 1950]


def test_a_boolean_is_00_or_ff() -> None:
    assert der.read_boolean(der.read(b"\x01\x01\xff"))
    with pytest.raises(DerError):
        der.read_boolean(der.read(b"\x01\x01\x01"))


def test_a_cursor_walks_and_knows_its_end() -> None:
    cursor = Cursor(der.write_integer(1) + der.encode(der.SEQUENCE, der.write_integer(2)))
    assert cursor.maybe(der.OID) is None
    assert der.read_integer(cursor.take(der.INTEGER)) == 1
    assert der.read_integer(cursor.inside().take()) == 2
    cursor.end()
    with pytest.raises(DerError):
        cursor.take()


def test_a_set_is_sorted() -> None:
    one, two = der.write_integer(1), der.write_integer(2)
    assert der.write_set_of([two, one]) == b"\x31\x06" + one + two


def test_a_refusal_becomes_the_callers_fault() -> None:
    with pytest.raises(Fault) as refused, der.der_faults("incorrect_certificate", "Cannot read it"):
        der.read(b"")
    assert refused.value.code == "incorrect_certificate"
    assert refused.value.text.startswith("Cannot read it: ")
