"""Who this server is on its TLS connections: towards peers, and towards information systems.

The rule: the authentication key of now is shown to peers. A context is rebuilt when that key or the
list of CAs changes and not sooner, for with it go the sessions that peers could resume. A client
certificate is accepted in the handshake when its hash is registered in the World of now, in a
resumed session too, and judged later (transport 1.1, pipeline 7).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import NameOID

from xgate.cell import Cell
from xgate.clock import Clock
from xgate.net.context import TlsContext, TlsIdentity, peer_client_context, peer_server_context
from xgate.policy.world import World
from xgate.securityserver.settings import SettingsError, TlsSettings
from xgate.signer.keyring import AuthKey, KeyOnToken, Keyring, choose_auth_key
from xgate.signer.ocsp_cache import OcspCache

__all__ = ["PeerIdentity", "load_internal_identity"]

_YEARS = 20


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


def load_internal_identity(settings: TlsSettings, folder: Path, now: datetime) -> TlsIdentity:
    """The certificate shown to information systems; a fresh self-signed one if none is named.

    :raises SettingsError: the files cannot be used.
    """
    if not settings.certificate:
        return _self_signed(now)
    try:
        chain = x509.load_pem_x509_certificates((folder / settings.certificate).read_bytes())
        key = load_pem_private_key((folder / settings.key).read_bytes(), None)
    except OSError as error:
        raise SettingsError(f"[tls] {error.filename}: {error.strerror}") from None
    except (ValueError, TypeError) as error:
        raise SettingsError(f"[tls] the certificate or the key cannot be read: {error}") from None
    return TlsIdentity(key, tuple(c.public_bytes(Encoding.DER) for c in chain))  # type: ignore[arg-type]  # the context refuses other keys by name


def _self_signed(now: datetime) -> TlsIdentity:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "xgate")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=365 * _YEARS))
        .sign(key, hashes.SHA256())
    )
    return TlsIdentity(key, (certificate.public_bytes(Encoding.DER),))
