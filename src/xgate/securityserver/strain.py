"""Whether this process has more to do than it can.

The rule: what is measured is delay, not load: how late a task gets its turn, and how long the log
has been owing an answer. Both are what a message would wait, so both are small when all is well,
however many messages there are.
"""

from __future__ import annotations

from collections.abc import Callable

import trio

__all__ = ["Strain"]

_PACE = 0.5  # seconds between two measurements
_MEMORY = 0.6  # how much of the last delay counts at the next one


class Strain:
    """Measures while ``keep`` runs."""

    def __init__(
        self,
        log_delay: Callable[[], float],
        *,
        most_late: float,
        most_log: float,
    ) -> None:
        """:param log_delay: seconds since when the oldest record waits for the log.

        :param most_late: seconds that a turn may be late. :param most_log: that the log may take.
        """
        self._log_delay = log_delay
        self._most_late = most_late
        self._most_log = most_log
        self.late = 0.0
        """Seconds that turns came late, of late, as far as they matter."""

    @property
    def log_late(self) -> float:
        """Seconds since when the oldest record waits for the log."""
        return self._log_delay()

    def __call__(self) -> str:
        """The setting that is exceeded, with its value, while a new exchange would only make the
        others wait longer; else nothing.
        """
        if self.late > self._most_late:
            return f"late-seconds = {self._most_late:g}"
        return f"slow-log-seconds = {self._most_log:g}" if self.log_late > self._most_log else ""

    async def keep(self) -> None:
        """Measure until cancelled."""
        while True:
            began = trio.current_time()
            await trio.sleep(_PACE)
            self.saw(trio.current_time() - began - _PACE)

    def saw(self, late: float) -> None:
        """A turn came so many seconds late."""
        # A long pause of the whole machine is no reason to refuse anybody for long after it.
        self.late = max(min(late, 2 * self._most_late), self.late * _MEMORY)
