"""Delay is measured: of turns, and of the log."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from xgate.securityserver.strain import Strain


def strain_of(log: float = 0.0) -> Strain:
    return Strain(lambda: log, most_late=1.0, most_log=5.0)


def test_delay_counts_from_its_border_on() -> None:
    strain = strain_of()
    strain.saw(1.0)
    assert not strain()
    strain.saw(1.01)
    assert strain() == "late-seconds = 1"
    assert not strain_of(log=5.0)()
    assert strain_of(log=5.01)() == "slow-log-seconds = 5"
    assert strain_of(log=5.01).log_late == 5.01


def test_a_delay_fades_and_a_long_pause_does_not_count_for_longer_than_a_bad_one() -> None:
    strain = strain_of()
    strain.saw(3600.0)  # the machine slept
    turns = 0
    while strain():
        strain.saw(0.0)
        turns += 1
    assert turns == pytest.approx(2, abs=1)  # of half a second each


async def test_turns_that_come_late_are_seen(mock_clock: MockClock) -> None:
    strain = strain_of()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(strain.keep)
        await trio.testing.wait_all_tasks_blocked()
        mock_clock.jump(0.5)
        await trio.testing.wait_all_tasks_blocked()
        assert strain.late == pytest.approx(0)
        mock_clock.jump(2.0)  # nobody had a turn for so long
        await trio.testing.wait_all_tasks_blocked()
        assert strain.late == pytest.approx(1.5)
        nursery.cancel_scope.cancel()
