"""Moments are aware, in UTC, and nothing that only resembles one passes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xgate.errors import Fault
from xgate.globalconf.times import read_time, write_time


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-31T10:00:00Z",
        "2026-01-31T10:00:00.000Z",
        "2026-01-31T12:00:00+02:00",
        " 2026-01-31T10:00:00.000000000Z ",
    ],
)
def test_one_moment_in_many_forms(text: str) -> None:
    assert read_time(text) == datetime(2026, 1, 31, 10, tzinfo=UTC)
    assert read_time(text).tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-01-31",
        "2026-01-31T10:00:00",  # no zone
        "2026-01-31 10:00:00Z",
        "2026-02-30T10:00:00Z",
        "20260131T100000Z",
        "2026-01-31T10:00:00Zulu",
        "٢٠٢٦-01-31T10:00:00Z",
        "0001-01-01T00:00:00+23:59",  # before the first year
    ],
)
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(Fault, match="malformed_global_conf"):
        read_time(text)


def test_a_schema_may_mean_utc() -> None:
    assert read_time("2026-01-31T10:00:00", assume_utc=True) == datetime(
        2026, 1, 31, 10, tzinfo=UTC
    )


@given(
    st.datetimes(
        datetime(1000, 1, 2),
        datetime(9999, 12, 30),
        timezones=st.just(timezone(timedelta(hours=3))),
    )
)
def test_what_is_written_is_read(moment: datetime) -> None:
    assert read_time(write_time(moment)) == moment.replace(microsecond=0)
    shown = write_time(moment, milliseconds=True)
    assert read_time(shown) == moment.replace(microsecond=moment.microsecond // 1000 * 1000)
