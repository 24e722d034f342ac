"""The configuration as it is published: downloaded from the places the anchor names.

The rule: what was learnt last time guides the next time, namely the keys and addresses in the last
shared parameters, and the location that answered, which is tried first; nothing learnt can add
trust beyond them (globalconf 2.2, 2.3). The own instance comes first and must succeed; then each
partner that is allowed is asked, and one that fails keeps what it last said until that expires
(federation 3). Sockets are the caller's: it passes in how to fetch a URL.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from xgate.errors import Fault
from xgate.globalconf.anchor import Anchor
from xgate.globalconf.download import Fetch, Location, Spread, download, find_locations
from xgate.globalconf.federation import allowed_partners
from xgate.globalconf.shared import SharedParameters
from xgate.globalconf.source import LoadedConf, assemble, with_partners

__all__ = ["HttpSource"]


class HttpSource:
    """A ``ConfSource`` that downloads the configuration of the anchor's instance.

    :param fetch: GET a URL; see ``download.Fetch`` for its duties.
    :param known: the last configuration that was good, for example from disk, even if expired.
    :param spread: the order among equally good locations, for example a shuffle.
    :param weak: take digests and signatures by MD5 and SHA-1 as well.
    :param older: take a configuration that expires before the last one; see ``download``.
    :param allowed: which partners are asked as well; see ``federation.allows``.
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
    ) -> None:
        self._anchor = anchor
        self._get = fetch
        self._known = known
        self._spread = spread
        self._weak = weak
        self._older = older
        self._allowed = tuple(allowed)
        self._each: dict[str, LoadedConf] = {}  # what each instance's own download gave
        self._answered: dict[str, Location] = {}

    def fetch(self, now: datetime) -> LoadedConf:
        """Download what is new.

        :raises Fault: as ``download.download``, for the own instance.
        """
        own = self._download(self._anchor, now, partner=False)
        private = own.conf.instances[own.conf.own].private
        partners: list[LoadedConf] = []
        noted: list[str] = []
        for anchor in allowed_partners(own.conf.own, private, self._allowed):
            try:
                partners.append(self._download(anchor, now, partner=True))
            except Fault as fault:
                noted.append(f"partner {anchor.instance} is not refreshed: {fault}")
                kept = self._kept(anchor.instance, now)
                if kept is not None:
                    partners.append(kept)
        self._known = with_partners(own, partners, self._known, noted)
        for gone in set(self._each) - set(self._known.conf.instances):
            del self._each[gone]
        return self._known

    def _download(self, anchor: Anchor, now: datetime, *, partner: bool) -> LoadedConf:
        locations = find_locations(anchor, self._last_shared(anchor.instance), self._spread)
        answered = self._answered.pop(anchor.instance, None)  # kept only if this succeeds
        if answered in locations:
            locations = (answered, *locations)
        loaded, self._answered[anchor.instance] = download(
            anchor,
            self._get,
            now,
            locations,
            known=self._each.get(anchor.instance, self._known),
            weak=self._weak,
            older=self._older,
            partner=partner,
        )
        self._each[anchor.instance] = loaded
        return loaded

    def _kept(self, instance: str, now: datetime) -> LoadedConf | None:
        """What a partner last said, while it holds."""
        known = self._each.get(instance, self._known)
        parts = [part for part in known.parts if part.instance == instance] if known else []
        if not parts or any(part.expires is not None and part.expires <= now for part in parts):
            return None
        return assemble(instance, parts, previous=known)

    def _last_shared(self, instance: str) -> SharedParameters | None:
        known = self._each.get(instance, self._known)
        found = None if known is None else known.conf.instances.get(instance)
        return None if found is None else found.shared
