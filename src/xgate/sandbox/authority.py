"""The country's authorities over HTTP: OCSP responder, timestamping service, configuration source.

The rule: real answers to real requests (RFC 6960, RFC 3161, the published tree); every certificate
of the CA is good unless it was revoked here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from itertools import count

from xgate.clock import Clock
from xgate.globalconf.file_source import find_published
from xgate.net.server import Exchange
from xgate.sandbox.country import Country
from xgate.testing.responders import GOOD, answer_ocsp, answer_timestamp

__all__ = ["Authority"]

_MOST = 64 * 1024


class Authority:
    """Answers for one country; ``revoked`` maps serial numbers to what is said instead of good."""

    def __init__(self, country: Country, clock: Clock) -> None:
        self.revoked: dict[int, str | datetime] = {}
        self.away: set[str] = set()
        """Which of ``ocsp``, ``tsa`` and ``conf`` answer nothing but 503 now."""
        self._country = country
        self._clock = clock
        self._serials = count(1)
        self._doors: dict[str, Callable[[bytes], tuple[str, bytes]]] = {
            "/ocsp": self._ocsp,
            "/tsa": self._tsa,
        }

    @property
    def handler(self) -> Callable[[Exchange], Awaitable[None]]:
        """For ``net.server.serve_connection``."""
        return self._serve

    async def _serve(self, exchange: Exchange) -> None:
        path, _, query = exchange.target.partition("?")
        door = self._doors.get(path)
        if (path[1:] if door else "conf") in self.away:
            await exchange.respond(503, [], b"")
            return
        if door is None:
            await self._publish(exchange, path, query)
            return
        body = bytearray()
        while (data := await exchange.receive()) and len(body) <= _MOST:
            body += data
        kind, answer = door(bytes(body))
        await exchange.respond(200, [("Content-Type", kind)], answer)

    async def _publish(self, exchange: Exchange, path: str, query: str) -> None:
        found = find_published(self._country.web_root, path, query)
        if found is None:
            await exchange.respond(404, [], b"")
            return
        headers = [("Content-Type", "application/octet-stream"), ("Cache-Control", "no-cache")]
        await exchange.respond(200, headers, found.read_bytes())

    def _ocsp(self, request: bytes) -> tuple[str, bytes]:
        country = self._country
        answer = answer_ocsp(
            request,
            country.ocsp,
            country.ca.certificate,
            lambda serial: self.revoked.get(serial, GOOD),
            self._clock.now(),
            certificates=(country.ocsp.certificate,),
        )
        return "application/ocsp-response", answer

    def _tsa(self, request: bytes) -> tuple[str, bytes]:
        answer = answer_timestamp(
            request, self._country.tsa, self._clock.now(), next(self._serials)
        )
        return "application/timestamp-reply", answer
