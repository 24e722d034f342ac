"""The configuration as it is published: downloaded from the places the anchor names.

The rule: what was learnt last time guides the next time, namely the keys and addresses in the last
shared parameters, and the location that answered, which is tried first; nothing learnt can add
trust beyond them (globalconf 2.2, 2.3). Sockets are the caller's: it passes in how to fetch a URL.
"""

from __future__ import annotations

from datetime import datetime

from xgate.globalconf.anchor import Anchor
from xgate.globalconf.download import Fetch, Location, Spread, download, find_locations
from xgate.globalconf.shared import SharedParameters
from xgate.globalconf.source import LoadedConf

__all__ = ["HttpSource"]


class HttpSource:
    """A ``ConfSource`` that downloads the configuration of the anchor's instance.

    :param fetch: GET a URL; see ``download.Fetch`` for its duties.
    :param known: the last configuration that was good, for example from disk, even if expired.
    :param spread: the order among equally good locations, for example a shuffle.
    :param weak: take digests and signatures by MD5 and SHA-1 as well.
    :param older: take a configuration that expires before the last one; see ``download``.
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
    ) -> None:
        self._anchor = anchor
        self._get = fetch
        self._known = known
        self._spread = spread
        self._weak = weak
        self._older = older
        self._answered: Location | None = None

    def fetch(self, now: datetime) -> LoadedConf:
        """Download what is new.

        :raises Fault: as ``download.download``.
        """
        locations = find_locations(self._anchor, self._last_shared(), self._spread)
        if self._answered in locations:
            locations = (self._answered, *locations)
        self._answered = None  # remembered again only if this fetch succeeds
        self._known, self._answered = download(
            self._anchor,
            self._get,
            now,
            locations,
            known=self._known,
            weak=self._weak,
            older=self._older,
        )
        return self._known

    def _last_shared(self) -> SharedParameters | None:
        if self._known is None:
            return None
        instance = self._known.conf.instances.get(self._anchor.instance)
        return None if instance is None else instance.shared
