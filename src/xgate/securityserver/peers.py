"""Connections to other security servers: judged before they are used, and kept for later.

The rule: a connection is handed out only after its server has been judged for the provider at hand:
certificate chain, OCSP, and that the provider is registered there (pipeline 5 and 7). Which server
that is, ``choice`` finds out. A message is never sent twice.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from weakref import WeakKeyDictionary

from xgate.errors import Fault, faults_under
from xgate.globalconf.conf import GlobalConf
from xgate.ids import ClientId
from xgate.net.client import ClientConnection, HeadLimits, connect_on
from xgate.net.context import TlsContext
from xgate.net.pool import Pool, PoolLimits
from xgate.net.stream import SocketStream
from xgate.policy.route import Route
from xgate.policy.world import World
from xgate.securityserver.choice import Choice
from xgate.securityserver.ocsp_fetch import fetch_ocsp
from xgate.securityserver.peer_settings import PeerSettings
from xgate.signer.ocsp_cache import OcspCache
from xgate.trust.certificate import Certificate
from xgate.trust.path import build_auth_path, verify_auth_chain

__all__ = ["Peers"]

_TRUST_SECONDS = 60.0  # how long a judgement of a peer is good: the reference's OCSP cache period

_HEADS = HeadLimits()

_Key = tuple[ClientId, frozenset[str]]


class Peers:
    """All connections of this server to others."""

    def __init__(
        self,
        settings: PeerSettings,
        ocsp: OcspCache,
        context: Callable[[World], TlsContext],
        monotonic: Callable[[], float],
        *,
        heads: HeadLimits = _HEADS,
    ) -> None:
        """:param context: the TLS context with our authentication key of now; may raise Fault.

        :param heads: of their answers.
        """
        self._heads = heads
        self._settings = settings
        self._ocsp = ocsp
        self._context = context
        self._monotonic = monotonic
        self._choice = Choice(settings, monotonic)
        # When each was judged, and by which configuration.
        self._judged: WeakKeyDictionary[ClientConnection, tuple[float, GlobalConf]] = (
            WeakKeyDictionary()
        )
        limits = PoolLimits(
            settings.idle_seconds, settings.idle_per_provider, settings.idle_connections
        )
        self._pool: Pool[_Key] = Pool(limits, monotonic)

    @asynccontextmanager
    async def open(
        self, route: Route, world: World, now: datetime
    ) -> AsyncIterator[ClientConnection]:
        """A judged connection to one of the route's servers, for one exchange.

        :raises Fault: ``network_error``, ``ssl_authentication_failed``...
        """
        key = (route.provider, frozenset(route.addresses))
        connection = await self._pool.take(key)
        if connection is not None and not self._still_judged(connection, world):
            await connection.aclose()
            connection = None
        if connection is None:
            prove = partial(self._prove, self._context(world), route, world, now)
            connection = await self._choice.connect(route.addresses, prove)
        try:
            yield connection
        except BaseException:
            await connection.aclose()
            raise
        if self._settings.keep_alive:
            await self._pool.give_back(key, connection)
        else:
            await connection.aclose()

    async def aclose(self) -> None:
        """Close all idle connections."""
        await self._pool.aclose()

    def _still_judged(self, connection: ClientConnection, world: World) -> bool:
        """Not by another configuration: the server may be registered there no more."""
        judged, conf = self._judged[connection]
        return self._monotonic() - judged <= _TRUST_SECONDS and conf is world.globalconf

    async def _prove(
        self,
        context: TlsContext,
        route: Route,
        world: World,
        now: datetime,
        address: str,
        stream: SocketStream,
        timeout: float,
    ) -> ClientConnection:
        host = self._settings.hosts.get(address, address)
        port = self._settings.server_port
        connection = await connect_on(
            stream, host, port, tls=context, timeout=timeout, heads=self._heads
        )
        connection.target = address
        try:
            with faults_under("ssl_authentication_failed"):
                await self._judge(connection.stream.peer_chain, host, route, world, now)
        except BaseException:
            await connection.aclose()
            raise
        self._judged[connection] = self._monotonic(), world.globalconf
        return connection

    async def _judge(
        self, presented: Sequence[bytes], host: str, route: Route, world: World, now: datetime
    ) -> None:
        chain = [Certificate.load(der) for der in presented]
        conf = world.globalconf
        instance = route.provider.instance
        build_auth_path(conf, instance, chain, now, issuer_of="first")
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
