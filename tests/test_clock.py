"""The machine's clock is aware and does not go back."""

from __future__ import annotations

from datetime import timedelta

from xgate.clock import Clock, SystemClock


def test_the_system_clock_is_aware_and_in_utc() -> None:
    clock: Clock = SystemClock()
    assert clock.now().utcoffset() == timedelta(0)
    assert clock.monotonic() <= clock.monotonic()
