"""Any log store with its bodies encrypted at rest.

The rule: what goes in is encrypted before the store sees it, what comes out is opened; all else
is the store's own. It stands in front of every store, also when nothing is encrypted any more: a
record that is encrypted never passes for what was signed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import TypeVar, Unpack

from xgate.messagelog.record import LoggedRecord, Outline, Record, Stamp
from xgate.messagelog.record_keys import RecordKeys, opened_outline
from xgate.messagelog.store import Filters, Grouping, LogStore, Statistics, Task, Waiting
from xgate.trust.linking import Link

__all__ = ["SealedStore"]

T = TypeVar("T")


class SealedStore:
    """A ``LogStore`` over another one; see there."""

    def __init__(self, store: LogStore, keys: RecordKeys) -> None:
        self._store = store
        self._keys = keys

    def append(self, records: Sequence[Record]) -> Sequence[int]:
        """Encrypt and keep (``LogStore.append``)."""
        return self._store.append([self._keys.seal(record) for record in records])

    def check_writable(self) -> None:
        """See ``LogStore.check_writable``."""
        self._store.check_writable()

    def unstamped(self, limit: int) -> Sequence[Waiting]:
        """See ``LogStore.unstamped``."""
        return self._store.unstamped(limit)

    def stamp(self, stamps: Mapping[int, Stamp], documents: Mapping[int, bytes]) -> None:
        """See ``LogStore.stamp``."""
        self._store.stamp(stamps, documents)

    def find(self, **filters: Unpack[Filters]) -> Iterator[LoggedRecord]:
        """Find and open (``LogStore.find``).

        :raises Fault: as ``RecordKeys.open``.
        """
        return _passed_on(self._store.find(**filters), self._keys.open)

    def outlines(self, **filters: Unpack[Filters]) -> Iterator[Outline]:
        """Find, and count the octets of what was given (``LogStore.outlines``)."""
        return _passed_on(self._store.outlines(**filters), opened_outline)

    def read_part(self, outline: Outline, place: int) -> Iterator[bytes]:
        """Read and open (``LogStore.read_part``). :raises Fault: as ``RecordKeys.open``."""
        return self._keys.open_part(outline, place, self._store.read_part(outline, place))

    def count_by(self, grouping: Grouping, **filters: Unpack[Filters]) -> Mapping[str, int]:
        """See ``LogStore.count_by``."""
        return self._store.count_by(grouping, **filters)

    def statistics(self) -> Statistics:
        """See ``LogStore.statistics``."""
        return self._store.statistics()

    def newest_stamped(self) -> int | None:
        """See ``LogStore.newest_stamped``."""
        return self._store.newest_stamped()

    def archivable(self, upto: int, limit: int) -> Iterator[Outline]:
        """Find, and count as ``outlines`` does (``LogStore.archivable``)."""
        return _passed_on(self._store.archivable(upto, limit), opened_outline)

    def links(self) -> Mapping[str | None, Link]:
        """See ``LogStore.links``."""
        return self._store.links()

    def archived(self, numbers: Sequence[int], links: Mapping[str | None, Link]) -> None:
        """See ``LogStore.archived``."""
        self._store.archived(numbers, links)

    def clean(self, before: datetime, limit: int) -> int:
        """See ``LogStore.clean``."""
        return self._store.clean(before, limit)

    def alone(self, task: Task) -> AbstractContextManager[bool]:
        """See ``LogStore.alone``."""
        return self._store.alone(task)

    def close(self) -> None:
        """See ``LogStore.close``."""
        self._store.close()


def _passed_on(found: Iterator[T], opened: Callable[[T], T]) -> Iterator[T]:
    try:
        yield from map(opened, found)
    finally:
        if hasattr(found, "close"):  # a search that is given up ends in the store too
            found.close()
