"""Who this server is on its TLS connections towards peers.

The rule: the authentication key of now is shown to peers. A context is rebuilt when that key or the
list of CAs changes and not sooner, for with it go the sessions that peers could resume. A client
certificate is accepted in the handshake when its hash is registered in the World of now, in a
resumed session too, and judged later (transport 1.1, pipeline 7).
"""

from __future__ import annotations

from xgate.cell import Cell
from xgate.clock import Clock
from xgate.net.context import TlsContext, TlsIdentity, peer_client_context, peer_server_context
from xgate.policy.world import World
from xgate.signer.keyring import AuthKey, KeyOnToken, Keyring, choose_auth_key
from xgate.signer.ocsp_cache import OcspCache

__all__ = ["PeerIdentity"]


class PeerIdentity:
    """The TLS contexts towards other security servers."""

    def __init__(
        self, world: Cell[World], ring: Cell[Keyring], ocsp: OcspCache, clock: Clock
    ) -> None:
        self._world = world
        self._ring = ring
        self._ocsp = ocsp
        self._clock = clock
        self._client: tuple[AuthKey, TlsContext] | None = None
        self._server: tuple[AuthKey, tuple[bytes, ...], TlsContext] | None = None

    def client_context(self, world: World) -> TlsContext:
        """For calls to peers.

        :raises Fault: ``ssl_authentication_failed`` without a usable authentication key.
        """
        key = self._key(world)
        if self._client is None or not _same(self._client[0], key):
            self._client = (key, peer_client_context(_identity(key)))
        return self._client[1]

    def server_context(self, world: World) -> TlsContext:
        """For peers that call; errors as ``client_context``."""
        key = self._key(world)
        authorities = tuple(ca.certificate.der for ca in world.globalconf.all_cas())
        known = self._server
        if known is None or not _same(known[0], key) or known[1] != authorities:
            context = peer_server_context(_identity(key), self._is_registered, authorities)
            known = self._server = (key, authorities, context)
        return known[2]

    def _key(self, world: World) -> AuthKey:
        server, now = world.serverconf.server, self._clock.now()
        return choose_auth_key(self._ring.value, server, world.globalconf, self._ocsp, now)[0]

    def _is_registered(self, der: bytes) -> bool:
        return self._world.value.globalconf.knows_auth_certificate(der)


def _same(one: AuthKey, other: AuthKey) -> bool:
    """By the certificate: a ring that was read anew holds the same keys as other objects."""
    return one.certificate.der == other.certificate.der


def _identity(key: AuthKey) -> TlsIdentity:
    assert not isinstance(key.private, KeyOnToken)  # choose_auth_key gives none
    return TlsIdentity(key.private, (key.certificate.der,))
