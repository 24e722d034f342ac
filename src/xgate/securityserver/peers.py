"""Connections to other security servers: which one answers, who it is, and keeping it for later.

The rule: a connection is handed out only after its server has been judged for the provider at hand:
certificate chain, OCSP, and that the provider is registered there (pipeline 5 and 7). A candidate
that fails is passed over for the next one, and asked last for a while; one that keeps us waiting
may do so for seconds only while there are others. When none is left the last refusal is the answer.
A message is never sent twice.
"""

from __future__ import annotations

import math
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial

import msgspec
import trio

from xgate.errors import Fault, faults_under
from xgate.globalconf.conf import GlobalConf
from xgate.ids import ClientId
from xgate.net.client import ClientConnection, connect
from xgate.net.context import TlsContext
from xgate.net.errors import ClosedError, NetError, TlsError
from xgate.net.turns import Turns
from xgate.policy.route import Route
from xgate.policy.world import World
from xgate.securityserver.ocsp_fetch import fetch_ocsp
from xgate.securityserver.settings import PeerSettings
from xgate.signer.ocsp_cache import OcspCache
from xgate.trust.certificate import Certificate
from xgate.trust.path import verify_auth_chain

__all__ = ["Peers"]

_IDLE_PER_ROUTE = 64
_IDLE_SECONDS = 25.0  # below the 30 s after which the reference closes an idle connection
_PATIENCE = 5.0  # seconds for a server to connect and be judged while there are others
_REST_SECONDS = 60.0  # how long a server that has failed is asked after the others
_TRUST_SECONDS = 60.0  # how long a judgement of a peer is good: the reference's OCSP cache period


_Key = tuple[ClientId, frozenset[str]]


class _Idle(msgspec.Struct):
    """:ivar judged: when its server was judged, by the configuration ``conf``."""

    connection: ClientConnection
    since: float
    judged: float
    conf: GlobalConf


class Peers:
    """All connections of this server to others."""

    def __init__(
        self,
        settings: PeerSettings,
        ocsp: OcspCache,
        context: Callable[[World], TlsContext],
        monotonic: Callable[[], float],
    ) -> None:
        """:param context: the TLS context with our authentication key of now; may raise Fault."""
        self._settings = settings
        self._ocsp = ocsp
        self._context = context
        self._monotonic = monotonic
        self._turns = Turns(monotonic, _REST_SECONDS)
        self._idle: dict[_Key, list[_Idle]] = {}

    @asynccontextmanager
    async def open(
        self, route: Route, world: World, now: datetime
    ) -> AsyncIterator[ClientConnection]:
        """A judged connection to one of the route's servers, for one exchange.

        :raises Fault: ``network_error``, ``ssl_authentication_failed``...
        """
        key = (route.provider, frozenset(route.addresses))
        idle = await self._take_idle(key)
        if idle is None or not self._still_judged(idle, world):
            if idle is not None:
                await idle.connection.aclose()
            connection = await self._connect_any(route, world, now)
            idle = _Idle(connection, 0.0, self._monotonic(), world.globalconf)
        try:
            yield idle.connection
        except BaseException:
            await idle.connection.aclose()
            raise
        await self._give_back(key, idle)

    async def aclose(self) -> None:
        """Close all idle connections."""
        while self._idle:
            _, waiting = self._idle.popitem()
            for idle in waiting:
                await idle.connection.aclose()

    def _still_judged(self, idle: _Idle, world: World) -> bool:
        """Not by another configuration: the server may be registered there no more."""
        recent = self._monotonic() - idle.judged <= _TRUST_SECONDS
        return recent and idle.conf is world.globalconf

    async def _take_idle(self, key: _Key) -> _Idle | None:
        waiting = self._idle.get(key, [])
        while waiting:
            idle = waiting.pop()
            if idle.connection.reusable and self._monotonic() - idle.since < _IDLE_SECONDS:
                return idle
            await idle.connection.aclose()
        return None

    async def _give_back(self, key: _Key, idle: _Idle) -> None:
        waiting = self._idle.setdefault(key, [])
        reusable = self._settings.keep_alive and idle.connection.reusable
        if not reusable or len(waiting) >= _IDLE_PER_ROUTE:
            await idle.connection.aclose()
            return
        idle.since = self._monotonic()
        waiting.append(idle)

    async def _connect_any(self, route: Route, world: World, now: datetime) -> ClientConnection:
        refusal: Fault | None = None
        context = self._context(world)
        addresses = self._turns.order(random.sample(route.addresses, len(route.addresses)))
        for number, address in enumerate(addresses, 1):
            patience = _PATIENCE if number < len(addresses) else math.inf
            try:
                with trio.move_on_after(patience):
                    connection = await self._connect(address, context, route, world, now)
                    self._turns.answered(address)
                    return connection
            except (TlsError, ClosedError) as error:
                refusal = Fault("ssl_authentication_failed", f"TLS handshake failed: {error}")
            except NetError:
                pass
            except Fault as fault:
                refusal = fault
            self._turns.failed(address)
        targets = ", ".join(
            f"https://{address}:{self._settings.server_port}/" for address in route.addresses
        )
        raise refusal or Fault(
            "network_error", f"Could not connect to any target host ([{targets}])"
        )

    async def _connect(
        self, address: str, context: TlsContext, route: Route, world: World, now: datetime
    ) -> ClientConnection:
        host = self._settings.hosts.get(address, address)
        connection = await connect(
            host,
            self._settings.server_port,
            tls=context,
            timeout=self._settings.connect_timeout,
        )
        connection.target = address
        try:
            with faults_under("ssl_authentication_failed"):
                await self._judge(connection.stream.peer_chain, host, route, world, now)
        except BaseException:
            await connection.aclose()
            raise
        return connection

    async def _judge(
        self, presented: Sequence[bytes], host: str, route: Route, world: World, now: datetime
    ) -> None:
        chain = [Certificate.load(der) for der in presented]
        conf = world.globalconf
        instance = route.provider.instance
        find = partial(self._ocsp.find, trust=conf, now=now)
        responses = await fetch_ocsp(chain, find, host, self._settings.ocsp_port)
        try:
            proven = verify_auth_chain(conf, instance, chain, responses, now, issuer_of="first")
        except Fault:
            # What we kept may be what was wrong: ask anew next time. Of the leaf alone: it is the
            # peer's for sure, while anybody can show the others.
            self._ocsp.drop(chain[0])
            raise
        if not conf.auth_certificate_matches(chain[0], route.provider):
            server = conf.server_by_auth_hash(chain[0])
            raise Fault(
                "ssl_authentication_failed",
                f"Client '{route.provider}' is not registered at security server {server}"
                if server is not None
                else f"Authentication certificate {chain[0].serial} is not associated with any "
                "security server",
            )
        for certificate, response in zip(proven.path, proven.responses, strict=False):
            self._ocsp.put(certificate, response.der)  # the anchor, which is last, has none
