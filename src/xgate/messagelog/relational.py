"""What relational stores answer alike: the questions of ``rows``, asked in each store's own way.

The rule: a question that both understand is asked here and nowhere else; how one is asked, and what
an error of the database means, belongs to the store.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Unpack

from xgate.messagelog import rows
from xgate.messagelog.record import LoggedRecord, Outline
from xgate.messagelog.store import Filters, Grouping, Statistics, Waiting

__all__ = ["RelationalReader"]


class RelationalReader(ABC):
    """The reading half of a ``LogStore``."""

    def unstamped(self, limit: int) -> Sequence[Waiting]:
        """The oldest records without a timestamp (``LogStore.unstamped``)."""
        return self._ask(rows.UNSTAMPED, (limit,))

    def find(self, **filters: Unpack[Filters]) -> Iterator[LoggedRecord]:
        """Records that match (``LogStore.find``)."""
        return self._records(*rows.select(filters))

    def outlines(self, **filters: Unpack[Filters]) -> Iterator[Outline]:
        """The same without their octets (``LogStore.outlines``)."""
        return self._outlines(*rows.select(filters))

    def read_part(self, outline: Outline, place: int) -> Iterator[bytes]:
        """The octets of one part (``LogStore.read_part``)."""
        return self._part(outline.id, place)

    def count_by(self, grouping: Grouping, **filters: Unpack[Filters]) -> Mapping[str, int]:
        """How many match, by group (``LogStore.count_by``)."""
        return rows.counts(grouping, self._ask(*rows.count_by(grouping, filters)))

    def statistics(self) -> Statistics:
        """What there is (``LogStore.statistics``)."""
        return rows.read_statistics(self._ask(rows.STATISTICS)[0])

    def newest_stamped(self) -> int | None:
        """See ``LogStore.newest_stamped``."""
        number: int | None = self._ask(rows.NEWEST_STAMPED)[0][0]
        return number

    def archivable(self, upto: int, limit: int) -> Iterator[Outline]:
        """Stamped records that are not archived (``LogStore.archivable``)."""
        return self._outlines(rows.ARCHIVABLE, (upto, limit))

    @abstractmethod
    def _ask(self, text: str, values: Sequence[object] = ()) -> list[Any]:
        """All rows of the answer. :raises Fault: ``logging_failed.database_error``."""

    @abstractmethod
    def _records(self, text: str, values: Sequence[object]) -> Iterator[LoggedRecord]:
        """The answer's records, few in memory at a time. :raises Fault: as ``_ask``."""

    @abstractmethod
    def _outlines(self, text: str, values: Sequence[object]) -> Iterator[Outline]:
        """The same without their octets. :raises Fault: as ``_ask``."""

    @abstractmethod
    def _part(self, number: int, place: int) -> Iterator[bytes]:
        """One part in pieces. :raises Fault: as ``_ask``, and if it is not there."""
