"""The configuration as it is published: downloaded from the places the anchor names.

The rule: what was learnt last time guides the next time, namely the keys and addresses in the last
shared parameters, and the location that answered, which is tried first; nothing learnt can add
trust beyond them (globalconf 2.2, 2.3). The own instance comes first and must succeed; then each
partner that is allowed is asked, and one that fails keeps what it last said until that expires
(federation 3); the keys it has taught guide beyond that. Partners that failed wait for their turn,
so that however many are silent the own configuration stays fresh. Sockets are the caller's: it
passes in how to fetch a URL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path

from xgate.errors import Fault
from xgate.globalconf.anchor import Anchor
from xgate.globalconf.download import Fetch, Location, Spread, download, find_locations
from xgate.globalconf.federation import allowed_partners
from xgate.globalconf.shared import SharedParameters
from xgate.globalconf.source import LoadedConf, assemble, with_partners

__all__ = ["HttpSource"]


_MOST_FAILURES = 2
"""Of partners in one ``fetch``: they cost time, and our own configuration expires meanwhile."""


class HttpSource:
    """A ``ConfSource`` that downloads the configuration of the anchor's instance.

    :param fetch: GET a URL; see ``download.Fetch`` for its duties.
    :param known: the last configuration that was good, for example from disk, even if expired.
    :param spread: the order among equally good locations, for example a shuffle.
    :param weak: take digests and signatures by MD5 and SHA-1 as well.
    :param older: take a configuration that expires before the last one; see ``download``.
    :param allowed: which partners are asked as well; see ``federation.allows``.
    :param partner_fetch: makes what fetches all that is one partner's, within a time that it knows.
    :param snapshots: a folder for what large files are read into; None: memory.
    """

    def __init__(
        self,
        anchor: Anchor,
        fetch: Fetch,
        *,
        known: LoadedConf | None = None,
        spread: Spread = tuple,
        weak: bool = False,
        older: bool = False,
        allowed: Iterable[str] = (),
        partner_fetch: Callable[[], Fetch] | None = None,
        snapshots: Path | None = None,
    ) -> None:
        self._anchor = anchor
        self._get = fetch
        self._known = known if known is not None and known.conf.own == anchor.instance else None
        self._spread = spread
        self._weak = weak
        self._older = older
        self._allowed = tuple(allowed)
        self._partner_fetch = partner_fetch or (lambda: fetch)
        self._snapshots = snapshots
        self._each: dict[str, LoadedConf] = {}  # what each instance's own download gave
        self._answered: dict[str, Location] = {}
        self._failures: dict[str, Fault] = {}  # of partners; who waits longest stands first
        self._given: tuple[LoadedConf, LoadedConf] | None = None  # all, and what holds of it

    def fetch(self, now: datetime) -> LoadedConf:
        """Download what is new.

        :raises Fault: as ``download.download``, for the own instance.
        """
        own = self._download(self._anchor, now, self._get)
        private = own.conf.instances[own.conf.own].private
        wanted = allowed_partners(own.conf.own, private, self._allowed)
        self._ask_partners(wanted, now)
        kept = [self._kept(anchor.instance) for anchor in wanted]
        noted = [
            f"partner {anchor.instance} is not refreshed: {self._failures[anchor.instance]}"
            for anchor in wanted
            if anchor.instance in self._failures
        ]
        self._known = with_partners(own, [one for one in kept if one], self._known, noted)
        return self._without_expired(self._known, now)

    def _ask_partners(self, wanted: Sequence[Anchor], now: datetime) -> None:
        """All that are well; of those that failed, only as many as there is patience for."""
        anchors = {anchor.instance: anchor for anchor in wanted}
        for forgotten in (self._each, self._answered, self._failures):
            for name in forgotten.keys() - anchors.keys() - {self._anchor.instance}:
                del forgotten[name]
        well = [name for name in anchors if name not in self._failures]
        failed = 0
        for name in (*well, *self._failures):
            if failed == _MOST_FAILURES:
                return
            before = self._failures.pop(name, None)
            try:
                self._download(anchors[name], now, self._partner_fetch(), partner=True)
            except Fault as fault:
                failed += 1
                # Told by one text as long as it is one trouble: the place may be another each time.
                same = before if before and before.code == fault.code else None
                self._failures[name] = same or fault

    def _download(
        self, anchor: Anchor, now: datetime, fetch: Fetch, *, partner: bool = False
    ) -> LoadedConf:
        locations = find_locations(anchor, self._last_shared(anchor.instance), self._spread)
        answered = self._answered.pop(anchor.instance, None)  # kept only if this succeeds
        if answered in locations:
            locations = (answered, *(place for place in locations if place != answered))
        loaded, self._answered[anchor.instance] = download(
            anchor,
            fetch,
            now,
            locations,
            known=self._each.get(anchor.instance, self._known),
            weak=self._weak,
            older=self._older,
            partner=partner,
            snapshots=self._snapshots,
        )
        self._each[anchor.instance] = loaded
        return loaded

    def _kept(self, instance: str) -> LoadedConf | None:
        """What a partner said now or last, be it expired: its keys are known from there."""
        if instance in self._each or self._known is None:
            return self._each.get(instance)
        parts = [part for part in self._known.parts if part.instance == instance]
        return assemble(instance, parts, previous=self._known) if parts else None

    def _last_shared(self, instance: str) -> SharedParameters | None:
        known = self._each.get(instance, self._known)
        found = None if known is None else known.conf.instances.get(instance)
        return None if found is None else found.shared

    def _without_expired(self, whole: LoadedConf, now: datetime) -> LoadedConf:
        """The same with the files of all, but without instances of partners that have expired."""
        known, given = self._given or (None, whole)
        if known is not whole or given.conf.without_expired(now) is not given.conf:
            conf = whole.conf.without_expired(now)
            given = whole if conf is whole.conf else LoadedConf(conf, whole.parts)
            self._given = whole, given
        return given
