"""Keeps OCSP responses of this server's own certificates fresh.

The rule: every certificate in use is asked about at each round, at the responders that the global
configuration names for its issuer; the first answer that verifies is kept, whatever status it tells
(a revoked certificate stops being usable by that). A round that left something without an answer is
repeated sooner (ocsp-tls-certs 7).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

import trio

from xgate.cell import Cell
from xgate.clock import Clock
from xgate.errors import Fault
from xgate.keepers.report import Report
from xgate.net.errors import NetError
from xgate.policy.world import World
from xgate.signer.ocsp_cache import OcspCache, find_issuer
from xgate.trust.certificate import Certificate
from xgate.trust.ocsp import OcspResponse, check_ocsp_genuine, write_ocsp_request

__all__ = ["Post", "keep_ocsp", "refresh_ocsp"]

Post = Callable[[str, bytes, str], Awaitable[bytes]]
"""POST octets of a media type to a URL; the octets of a 200 answer, else NetError."""

_RETRY = 60.0
_REQUEST_TYPE = "application/ocsp-request"


async def keep_ocsp(
    certificates: Callable[[], Iterable[Certificate]],
    world: Cell[World],
    cache: OcspCache,
    clock: Clock,
    post: Post,
    report: Report,
) -> None:
    """Ask for all of ``certificates()`` at once, and again at the configured interval, for ever."""
    while True:
        asked = answered = 0
        for certificate in certificates():
            asked += 1
            answered += await refresh_ocsp(certificate, world.value, cache, clock, post, report)
        report("OCSP responses refreshed", certificates=asked, answered=answered)
        missing = answered < asked
        interval = world.value.globalconf.ocsp_fetch_interval.total_seconds()
        await trio.sleep(min(_RETRY, interval) if missing else interval)


async def refresh_ocsp(
    certificate: Certificate,
    world: World,
    cache: OcspCache,
    clock: Clock,
    post: Post,
    report: Report,
) -> bool:
    """Ask about one certificate; whether a valid response was obtained and kept."""
    conf = world.globalconf
    try:
        issuer = find_issuer(conf, certificate, clock.now())
    except Fault as fault:
        report("OCSP not refreshed", certificate=str(certificate.serial), cause=fault.text)
        return False
    request = write_ocsp_request(certificate, issuer.certificate)
    for url in conf.ocsp_urls_for(certificate):
        try:
            answer = await post(url, request, _REQUEST_TYPE)
            response = OcspResponse.load(answer)
            check_ocsp_genuine(response, certificate, issuer, conf, clock.now())
        except (Fault, NetError) as error:
            report("OCSP not refreshed", url=url, cause=str(error))
            continue
        cache.put(certificate, answer)
        return True
    return False
