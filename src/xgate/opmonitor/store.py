"""Where operational records are kept (plug-in).

The rule: plain synchronous calls that take batches; the caller owns threads and time. Records are
for looking back over days: losing the last second of them is no loss of evidence.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import msgspec

from xgate.ids import ClientId
from xgate.opmonitor.record import OperationalRecord

__all__ = ["OperationalStore", "Stored"]


class Stored(msgspec.Struct, frozen=True):
    """A record and the second at which it was stored, the key of all queries."""

    time: int
    record: OperationalRecord


class OperationalStore(Protocol):
    """Duties: every call may come from any thread; what cannot be done is an OSError."""

    def append(self, records: Sequence[OperationalRecord], time: int) -> None:
        """Keep all records or none. :param time: the second of now, since 1970."""

    def find(self, since: int, until: int, client: ClientId | None = None) -> Iterator[Stored]:
        """Those stored from second ``since`` to ``until``, both included, oldest first.

        :param client: only those in which exactly this is the client or the provider.
        """

    def clean(self, before: int) -> int:
        """Delete what was stored before this second; how many."""

    def close(self) -> None:
        """Release files."""
