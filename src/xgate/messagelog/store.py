"""Where records are kept (plug-in).

The rule: plain synchronous calls that take batches; the caller owns threads, retries and time. All
of a batch is kept or none, and what ``append`` has returned for is durable: it survives the loss of
power. Records are never changed except by ``stamp`` and ``archived``.

``xgate.testing.logstore`` holds any store against these duties.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Literal, Protocol, TypedDict, Unpack

import msgspec

from xgate.ids import ClientId
from xgate.messagelog.record import LoggedRecord, Outline, Record, Stamp
from xgate.trust.linking import Link

__all__ = ["Filters", "Grouping", "LogStore", "Statistics", "Task", "Waiting"]

Waiting = tuple[int, bytes]
"""A record without a timestamp: its number, and the SHA-512 of its signature document."""

Task = Literal["archiver", "cleaner", "timestamper"]
"""What only one process at a time should do to a log."""

Grouping = Literal["owner", "client", "service", "day"]
"""By what records can be counted; a day is one of UTC, ``YYYY-MM-DD``."""


class Filters(TypedDict, total=False):
    """What records can be searched by; None is as good as not given.

    ``since`` is included, ``until`` is not; ``service`` is ``ServiceId.short``. ``limit`` and
    ``newest_first`` say which of the records that match are given, and in which order.
    """

    number: int | None
    query_id: str | None
    request_id: str | None
    owner: ClientId | None
    client: ClientId | None
    service: str | None
    response: bool | None
    since: datetime | None
    until: datetime | None
    limit: int | None
    newest_first: bool


class Statistics(msgspec.Struct, frozen=True):
    """What there is in a log.

    :param incomplete: records of which the settings kept less than was signed.
    :param encrypted: records that are encrypted at rest.
    :param signatures: documents, each kept once. :param timestamps: tokens, likewise.
    :param octets: of messages and attachments, as stored.
    """

    records: int
    unstamped: int
    archived: int
    incomplete: int
    encrypted: int
    signatures: int
    timestamps: int
    octets: int
    oldest: datetime | None
    newest: datetime | None


class LogStore(Protocol):
    """Duties: one writer at a time; readers at any time, also from other processes.

    Every call may come from any thread. What cannot be done is a Fault ``logging_failed...``.
    """

    def append(self, records: Sequence[Record]) -> Sequence[int]:
        """Keep all records durably; their numbers, ascending and never used before.

        A record whose key is in the log already is not kept again: its number is told. What is a
        ``Body`` is read here, piece by piece, and again if the work is done again.

        :raises Fault: they could not be kept; then none was. Only a database that was lost in the
            very moment of the commit may have kept them, all: the same records, given again with
            the same keys, are then not kept twice.
        """

    def check_writable(self) -> None:
        """Prove, by a durable change of nothing, that ``append`` would keep a record now.

        :raises Fault: it would not.
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

    def find(self, **filters: Unpack[Filters]) -> Iterator[LoggedRecord]:
        """Records that match all that is given, oldest first; a message at a time in memory."""

    def outlines(self, **filters: Unpack[Filters]) -> Iterator[Outline]:
        """The same records without their messages and attachments, which are not even read.

        For whoever wants to know what there is, or its evidence: however large bodies are, this
        takes little memory, and needs no key to them.
        """

    def read_part(self, outline: Outline, place: int) -> Iterator[bytes]:
        """The octets of one part of a record in pieces: 0 is the message, then its attachments.

        Any size takes little memory. Only with the last piece it is known whether they are what was
        logged.

        :raises Fault: it is not there, or no more; it cannot be read, or was tampered with. What
            has come until then is worth nothing.
        """

    def count_by(self, grouping: Grouping, **filters: Unpack[Filters]) -> Mapping[str, int]:
        """How many records match, by owner or client (short form, "" for none), service or day.

        ``limit`` and ``newest_first`` mean nothing here.
        """

    def statistics(self) -> Statistics:
        """What there is in the log, as of one moment."""

    def newest_stamped(self) -> int | None:
        """The highest number of a record that is stamped and not archived."""

    def archivable(self, upto: int, limit: int) -> Iterator[Outline]:
        """Outlines of what is stamped, not archived, and has a number of at most ``upto``.

        Those of one owner, and of one member, stand together: ordered by the pieces of the owner's
        ``url`` form, a member before its subsystems, then by number.
        """

    def links(self) -> Mapping[str | None, Link]:
        """The last link of every chain of archives, by the name of its group."""

    def archived(self, numbers: Sequence[int], links: Mapping[str | None, Link]) -> None:
        """Mark records as archived and put these links in the place of their groups' last ones.

        All or none, durable. The very same call given again changes nothing.

        :raises Fault: one of the records is not there, not stamped, or has been archived by
            another; then nothing was changed.
        """

    def clean(self, before: datetime, limit: int) -> int:
        """Delete archived records older than ``before``, the lowest numbers first; how many.

        What other records share stays as long as one of them does. All or none, durable.
        """

    def alone(self, task: Task) -> AbstractContextManager[bool]:
        """Whether this process may do ``task`` now; while the block lasts, no other may.

        It does not wait. Whoever loses his database may lose this too without being told, so
        ``stamp`` and ``archived`` look for themselves.

        :raises Fault: it cannot be known.
        """

    def close(self) -> None:
        """Release files and connections; nothing is lost by not calling it."""
