"""Keeps OCSP responses of this server's own certificates fresh.

The rule: every certificate in use is asked about, and every CA between it and an approved top. Each
is asked about again before its answer loses its worth, and all at once when the configuration
changes how fresh answers must be; new keys at once too (ocsp-tls-certs 7 and traps 12, 13). Without
its answers a server that has just started serves nobody, so what is missing is asked for again
after a second, then ever more seldom, but so that no responder's return goes unnoticed for long.
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

_Rhythm = tuple[timedelta, timedelta | None, bool]


class _Plan(msgspec.Struct, frozen=True):
    """:ivar at: when to ask, of the monotonic clock. :ivar missed: how often, one after another."""

    at: float
    missed: int = 0


async def keep_ocsp(
    ring: Cell[Keyring], world: Cell[World], client: OcspClient, clock: Clock, report: Report
) -> None:
    """Ask for all certificates in use at once, and again before the answers age, for ever."""
    plans: dict[Certificate, _Plan] = {}
    while True:
        conf, keys = world.value.globalconf, ring.value
        wanted = certificates_in_use(keys.certificates(), conf, clock.now())
        plans = {c: plans.get(c, _Plan(-math.inf)) for c in wanted}
        began = clock.monotonic()
        answers = await client.ask_all(c for c, plan in plans.items() if plan.at <= began)
        answered = sum(until is not None for until in answers.values())
        if answers or not plans:
            report("OCSP responses refreshed", certificates=len(answers), answered=answered)
        # The same moment and share for all of a round: they stay together.
        now, share, rhythm = clock.monotonic(), spread(1.0), _rhythm(conf)
        for certificate, until in answers.items():
            missed = 0 if until else plans[certificate].missed + 1
            pause = _pause(conf, until, missed, client.retry, clock.now())
            plans[certificate] = _Plan(now + pause * share, missed)
        idle = now + conf.ocsp_fetch_interval.total_seconds()
        soonest = min((plan.at for plan in plans.values()), default=idle)
        with trio.move_on_after(max(0.0, soonest - now)):  # some fall due while others are asked
            await _wait_for_change(ring, world, keys, rhythm)
        if _rhythm(world.value.globalconf) != rhythm:
            plans = {}


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


async def _wait_for_change(
    ring: Cell[Keyring], world: Cell[World], keys: Keyring, rhythm: _Rhythm
) -> None:
    """Until the keys are others, or the configuration says another rhythm."""

    async def watch_keys() -> None:
        while ring.value is keys:
            await ring.wait_changed()
        nursery.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch_keys)
        while _rhythm(world.value.globalconf) == rhythm:
            await world.wait_changed()
        nursery.cancel_scope.cancel()


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
