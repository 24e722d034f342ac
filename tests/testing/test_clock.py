"""A test's clock moves only by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from xgate.clock import Clock
from xgate.testing.clock import FakeClock


def test_a_fake_clock_stands_still_until_it_is_moved() -> None:
    fake = FakeClock()
    clock: Clock = fake
    before = clock.now(), clock.monotonic()
    assert (clock.now(), clock.monotonic()) == before
    fake.advance(1.5)
    fake.advance(timedelta(minutes=1))
    assert clock.now() - before[0] == timedelta(seconds=61.5)
    assert clock.monotonic() - before[1] == 61.5


def test_the_wall_clock_may_jump_while_monotonic_time_does_not() -> None:
    clock = FakeClock()
    clock.jump_to(datetime(2020, 1, 1, 2, tzinfo=timezone(timedelta(hours=2))))
    assert clock.now() == datetime(2020, 1, 1, tzinfo=UTC)
    assert clock.now().tzinfo is UTC
    assert clock.monotonic() == 0.0


def test_time_neither_passes_backwards_nor_without_a_zone() -> None:
    clock = FakeClock()
    with pytest.raises(ValueError, match="go back"):
        clock.advance(-1)
    with pytest.raises(ValueError, match="aware"):
        FakeClock(datetime(2026, 1, 1))
