"""Clocks that a test moves: one stands still until then, one goes with trio's.

The rule: ``now`` and ``monotonic`` move together by ``advance``; ``jump_to`` moves the wall clock
alone, as an administrator or NTP would. Where waiting must end with the hands of the clock, both
are trio's business: ``TrioClock`` shows what a ``trio.testing.MockClock`` shows.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import trio

__all__ = ["FakeClock", "TrioClock"]

_START = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


class FakeClock:
    """A ``Clock`` under a test's control.

    :param start: the wall clock's first reading; must be aware.
    """

    def __init__(self, start: datetime = _START) -> None:
        self._now = _aware(start)
        self._monotonic = 0.0

    def now(self) -> datetime:
        """The time the test has set, in UTC."""
        return self._now

    def monotonic(self) -> float:
        """Seconds the test has let pass so far."""
        return self._monotonic

    def advance(self, step: float | timedelta) -> None:
        """Let time pass on both clocks; ``step`` in seconds or as a timedelta, not negative."""
        step = step if isinstance(step, timedelta) else timedelta(seconds=step)
        if step < timedelta(0):
            raise ValueError("time that passes does not go back; use jump_to for the wall clock")
        self._now += step
        self._monotonic += step.total_seconds()

    def jump_to(self, moment: datetime) -> None:
        """Set the wall clock, in either direction; the monotonic clock does not notice."""
        self._now = _aware(moment)


class TrioClock:
    """A ``Clock`` that goes and jumps with a trio clock; may be read in any thread.

    :param clock: the loop's own. :param start: what the wall clock shows now; must be aware.
    """

    def __init__(self, clock: trio.abc.Clock, start: datetime = _START) -> None:
        self._clock = clock
        self._start = _aware(start)
        self._began = clock.current_time()

    def now(self) -> datetime:
        """The time since the beginning, on the wall clock, in UTC."""
        return self._start + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        """Seconds since the beginning."""
        return self._clock.current_time() - self._began


def _aware(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("a clock shows aware times only")
    return moment.astimezone(UTC)
