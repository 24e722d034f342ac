"""Lines of the log that strangers can bring about as often as they like.

The rule: each thing is told once a minute, and only so many things; the next minute's first line
has the number of those that were not told. So whoever looks finds the cause, and nobody fills the
disk.
"""

from __future__ import annotations

import math
from collections.abc import Hashable

from xgate.clock import Clock
from xgate.securityserver.journal import Journal

__all__ = ["Seldom"]

_MINUTE = 60.0
_MOST = 100


class Seldom:
    """Writes such lines into ``journal``."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock
        self._since = -math.inf
        self._told: set[Hashable] = set()
        self._untold = 0

    def event(self, thing: Hashable, name: str, **fields: str | int) -> None:
        """Tell of ``thing``, if it is its turn; the rest as ``Journal.event``."""
        now = self._clock.monotonic()
        if now - self._since >= _MINUTE:
            self._since = now
            self._told.clear()
        if thing in self._told or len(self._told) >= _MOST:
            self._untold += 1
            return
        self._told.add(thing)
        self._journal.event(name, **fields, untold=self._untold or None)
        self._untold = 0
