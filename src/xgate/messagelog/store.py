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

__all__ = ["LogStore", "Waiting"]

Waiting = tuple[int, bytes]
"""A record without a timestamp: its number, and the SHA-512 of its signature document."""


class LogStore(Protocol):
    """Duties: one writer at a time; readers at any time, also from other processes.

    Every call may come from any thread. What cannot be done is a Fault ``logging_failed...``.
    """

    def append(self, records: Sequence[Record]) -> Sequence[int]:
        """Keep all records durably; their numbers, ascending and never used before.

        :raises Fault: they could not be kept; then none was.
        """

    def unstamped(self, limit: int) -> Sequence[Waiting]:
        """The oldest records without a timestamp, in the order of their numbers."""

    def stamp(self, stamps: Mapping[int, Stamp], documents: Mapping[int, bytes]) -> None:
        """Attach timestamps; all or none, durable.

        A record that has got a timestamp from elsewhere meanwhile stays as it is, whole: neither
        its stamp nor its document is replaced. A number that is not there is passed over.

        :param documents: for some of the numbers in ``stamps``, a signature document that replaces
            the stored one (a single timestamp goes inside it).
        """

    def find(
        self,
        *,
        number: int | None = None,
        query_id: str | None = None,
        owner: ClientId | None = None,
        response: bool | None = None,
    ) -> Iterator[LoggedRecord]:
        """Records that match all that is given, oldest first; a message at a time in memory."""

    def close(self) -> None:
        """Release files; nothing is lost by not calling it."""
