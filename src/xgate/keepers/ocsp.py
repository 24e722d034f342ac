"""Keeps OCSP responses of this server's own certificates fresh.

The rule: every certificate in use is asked about, and every CA between it and an approved top. Each
is asked about again before its answer loses its worth, whatever others are still waited for, and
all at once when the configuration changes how fresh answers must be; new keys at once too
(ocsp-tls-certs 7 and traps 12, 13). Without its answers a server that has just started serves
nobody, so what is missing is asked for again after a second, then ever more seldom, but so that no
responder's return goes unnoticed for long.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec
import trio

from xgate.cell import Cell
from xgate.clock import Clock
from xgate.errors import Fault
from xgate.globalconf.conf import GlobalConf
from xgate.keepers.ocsp_client import OcspClient
from xgate.keepers.pace import spread
from xgate.keepers.report import Report
from xgate.policy.world import World
from xgate.signer.keyring import Keyring
from xgate.trust.certificate import Certificate

__all__ = ["certificates_in_use", "keep_ocsp"]

_MARGIN = 120.0  # seconds before an answer ages: two tries at the usual retry
_LEAST = 10.0
_FIRST_RETRY = 1.0
_ROUND = "OCSP responses refreshed"

_Rhythm = tuple[timedelta, timedelta | None, bool]


class _Plan(msgspec.Struct, frozen=True):
    """:ivar at: when to ask, of the monotonic clock. :ivar missed: how often, one after another."""

    at: float
    missed: int = 0


async def keep_ocsp(
    ring: Cell[Keyring], world: Cell[World], client: OcspClient, clock: Clock, report: Report
) -> None:
    """Ask for all certificates in use at once, and again before the answers age, for ever."""
    while True:
        rhythm = _rhythm(world.value.globalconf)
        async with trio.open_nursery() as rounds:
            keeper = _Keeper(ring, world, client, clock, report, rounds)
            await keeper.keep(rhythm)
            rounds.cancel_scope.cancel()  # by another rhythm all are asked about anew


class _Keeper:
    """Asks as long as one rhythm lasts: what falls due does not wait for what was asked before."""

    def __init__(
        self,
        ring: Cell[Keyring],
        world: Cell[World],
        client: OcspClient,
        clock: Clock,
        report: Report,
        rounds: trio.Nursery,
    ) -> None:
        self._ring = ring
        self._world = world
        self._client = client
        self._clock = clock
        self._report = report
        self._rounds = rounds
        self._plans: dict[Certificate, _Plan] = {}
        self._answered = trio.Event()

    async def keep(self, rhythm: _Rhythm) -> None:
        """Ask, until the configuration says another rhythm."""
        while _rhythm(self._world.value.globalconf) == rhythm:
            conf, keys = self._world.value.globalconf, self._ring.value
            wanted = certificates_in_use(keys.certificates(), conf, self._clock.now())
            now = self._clock.monotonic()
            due = self._take_due(wanted, now)
            if due:
                self._rounds.start_soon(self._ask, due)
            elif not wanted:
                self._report(_ROUND, certificates=0, answered=0)
            self._answered = trio.Event()
            idle = now + conf.ocsp_fetch_interval.total_seconds()
            soonest = min((plan.at for plan in self._plans.values()), default=idle)
            with trio.move_on_after(max(0.0, soonest - now)):
                await self._wait_for_change(keys, rhythm)

    def _take_due(self, wanted: Iterable[Certificate], now: float) -> list[Certificate]:
        """Those to ask about now; they are not due again before there is an answer."""
        self._plans = {c: self._plans.get(c, _Plan(-math.inf)) for c in wanted}
        due = [c for c, plan in self._plans.items() if plan.at <= now]
        self._plans.update((c, _Plan(math.inf, self._plans[c].missed)) for c in due)
        return due

    async def _ask(self, due: Iterable[Certificate]) -> None:
        answers = await self._client.ask_all(due)
        answered = sum(until is not None for until in answers.values())
        self._report(_ROUND, certificates=len(answers), answered=answered)
        # The same moment and share for all of a round: they stay together.
        now, share = self._clock.monotonic(), spread(1.0)
        conf = self._world.value.globalconf
        for certificate, until in answers.items():
            plan = self._plans.get(certificate)
            if plan is not None:  # else it is in use no more
                missed = 0 if until else plan.missed + 1
                pause = _pause(conf, until, missed, self._client.retry, self._clock.now())
                self._plans[certificate] = _Plan(now + pause * share, missed)
        self._answered.set()

    async def _wait_for_change(self, keys: Keyring, rhythm: _Rhythm) -> None:
        """Until a round has its answers, the keys are others, or the rhythm is another."""

        async def watch_keys() -> None:
            while self._ring.value is keys:
                await self._ring.wait_changed()
            nursery.cancel_scope.cancel()

        async def watch_answers() -> None:
            await self._answered.wait()
            nursery.cancel_scope.cancel()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch_keys)
            nursery.start_soon(watch_answers)
            while _rhythm(self._world.value.globalconf) == rhythm:
                await self._world.wait_changed()
            nursery.cancel_scope.cancel()


def certificates_in_use(
    own: Iterable[Certificate], conf: GlobalConf, now: datetime
) -> list[Certificate]:
    """The certificates that others want OCSP responses of: our own, and the CAs above them whose
    issuers say where to ask; as far as they are valid now and not their own issuers. Each once.
    """
    found: dict[Certificate, None] = {}
    for certificate in own:
        found[certificate] = None
        found.update(dict.fromkeys(_answered_for(certificate, conf)))
    return [c for c in found if c.valid_at(now) and not c.self_issued]


def _answered_for(certificate: Certificate, conf: GlobalConf) -> list[Certificate]:
    """The CAs above a certificate of which a responder is known."""
    try:
        _, *above = conf.chain_of(conf.own, certificate)
        issuers = [conf.find_cas(conf.own, ca.issuer) for ca in above]
    except Fault:  # without shared parameters nobody is known
        return []
    pairs = zip(above, issuers, strict=True)
    return [ca for ca, known in pairs if known and conf.ocsp_urls_for(ca, known[0])]


def _pause(
    conf: GlobalConf, until: datetime | None, missed: int, retry: float, now: datetime
) -> float:
    """Seconds until a certificate is asked about again: well before the answer that holds
    ``until`` then ages, and never in a busy loop.

    :param missed: how often, this time the last, there was no answer.
    """
    interval = conf.ocsp_fetch_interval.total_seconds()
    if until is None:
        return min(interval, retry, math.ldexp(_FIRST_RETRY, min(missed - 1, 20)))
    left = (until - now).total_seconds()
    return min(interval, max(_LEAST, left - _MARGIN if left > 2 * _MARGIN else left / 2))


def _rhythm(conf: GlobalConf) -> _Rhythm:
    """What decides how often is asked."""
    try:
        freshness = conf.ocsp_freshness
    except Fault:  # without shared parameters nothing is fresh
        freshness = None
    return conf.ocsp_fetch_interval, freshness, conf.verify_next_update
