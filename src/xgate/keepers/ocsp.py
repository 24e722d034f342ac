"""Keeps OCSP responses of this server's own certificates fresh.

The rule: every certificate in use is asked about at each round, at the responders that the global
configuration names for its issuer; the first answer that verifies is kept, whatever status it tells
(a revoked certificate stops being usable by that). Answers are asked for again before they lose
their worth, and at once when the configuration changes how fresh they must be (ocsp-tls-certs 7 and
traps 12, 13). Without its answers a server that has just started serves nobody, so what is missing
is asked for again after a second, then ever more seldom, but so that no responder's return goes
unnoticed for long.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime, timedelta

import trio

from xgate.cell import Cell
from xgate.clock import Clock
from xgate.errors import Fault
from xgate.globalconf.conf import GlobalConf
from xgate.keepers.report import Report, cause_of
from xgate.policy.world import World
from xgate.signer.ocsp_cache import OcspCache, find_issuer, fresh_until
from xgate.trust.certificate import Certificate
from xgate.trust.ocsp import OcspResponse, check_ocsp_genuine, write_ocsp_request

__all__ = ["Post", "keep_ocsp", "refresh_ocsp"]

Post = Callable[[str, bytes, str], Awaitable[bytes]]
"""POST octets of a media type to a URL; the octets of a 200 answer, else NetError."""

_RETRY = 60.0
_MISSING = (1.0, 30.0)  # seconds to the next try for what is missing: the first time, and at most
_AT_ONCE = 8  # certificates asked about at the same time: one slow responder starves no other
_REQUEST_TYPE = "application/ocsp-request"


async def keep_ocsp(
    certificates: Callable[[], Iterable[Certificate]],
    world: Cell[World],
    cache: OcspCache,
    clock: Clock,
    post: Post,
    report: Report,
) -> None:
    """Ask for all of ``certificates()`` at once, and again before the answers age, for ever."""
    missed = 0  # rounds, one after the other
    while True:
        known = world.value
        now = clock.now()
        wanted = [c for c in certificates() if c.valid_at(now) and not c.self_issued]
        answers = await _ask_all(wanted, known, cache, clock, post, report)
        answered = [until for until in answers if until is not None]
        report("OCSP responses refreshed", certificates=len(answers), answered=len(answered))
        missed = missed + 1 if len(answered) < len(answers) else 0
        pause = _pause(known.globalconf, answered, missed, clock.now())
        with trio.move_on_after(pause):
            rhythm = _rhythm(known.globalconf)
            while _rhythm(world.value.globalconf) == rhythm:
                await world.wait_changed()


async def refresh_ocsp(
    certificate: Certificate,
    world: World,
    cache: OcspCache,
    clock: Clock,
    post: Post,
    report: Report,
) -> datetime | None:
    """Ask about one certificate and keep the first valid response.

    :returns: until when it proves anything; None when there was none.
    """
    conf = world.globalconf
    try:
        issuer = find_issuer(conf, certificate, clock.now())
    except Fault as fault:
        report("OCSP not refreshed", certificate=str(certificate.serial), cause=fault.text)
        return None
    request = write_ocsp_request(certificate, issuer.certificate)
    for url in conf.ocsp_urls_for(certificate):
        try:
            answer = await post(url, request, _REQUEST_TYPE)
            response = OcspResponse.load(answer)
            check_ocsp_genuine(response, certificate, issuer, conf, clock.now())
        except Exception as error:  # noqa: BLE001  whatever a responder does, the next is asked
            report("OCSP not refreshed", url=url, cause=cause_of(error))
            continue
        cache.put(certificate, answer)
        return fresh_until(response, conf)
    return None


async def _ask_all(
    wanted: Sequence[Certificate],
    world: World,
    cache: OcspCache,
    clock: Clock,
    post: Post,
    report: Report,
) -> list[datetime | None]:
    answers: list[datetime | None] = []
    turn = trio.CapacityLimiter(_AT_ONCE)

    async def ask(certificate: Certificate) -> None:
        async with turn:
            answers.append(await refresh_ocsp(certificate, world, cache, clock, post, report))

    async with trio.open_nursery() as nursery:
        for certificate in wanted:
            nursery.start_soon(ask, certificate)
    return answers


def _pause(conf: GlobalConf, answered: Sequence[datetime], missed: int, now: datetime) -> float:
    """Seconds to the next round: two tries before the first answer ages, never a busy loop.

    :param missed: in how many rounds, this one the last of them, something was not answered.
    """
    interval = conf.ocsp_fetch_interval.total_seconds()
    if missed:
        first, most = _MISSING
        return min(interval, most, math.ldexp(first, min(missed - 1, 10)))
    left = min(((until - now).total_seconds() for until in answered), default=math.inf)
    return min(interval, max(_RETRY, left - 2 * _RETRY))


def _rhythm(conf: GlobalConf) -> tuple[timedelta, timedelta | None, bool]:
    """What decides how often is asked."""
    try:
        freshness = conf.ocsp_freshness
    except Fault:  # without shared parameters nothing is fresh
        freshness = None
    return conf.ocsp_fetch_interval, freshness, conf.verify_next_update
