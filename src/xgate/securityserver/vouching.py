"""How others learn that this server's certificates are good: OCSP responses, by its settings.

The rule: they are fetched before they are needed and kept over a restart. What is not at hand when
a message or a peer needs it is asked for then and there, about our own certificates and the CAs
above them alone: a stranger makes nobody ask about anything else (ocsp-tls-certs 7).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import trio

from xgate.cell import Cell
from xgate.clock import Clock
from xgate.errors import Fault
from xgate.keepers.ocsp import certificates_in_use, keep_ocsp
from xgate.keepers.ocsp_client import OcspClient
from xgate.keepers.ocsp_copy import keep_ocsp_copy, restore_ocsp
from xgate.keepers.report import Report
from xgate.policy.world import World
from xgate.securityserver.settings import Settings
from xgate.securityserver.stamping import post_to
from xgate.signer.keyring import Keyring
from xgate.signer.ocsp_cache import OcspCache
from xgate.trust.certificate import Certificate

__all__ = ["Vouching"]

T = TypeVar("T")


class Vouching:
    """One server's OCSP responses; for use within one trio loop.

    :ivar cache: the responses at hand, of peers too.
    """

    def __init__(
        self,
        settings: Settings,
        folder: Path,
        world: Cell[World],
        ring: Cell[Keyring],
        clock: Clock,
        report: Report,
    ) -> None:
        """:param folder: where relative paths of the settings count from."""
        chosen = settings.ocsp
        self.cache = OcspCache(chosen.cache_responses)
        self._fetch = chosen.fetch
        self._folder = folder / chosen.cache_directory
        self._world = world
        self._ring = ring
        self._clock = clock
        self._report = report
        post = post_to(
            settings.peers.hosts,
            timeout=chosen.connect_seconds + chosen.answer_seconds,
            connect_timeout=chosen.connect_seconds,
        )
        self._client = OcspClient(
            world,
            self.cache,
            clock,
            post,
            report,
            order=chosen.prioritization,
            retry=chosen.retry_seconds,
            active=chosen.fetch,
        )
        conf, now = world.value.globalconf, clock.now()
        restore_ocsp(self.cache, self._folder, chosen.cache_responses, conf, now, report)

    async def keep(self) -> None:
        """Keep the responses fresh, and a copy of them, for ever."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(keep_ocsp_copy, self.cache, self._folder, self._report)
            if self._fetch:
                nursery.start_soon(
                    keep_ocsp, self._ring, self._world, self._client, self._clock, self._report
                )

    async def choose(self, certificates: Iterable[Certificate], choice: Callable[[], T]) -> T:
        """What ``choice`` gives; if it refuses, what it gives when responders have been asked about
        those of ``certificates`` of which nothing is at hand.

        :raises Fault: as ``choice``.
        """
        try:
            return choice()
        except Fault:
            with suppress(Fault):  # the choice itself says better what is missing
                await self._client.fill(certificates)
            return choice()

    def in_use(self) -> list[Certificate]:
        """The certificates of which others may want responses."""
        conf, now = self._world.value.globalconf, self._clock.now()
        return certificates_in_use(self._ring.value.certificates(), conf, now)

    async def find_all(self, hashes: Sequence[str]) -> list[bytes | None]:
        """Fresh responses by the SHA-1 of their certificates (lower-case hex), None for an unknown.

        :raises Fault: ``internal_error``: nothing is known of our own instance.
        """
        found = self._find(hashes)
        missing = {sha1 for sha1, der in zip(hashes, found, strict=True) if der is None}
        if not missing:
            return found
        await self._client.fill(c for c in self.in_use() if c.sha1 in missing)
        return self._find(hashes)

    def _find(self, hashes: Sequence[str]) -> list[bytes | None]:
        conf, now = self._world.value.globalconf, self._clock.now()
        return [self.cache.find(sha1, conf, now) for sha1 in hashes]
