"""What has been logged here since the last round of stamping: when the next one must not wait.

The rule: a round is due at its interval, or as soon as a token's worth of records waits, or before
the OCSP responses in the signatures lose their worth: a timestamp that comes later than they are
fresh proves nothing, for ever (signature trap 11). The last cannot make rounds follow each other
faster than a fixed pace: how old an OCSP response is, peers decide. Only this process's own records
are known here, which is enough to be early; the store knows them all.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec
import trio

__all__ = ["Backlog", "Pending"]

_AHEAD = timedelta(seconds=30)  # for a service that is slow, and another after it
_PACE = 5.0


class Pending(msgspec.Struct, frozen=True):
    """Records without a timestamp: how many, and until when the first of them must have one."""

    records: int = 0
    stamp_by: datetime | None = None

    def joined(self, other: Pending) -> Pending:
        """Both together."""
        known = [one.stamp_by for one in (self, other) if one.stamp_by is not None]
        return Pending(self.records + other.records, min(known, default=None))


class Backlog:
    """For use within one trio loop: the log adds, one keeper takes."""

    def __init__(self, full: int, now: Callable[[], datetime]) -> None:
        """:param full: how many records are reason enough for a round.
        :param now: the wall clock.
        """
        self.pending = Pending()
        """What waits, as far as this process knows."""
        self._full = full
        self._now = now
        self._changed = trio.Event()

    def add(self, stamp_by: datetime | None = None) -> None:
        """One more record waits.

        :param stamp_by: until when a timestamp makes it evidence; None if that is not known.
        """
        before = self.pending
        self.pending = after = before.joined(Pending(1, stamp_by))
        if after.records == self._full or after.stamp_by != before.stamp_by:
            self._changed.set()

    def take(self) -> Pending:
        """A round begins: what waited until now."""
        taken, self.pending = self.pending, Pending()
        return taken

    def put_back(self, taken: Pending) -> None:
        """The round did not stamp it, or not all of it."""
        self.pending = self.pending.joined(taken)

    async def wait_due(self, pause: float, *, early: bool = True) -> None:
        """Until the next round: after ``pause`` seconds, or sooner when that must be.

        :param early: False: the pause stands.
        """
        until = trio.current_time() + pause
        soonest = min(until, trio.current_time() + _PACE)
        while (left := until - trio.current_time()) > 0:
            if early:
                if self.pending.records >= self._full:
                    return
                left = min(left, max(self._left(), soonest - trio.current_time()))
                if left <= 0:
                    return
            self._changed = trio.Event()
            with trio.move_on_after(left):
                await self._changed.wait()

    def _left(self) -> float:
        """Seconds until a round is due for the sake of ``stamp_by``."""
        by = self.pending.stamp_by
        return float("inf") if by is None else (by - _AHEAD - self._now()).total_seconds()
