"""How the messages of a server get their timestamps, by its settings.

The rule: here the settings and the global configuration become what the log, the keeper and the
downloads share: which services, how often, how long without (messagelog 3).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from xgate.cell import Cell
from xgate.clock import Clock
from xgate.errors import Fault
from xgate.globalconf.tsas import choose_tsas, unapproved_tsas
from xgate.keepers.ocsp_client import Post
from xgate.keepers.report import Report
from xgate.keepers.stamper import Stamper
from xgate.keepers.timestamps import keep_timestamps
from xgate.messagelog.backlog import Backlog
from xgate.messagelog.outage import Outage
from xgate.messagelog.store import LogStore, Waiting
from xgate.messagelog.writer import MessageLog
from xgate.net.errors import HttpError, NetError
from xgate.net.fetch import fetch
from xgate.policy.world import World
from xgate.securityserver.conf_source import at_mapped_host
from xgate.securityserver.settings import Settings
from xgate.signer.ocsp_cache import fresh_until
from xgate.trust.anchors import Trust
from xgate.trust.ocsp import OcspResponse

__all__ = ["OUTAGE_FILE", "Stamping", "post_to", "stamp_by"]

OUTAGE_FILE = "timestamping-outage"
_ANSWER_TYPES = {
    "application/ocsp-request": "application/ocsp-response",
    "application/timestamp-query": "application/timestamp-reply",
}
_ANSWER_BYTES = 256 * 1024
_LEAST, _MOST = 60.0, 86_400.0


class Stamping:
    """One server's timestamping; for use within one trio loop."""

    def __init__(
        self,
        settings: Settings,
        folder: Path,
        store: LogStore,
        world: Cell[World],
        clock: Clock,
        report: Report,
    ) -> None:
        """:param folder: where the beginning of an outage is remembered."""
        self._settings = chosen = settings.messagelog.timestamping
        self._world = world
        self._clock = clock
        self._report = report
        self._each = chosen.mode == "each"
        post = post_to(
            settings.peers.hosts,
            timeout=chosen.connect_seconds + chosen.answer_seconds,
            connect_timeout=chosen.connect_seconds,
        )
        # Where each message is stamped at once, its own failure refuses it, and no other.
        accepted = 0.0 if self._each else chosen.acceptable_failure_seconds
        self.outage = Outage(self.services, clock, accepted, folder / OUTAGE_FILE)
        self.backlog = Backlog(chosen.batch, clock.now)
        self.stamper = Stamper(store, world, self.services, clock, post, report)

    def services(self) -> list[str]:
        """The URLs of the services to ask now, in order of preference.

        :raises Fault: as ``choose_tsas``.
        """
        conf = self._world.value.globalconf
        return choose_tsas(conf, self._listed(), self._settings.order)

    def _listed(self) -> Sequence[str]:
        """The operator's choice: of the server's configuration, or else of its settings."""
        listed = self._world.value.serverconf.timestamping_services
        return self._settings.services if listed is None else listed

    def interval(self) -> float:
        """Seconds between two rounds (messagelog 3.1).

        :raises Fault: ``internal_error``: neither the settings nor the configuration say it.
        """
        if self._settings.interval_seconds:
            return self._settings.interval_seconds
        said = self._world.value.globalconf.timestamping_interval.total_seconds()
        return min(max(_LEAST, said), _MOST)

    def open_log(self, max_body: int) -> MessageLog:
        """The way into the log whose records this stamps; :param max_body: as there."""
        return MessageLog(
            self.stamper.store,
            max_body=max_body,
            outage=self.outage,
            backlog=self.backlog,
            stamp=self.stamper.stamp_one if self._each else None,
        )

    async def stamp_now(self, waiting: Waiting) -> None:
        """A timestamp for one message that somebody waits for (asic 6, ``force``).

        :raises Fault: as ``Stamper.stamp_one``. That it works ends an outage (messagelog 3.3).
        """
        await self.stamper.stamp_one(waiting)
        self.outage.end()

    async def keep(self) -> None:
        """Stamp what waits, for ever."""
        self._name_unapproved()
        await keep_timestamps(
            self.stamper,
            self.interval,
            self._settings.batch,
            self.outage,
            self.backlog,
            self._clock,
            self._report,
            retry=self._settings.retry_seconds,
            leftovers=self._each,
        )

    def _name_unapproved(self) -> None:
        """Tell once, at start, which of the operator's services are never asked."""
        try:
            unapproved = unapproved_tsas(self._world.value.globalconf, self._listed())
        except Fault:  # a configuration without shared parameters approves of none
            unapproved = list(self._listed())
        for url in unapproved:
            self._report("timestamping service not approved", url=url)


def stamp_by(trust: Trust, responses: Iterable[OcspResponse]) -> datetime | None:
    """Until when a timestamp makes evidence of a signature with these OCSP responses.

    A later one proves nothing, for ever (signature trap 11). None: there are no responses.
    """
    return min((fresh_until(response, trust) for response in responses), default=None)


def post_to(
    hosts: Mapping[str, str], *, timeout: float, connect_timeout: float | None = None
) -> Post:
    """The way to OCSP responders and timestamping services.

    :param hosts: addresses to use for names, before the resolver is asked.
    :param timeout: seconds for all of it. :param connect_timeout: of these, for the connection.
    """

    async def post(url: str, body: bytes, kind: str) -> bytes:
        accept = [("Accept", _ANSWER_TYPES[kind])] if kind in _ANSWER_TYPES else []
        try:
            answer = await fetch(
                at_mapped_host(url, hosts),
                method="POST",
                headers=[("Content-Type", kind), *accept],
                body=body,
                timeout=timeout,
                connect_timeout=connect_timeout,
                max_bytes=_ANSWER_BYTES,
            )
        except ValueError as error:
            raise NetError(str(error)) from None
        if answer.status != 200 or not answer.body:
            raise HttpError(f"the answer is {answer.status} {answer.reason}".rstrip())
        return answer.body

    return post
