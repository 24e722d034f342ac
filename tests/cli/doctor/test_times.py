"""This machine's clock among others."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from tests.cli.doctor.conftest import Patient

from xgate.cli.doctor.case import Case
from xgate.cli.doctor.times import CLOCK_FIX, check_time, length_text, note_date
from xgate.testing.authority import NOW
from xgate.testing.clock import FakeClock


@pytest.fixture
def case() -> Case:
    return Case(Path("xgate.toml"), FakeClock(NOW))


def test_all_other_clocks_are_an_hour_ahead(patient: Patient) -> None:
    patient.clock.by = timedelta(hours=3)
    ran = patient.examine()
    check, observed, fix = ran.link
    assert (check, fix) == ("time", CLOCK_FIX)
    assert observed.startswith("this machine's clock is 3 h behind others (127.0.0.1:")


@pytest.mark.parametrize(
    ("ahead", "state"), [(0, None), (9, None), (60, "warning"), (-60, "warning"), (301, "broken")]
)
async def test_how_far_it_may_be_off(case: Case, ahead: float, state: str | None) -> None:
    case.note_clock("tsa", NOW + timedelta(seconds=ahead))
    found, *others = await check_time(case)
    assert ("this machine's clock" in found.observed) == (state is not None)
    assert others == []
    if state is not None:
        assert (found.state, found.fix) == (state, CLOCK_FIX)


async def test_one_clock_among_others_is_its_own_owners_affair(case: Case) -> None:
    for name, ahead in (("one", 0), ("two", 1), ("wrong", 4000)):
        case.note_clock(name, NOW + timedelta(seconds=ahead))
    mine, wrong = await check_time(case)
    assert mine.state != "broken"
    assert (wrong.state, wrong.about) == ("warning", "wrong")
    assert wrong.observed == "the clock of wrong is 67 min ahead"


async def test_an_answer_that_was_made_long_ago_says_nothing_of_now(case: Case) -> None:
    case.note_clock("ocsp", NOW - timedelta(hours=5), exact=False)
    (found,) = await check_time(case)
    assert found.observed.startswith("no other clock was heard")


async def test_one_that_was_made_in_our_future_does(case: Case) -> None:
    case.note_clock("ocsp", NOW + timedelta(hours=5), exact=False)
    (found,) = await check_time(case)
    assert (found.state, found.observed) == (
        "broken",
        "this machine's clock is 5 h behind others (ocsp)",
    )


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("Mon, 02 Jun 2025 12:00:07 GMT", 7), ("Mon, 02 Jun 2025 14:00:07 +0200", 7), ("soon", None)],
)
def test_the_date_of_a_web_server(case: Case, value: str, seconds: float | None) -> None:
    case.clock.jump_to(NOW.replace(year=2025, month=6, day=2, hour=12, minute=0, second=0))  # type: ignore[attr-defined]
    note_date(case, "cs", [("Content-Type", "text/plain"), ("date", value)])
    assert [clock.ahead.total_seconds() for clock in case.clocks] == (
        [] if seconds is None else [seconds]
    )


@pytest.mark.parametrize(
    ("length", "said"),
    [
        (timedelta(seconds=4), "4 s"),
        (timedelta(seconds=-90), "90 s"),
        (timedelta(minutes=12), "12 min"),
        (timedelta(hours=5), "5 h"),
        (timedelta(days=30), "30 days"),
    ],
)
def test_lengths(length: timedelta, said: str) -> None:
    assert length_text(length) == said
