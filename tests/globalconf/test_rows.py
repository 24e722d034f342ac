"""Rows: the same as the objects that tell of a country, and no identifier with a blank part."""

from __future__ import annotations

import pytest

from xgate.errors import Fault
from xgate.globalconf.rows import check_parts
from xgate.globalconf.shared import SharedParameters, read_in_rows, rows_of
from xgate.globalconf.shared_writer import write_shared


@pytest.mark.parametrize("version", [2, 4, 5, 6])
def test_rows_tell_what_the_objects_told(country: SharedParameters, version: int) -> None:
    data = write_shared(country, version)
    shared, rows = read_in_rows(data)
    expected = rows_of(country)
    assert [row[:4] for row in rows.members] == [row[:4] for row in expected.members]
    assert list(rows.groups) == list(expected.groups)
    assert shared.instance == country.instance
    assert [len(known) for known in (shared.members, shared.servers, shared.groups)] == [0, 0, 0]
    if version >= 5:  # before, subsystems had no names and servers no maintenance
        assert rows == expected


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        (b"<memberCode>2<", b"<memberCode> <", "'memberCode' must not be blank"),
        (b"<code>COM<", b"<code>\t<", "'memberClass' must not be blank"),
        (b"<subsystemCode>web<", b"<subsystemCode/><x><", "'subsystemCode' must not be blank"),
        (b"<subsystemCode>app<", b"<subsystemCode>\n<", "'subsystemCode' must not be blank"),
        (b"<serverCode>S1<", b"<serverCode> <", "'serverCode' must not be blank"),
        (b"<groupCode>all<", b"<groupCode><", "'groupCode' must not be blank"),
        (b":memberCode>1<", b":memberCode><", "'memberCode' must not be blank"),
        (b"Identifier>XX<", b"Identifier> <", "'xRoadInstance' must not be blank"),
    ],
)
def test_a_blank_part_is_refused(
    country: SharedParameters, old: bytes, new: bytes, text: str
) -> None:
    data = write_shared(country)
    assert old in data
    data = data.replace(old, new).replace(b"<x></subsystemCode>", b"")
    with pytest.raises(Fault, match=text) as refusal:
        read_in_rows(data)
    assert refusal.value.code == "malformed_global_conf"


def test_an_owner_is_a_member_and_a_member_of_a_group_has_a_type(country: SharedParameters) -> None:
    data = write_shared(country)
    for old, new, text in (
        (b"<owner>id0", b"<owner>id1", "owner of a security server is not a member"),
        (b'objectType="MEMBER"', b'objectType="SERVER"', "not that of a member or subsystem"),
    ):
        with pytest.raises(Fault, match=text):
            read_in_rows(data.replace(old, new))


def test_a_part_that_is_blank_has_a_name() -> None:
    check_parts(("XX", "COM", "1", "sub"))
    with pytest.raises(Fault, match="'subsystemCode' must not be blank"):
        check_parts(("XX", "COM", "1", " "))
