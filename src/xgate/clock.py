"""Where time comes from: one protocol, so that every test can hold its own hands of the clock.

The rule: below the trio line time is read through a ``Clock`` that was handed in; above it time is
an argument. Waiting is trio's business (``trio.testing.MockClock`` stands in for it in tests).
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol

__all__ = ["Clock", "SystemClock"]


class Clock(Protocol):
    """What the house needs to know about time."""

    def now(self) -> datetime:
        """The wall clock's time: aware, in UTC. May jump."""
        ...

    def monotonic(self) -> float:
        """Seconds since some fixed moment. Never goes back; only differences mean anything."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def now(self) -> datetime:
        """The wall clock's time: aware, in UTC. May jump."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds since some fixed moment. Never goes back; only differences mean anything."""
        return time.monotonic()
