"""Names of archives: what they say, and that every file system takes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xgate.trust.archive_name import ArchiveName, find_archive_name, write_archive_name

AT = datetime(2023, 10, 23, 12, 12, 55, tzinfo=UTC)
DIGEST = "9011ab557706b505" + "0" * 112


def test_the_reference_s_example() -> None:
    name = write_archive_name(None, AT, AT, DIGEST, encrypted=True)
    assert name == "mlog-20231023121255-20231023121255-9011ab557706b505.zip.gpg"


def test_times_are_in_utc_and_a_group_is_made_fit_for_a_name() -> None:
    later = (AT + timedelta(seconds=1)).astimezone(timezone(timedelta(hours=-7)))
    name = write_archive_name('EE/GOV/a:b*"\n/sub x', AT, later, DIGEST, encrypted=False)
    assert name == ('mlog-EE_GOV_a_b_"__sub x-20231023121255-20231023121256-9011ab557706b505.zip')
    assert find_archive_name(name) == ArchiveName(
        'EE_GOV_a_b_"__sub x', "20231023121255", "20231023121256", "9011ab557706b505", False
    )


@given(st.none() | st.text(min_size=1, max_size=300), st.booleans())
@settings(max_examples=100, deadline=None)
def test_any_group_gives_a_name_that_can_be_a_file(group: str | None, encrypted: bool) -> None:
    if group is not None:
        group = group.encode("utf-8", "replace").decode()
    name = write_archive_name(group, AT, AT, DIGEST, encrypted=encrypted)
    assert len(name.encode()) <= 255
    assert not set(name) & set("/\\\0\n")
    found = find_archive_name(name)
    if group is None or len(group.encode()) < 150:
        assert found is not None
        assert (found.group is None, found.encrypted) == (group is None, encrypted)


@pytest.mark.parametrize(
    "name", ["", "message-archive-0.zip", "mlog-1-2-3.zip", "tmp-mlog-1.tmp", "mlog-WITH.zip"]
)
def test_other_names_say_nothing(name: str) -> None:
    assert find_archive_name(name) is None
