"""Where records wait until they are stored.

The rule: taking one costs the exchange next to nothing and never fails; when too many wait, the
oldest are dropped and counted, as in the reference (monitoring 2). A batch that could not be stored
goes back to the front.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from xgate.opmonitor.record import OperationalRecord

__all__ = ["OperationalBuffer"]


class OperationalBuffer:
    """For one event loop.

    :ivar dropped: how many records were lost since the start because too many waited.
    """

    def __init__(self, size: int = 20_000) -> None:
        """:param size: how many may wait; 0: none is taken."""
        self.dropped = 0
        self._size = size
        self._waiting: deque[OperationalRecord] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def take(self, record: OperationalRecord) -> None:
        """Keep a record until it is stored."""
        if not self._size:
            return
        self._waiting.append(record)
        if len(self._waiting) > self._size:
            self._waiting.popleft()
            self.dropped += 1

    def newest(self, most: int) -> Sequence[OperationalRecord]:
        """The last that were taken and are not stored yet, the newest last."""
        return list(self._waiting)[-most:] if most else []

    def next(self, most: int) -> list[OperationalRecord]:
        """The oldest, taken out."""
        return [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]

    def put_back(self, records: Sequence[OperationalRecord]) -> None:
        """Those that could not be stored come first again, as far as there is room."""
        room = self._size - len(self._waiting)
        kept = records[max(0, len(records) - room) :] if room > 0 else []
        self.dropped += len(records) - len(kept)
        self._waiting.extendleft(reversed(kept))
