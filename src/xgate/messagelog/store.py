"""Where records are kept (plug-in).

The rule: plain synchronous calls that take batches; the caller owns threads, retries and time. All
of a batch is kept or none, and what ``append`` has returned for is durable: it survives the loss of
power. Records are never changed except by ``stamp``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from xgate.ids import ClientId
from xgate.messagelog.record import LoggedRecord, Record, Stamp

__all__ = ["LogStore"]


class LogStore(Protocol):
    """Duties: one writer at a time; readers at any time, also from other processes."""

    def append(self, records: Sequence[Record]) -> Sequence[int]:
        """Keep all records durably; their numbers, ascending.

        :raises Fault: ``logging_failed`` when they could not be kept; then none was.
        """

    def unstamped(self, limit: int) -> Sequence[tuple[int, bytes]]:
        """Number and signature document of records without a timestamp, oldest first."""

    def stamp(self, stamps: Mapping[int, Stamp], documents: Mapping[int, bytes]) -> None:
        """Attach timestamps to records that have none yet; all or none, durable.

        :param documents: by number, a signature document that replaces the stored one (a single
            timestamp goes inside it).
        """

    def find(
        self,
        *,
        query_id: str | None = None,
        owner: ClientId | None = None,
        response: bool | None = None,
    ) -> Iterator[LoggedRecord]:
        """Records that match all that is given, oldest first; a message at a time in memory."""

    def close(self) -> None:
        """Release files; nothing is lost by not calling it."""
