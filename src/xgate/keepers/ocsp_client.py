"""Asks OCSP responders about this server's own certificates, for whoever wants to know.

The rule: the responders that the global configuration names for the issuer are asked in turn; the
first answer that verifies is kept, whatever status it tells (a revoked certificate stops being
usable by that). One that keeps silent is not waited for while there are others: after some seconds
the next is asked beside it. However many want to know of one certificate at the same time, one
asks. A responder that cannot be reached, or is slower than another, rests, the longer the more
often; while it rests the others are asked first, and it is asked if they do not know
(ocsp-tls-certs 7).
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime

import msgspec
import trio

from xgate.cell import Cell
from xgate.clock import Clock
from xgate.errors import Fault
from xgate.globalconf.conf import GlobalConf
from xgate.globalconf.responders import OcspOrder
from xgate.keepers.report import Report, cause_of
from xgate.net.errors import TimedOutError
from xgate.policy.world import World
from xgate.signer.ocsp_cache import OcspCache, find_issuer, fresh_until
from xgate.trust.anchors import ApprovedCa
from xgate.trust.certificate import Certificate
from xgate.trust.ocsp import OcspResponse, check_ocsp_genuine, write_ocsp_request

__all__ = ["OcspClient", "Post"]

Post = Callable[[str, bytes, str], Awaitable[bytes]]
"""POST octets of a media type to a URL; the octets of a 200 answer, else NetError."""

_AT_ONCE = 8  # certificates asked about at the same time: one slow responder starves no other
_PATIENCE = 10.0  # seconds a message waits for an answer that is not at hand
_HEAD_START = 5.0  # seconds a responder has before the next one is asked as well
_LONGEST_REST = 3600.0
_REQUEST_TYPE = "application/ocsp-request"


class _Asking:
    """One certificate being asked about, and who waits for that."""

    def __init__(self) -> None:
        self.done = trio.Event()
        self.finished = False
        self.until: datetime | None = None


class _Rest(msgspec.Struct, frozen=True):
    """:ivar until: of the monotonic clock. :ivar failures: one after the other."""

    until: float
    failures: int


class OcspClient:
    """The one way to the responders, for one event loop."""

    def __init__(
        self,
        world: Cell[World],
        cache: OcspCache,
        clock: Clock,
        post: Post,
        report: Report,
        *,
        order: OcspOrder = "none",
        retry: float = 60.0,
        active: bool = True,
    ) -> None:
        """:param order: which responders first, and whether all.

        :param retry: seconds between two tries; of a responder, and of a message that waits.
        :param active: whether ``fill`` may ask.
        """
        self._world = world
        self._cache = cache
        self._clock = clock
        self._post = post
        self._report = report
        self._order: OcspOrder = order
        self._active = active
        self.retry = retry
        self._asking: dict[str, _Asking] = {}
        self._tried: dict[str, float] = {}
        self._rests: dict[str, _Rest] = {}

    async def ask_all(
        self, certificates: Iterable[Certificate]
    ) -> dict[Certificate, datetime | None]:
        """``ask`` about each, some at a time."""
        answers: dict[Certificate, datetime | None] = {}
        turn = trio.CapacityLimiter(_AT_ONCE)

        async def ask(certificate: Certificate) -> None:
            async with turn:
                answers[certificate] = await self.ask(certificate)

        async with trio.open_nursery() as nursery:
            for certificate in certificates:
                nursery.start_soon(ask, certificate)
        return answers

    async def ask(self, certificate: Certificate) -> datetime | None:
        """Ask about one certificate and keep the first valid response.

        :returns: until when it proves anything; None when there was none.
        """
        while (running := self._asking.get(certificate.sha1)) is not None:
            await running.done.wait()
            if running.finished:  # else whoever asked was cut off, and it is another's turn
                return running.until
        mine = self._asking[certificate.sha1] = _Asking()
        try:
            self._tried[certificate.sha1] = self._clock.monotonic()
            mine.until = await self._ask(certificate)
            mine.finished = True
        finally:
            del self._asking[certificate.sha1]
            mine.done.set()
        return mine.until

    async def fill(self, certificates: Iterable[Certificate]) -> None:
        """Ask about those of which nothing fresh is at hand, for somebody who waits for it.

        What was asked about a short time ago is not asked about again: the keeper does that.

        :param certificates: our own, or CAs' of our own instance.
        """
        now = self._clock.now()
        wanted = [
            certificate
            for certificate in certificates
            if self._active
            and certificate.valid_at(now)
            and not certificate.self_issued
            and self._may_ask(certificate)
            and not self._at_hand(certificate, now)
        ]
        if wanted:
            with trio.move_on_after(_PATIENCE):
                await self.ask_all(wanted)

    def _at_hand(self, certificate: Certificate, now: datetime) -> bool:
        # A stale one is not dropped: it may be the clock that is wrong.
        der = self._cache.kept(certificate.sha1)
        return der is not None and now <= fresh_until(
            OcspResponse.load(der), self._world.value.globalconf
        )

    def _may_ask(self, certificate: Certificate) -> bool:
        sha1 = certificate.sha1
        tried = self._tried.get(sha1, -math.inf)
        return sha1 in self._asking or self._clock.monotonic() - tried >= self.retry

    async def _ask(self, certificate: Certificate) -> datetime | None:
        conf = self._world.value.globalconf
        try:
            issuer = find_issuer(conf, certificate, self._clock.now())
        except Fault as fault:
            self._report("OCSP not refreshed", certificate=_name(certificate), cause=fault.text)
            return None
        request = write_ocsp_request(certificate, issuer.certificate)
        urls = self._in_turn(conf.ocsp_urls_for(certificate, issuer, self._order))
        if not urls:
            cause = f"no responder for it is known (prioritization: {self._order})"
            self._report("OCSP not refreshed", certificate=_name(certificate), cause=cause)

        async def attempt(url: str) -> datetime | None:
            answer = await self._ask_at(url, request)
            try:
                return None if answer is None else self._keep(answer, certificate, issuer, conf)
            except Exception as error:  # noqa: BLE001  whatever it answers, the next is asked
                self._miss(url, error)
                return None

        return await self._first(urls, attempt)

    async def _first(
        self, urls: Sequence[str], attempt: Callable[[str], Awaitable[datetime | None]]
    ) -> datetime | None:
        """What the first gives that gives anything; those that it has overtaken rest."""
        found: list[datetime] = []
        silent: set[str] = set()

        async def run(url: str, over: trio.Event) -> None:
            silent.add(url)
            until = await attempt(url)
            silent.discard(url)
            if until is not None:
                found.append(until)
                nursery.cancel_scope.cancel()
            over.set()

        async with trio.open_nursery() as nursery:
            for url in urls:
                over = trio.Event()
                nursery.start_soon(run, url, over)
                with trio.move_on_after(_HEAD_START):
                    await over.wait()
        for url in silent:
            self._let_rest(url)
            self._miss(url, TimedOutError("another has answered before it"))
        return found[0] if found else None

    def _keep(
        self, answer: bytes, certificate: Certificate, issuer: ApprovedCa, conf: GlobalConf
    ) -> datetime:
        response = OcspResponse.load(answer)
        check_ocsp_genuine(response, certificate, issuer, conf, self._clock.now())
        self._cache.put(certificate, answer)
        return fresh_until(response, conf)

    async def _ask_at(self, url: str, request: bytes) -> bytes | None:
        try:
            answer = await self._post(url, request, _REQUEST_TYPE)
        except Exception as error:  # noqa: BLE001  whatever it does, the next is asked
            self._let_rest(url)
            self._miss(url, error)
            return None
        self._rests.pop(url, None)
        return answer

    def _let_rest(self, url: str) -> None:
        failures = min(10, self._rests.get(url, _Rest(0.0, 0)).failures + 1)
        rest = min(_LONGEST_REST, math.ldexp(self.retry, failures - 1))
        self._rests[url] = _Rest(self._clock.monotonic() + rest, failures)

    def _in_turn(self, urls: Sequence[str]) -> list[str]:
        """Those at rest last: a dead one costs every certificate its whole time-out."""
        now = self._clock.monotonic()
        return sorted(urls, key=lambda url: url in self._rests and self._rests[url].until > now)

    def _miss(self, url: str, error: Exception) -> None:
        self._report("OCSP not refreshed", url=url, cause=cause_of(error))


def _name(certificate: Certificate) -> str:
    return str(certificate.serial)
