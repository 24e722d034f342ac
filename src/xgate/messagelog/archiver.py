"""From the log to its archives: one archive at a time, so that no crash loses or doubles a record.

The rule: an archive is written and flushed to the disk (outbox), goes to its target, and then its
records are marked and its link is kept in one transaction of the store. Whatever breaks off in
between, the next call goes on with the very same file. Each archive is a transaction of its own:
bounded work, bounded room, and between any two of them another process may take over. Sources:
messagelog 4 and 5, asic 3.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime
from functools import partial
from itertools import chain

import msgspec

from xgate.algorithms import SHA512, Digest
from xgate.errors import Fault
from xgate.messagelog.archive import Grouping, Rotation, group_of, write_archive
from xgate.messagelog.envelope import Envelope, PlainEnvelope
from xgate.messagelog.evidence import write_evidence_to
from xgate.messagelog.outbox import Outbox, Pending
from xgate.messagelog.store import LogStore
from xgate.messagelog.target import ArchiveTarget
from xgate.trust.archive_name import write_archive_name
from xgate.trust.linking import Heading, Link

__all__ = ["Archived", "Archiver", "clean_archived"]

# What a store says of records that are not there any more; of a failure it would say more.
_NOT_AS_FOUND = "logging_failed"


class Archived(msgspec.Struct, frozen=True):
    """One archive that is done; ``again``: an earlier call had begun it."""

    file_name: str
    group: str | None
    records: int
    size: int
    again: bool = False


class Archiver:
    """Archives one store to one target. Synchronous: for a thread of its own.

    :ivar envelope: what each archive is put into.
    """

    def __init__(
        self,
        store: LogStore,
        target: ArchiveTarget,
        outbox: Outbox,
        *,
        envelope: Envelope | None = None,
        rotation: Rotation | None = None,
        grouping: Grouping = "none",
        digest: Digest = SHA512,
    ) -> None:
        """:param outbox: on the disk of this machine, its own for each store.
        :param digest: of the linking chain: SHA-256, SHA-384 or SHA-512.
        """
        self._store = store
        self._target = target
        self._outbox = outbox
        self.envelope = envelope or PlainEnvelope()
        self._rotation = rotation or Rotation()
        self._grouping: Grouping = grouping
        self._digest = digest

    def archive_next(
        self, upto: int | None, between: Callable[[], None] = lambda: None
    ) -> Archived | None:
        """Finish what waits, or else archive the next records; None when there is nothing to do.

        :param upto: the highest number to archive, as ``LogStore.newest_stamped`` told at the
            beginning; so a round ends, however much is logged meanwhile.
        :param between: as for ``write_archive``.
        :raises Fault: the store's; ``archive_invalid_record``, ``archive_outbox_in_use``,
            ``archive_superseded``; the envelope's. :raises OSError, NetError: as target and disk.
        """
        with self._store.alone("archiver") as alone:
            if not alone:
                return None
            with self._outbox.alone():
                pending = self._outbox.find()
                if pending is not None:
                    return self._settle(pending, again=True)
                pending = None if upto is None else self._build(upto, between)
                return None if pending is None else self._settle(pending, again=False)

    def _build(self, upto: int, between: Callable[[], None]) -> Pending | None:
        with ExitStack() as opened:
            records = self._store.archivable(upto, self._rotation.records)
            # A generator may hold a cursor open; other iterators have nothing to close.
            opened.callback(getattr(records, "close", lambda: None))
            first = next(records, None)
            if first is None:
                return None
            owner = first.owner
            group = group_of(owner, self._grouping)
            previous = self._store.links().get(group)
            member = None if group is None else owner.member
            with self.envelope.open(self._outbox.draft, member) as out:
                written = write_archive(
                    chain([first], records),
                    partial(write_evidence_to, self._store),
                    out,
                    Heading(previous, self._digest),
                    self._grouping,
                    self._rotation,
                    folder=self._outbox.folder,
                    between=between,
                )
        name = write_archive_name(
            group,
            written.first,
            written.last,
            written.digest,
            encrypted=self.envelope.encrypted,
        )
        size = self._outbox.draft.stat().st_size
        pending = Pending(group, previous, Link(written.digest, name), written.numbers, size)
        self._outbox.keep(pending)
        return pending

    def _settle(self, pending: Pending, *, again: bool) -> Archived:
        """Put the archive that waits where it belongs and note that, whatever was done before."""
        name, group = pending.link.file_name, pending.group
        current = self._store.links().get(group)
        if current != pending.link:  # else it was noted, and only the outbox not yet emptied
            if current != pending.previous:
                raise self._superseded(name)
            self._target.put(self._outbox.archive, name)
            try:
                self._store.archived(pending.numbers, {group: pending.link})
            except Fault as fault:
                if fault.code == _NOT_AS_FOUND:
                    raise self._superseded(name) from fault
                raise
        self._outbox.clear()
        return Archived(name, group, len(pending.numbers), pending.size, again)

    def _superseded(self, name: str) -> Fault:
        """What waits has no place any more; its records are archived elsewhere, or will be anew."""
        self._outbox.clear()
        return Fault(
            "archive_superseded",
            f"The log has gone on without the archive '{name}': another server has archived "
            "meanwhile, or an older log was put back. It may be at the target, outside the chain",
        )


def clean_archived(
    store: LogStore, before: datetime, limit: int, between: Callable[[], None] = lambda: None
) -> int:
    """Delete archived records older than ``before``, ``limit`` at a time; how many.

    :param between: is called after each time. :raises Fault: the store's.
    """
    cleaned = 0
    with store.alone("cleaner") as alone:
        while alone and (count := store.clean(before, limit)):
            cleaned += count
            between()
    return cleaned
