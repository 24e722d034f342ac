"""How late the loop is: what everybody who waits for it waits too long.

The rule: a task that wants to run at a steady beat notes by how much it did not. It sees what
blocks the loop and what keeps the interpreter from it, by less than a beat too little. Of the first
seconds, in which everything is done for the first time, nothing is told.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

import trio

__all__ = ["SETTLING", "Pulse"]

SETTLING: Final = 3.0
"""Seconds after the start that do not count."""

_CLASSES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)  # ms


class Pulse:
    """Beats of the loop, counted."""

    def __init__(self, beat: float) -> None:
        """:param beat: seconds from beat to beat: what is shorter is seen by luck, if at all."""
        self._beat = beat
        self.longest = 0.0
        """The latest beat so far, in seconds behind its time."""
        self._beats: Counter[int] = Counter()

    async def keep(self) -> None:
        """Beat for ever."""
        await trio.sleep(SETTLING)
        while True:
            due = trio.current_time() + self._beat
            await trio.sleep_until(due)
            self._note(trio.current_time() - due)

    def told(self) -> dict[str, float]:
        """``longest_ms``, and ``over_N_ms``: how many beats were later than N, for N that were."""
        counts = {f"over_{ms}_ms": float(n) for ms, n in sorted(self._beats.items())}
        return {"longest_ms": round(self.longest * 1000, 1), **counts}

    def _note(self, late: float) -> None:
        self.longest = max(self.longest, late)
        for ms in _CLASSES:
            if late * 1000 <= ms:
                break
            self._beats[ms] += 1
