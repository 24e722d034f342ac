"""A clock that stands still until a test moves it.

The rule: ``now`` and ``monotonic`` move together by ``advance``; ``jump_to`` moves the wall clock
alone, as an administrator or NTP would.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

__all__ = ["FakeClock"]

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


def _aware(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("a clock shows aware times only")
    return moment.astimezone(UTC)
