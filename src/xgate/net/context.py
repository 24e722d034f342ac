"""The TLS contexts of the house, one function per kind of peer.

The rule: parameters are the reference's (ocsp-tls-certs 8), with TLS 1.3 where both sides can. A
context is built whole and never changed; a new certificate means a new context, and whoever makes
connections asks a callable for the present one.
"""

from __future__ import annotations

import tempfile
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from OpenSSL import SSL, crypto

from xgate._native.provider import provider_is_named
from xgate.net.errors import TlsError
from xgate.net.key_reference import KeyReference

__all__ = [
    "Accept",
    "PrivateKey",
    "TlsContext",
    "TlsIdentity",
    "information_system_context",
    "peer_client_context",
    "peer_server_context",
    "service_context",
]

Accept = Callable[[bytes], bool]
"""Asked in the handshake with the peer's leaf certificate (DER)."""

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

# Level 1 refuses what is broken outright (export groups, 512-bit keys) in what is negotiated; the
# peers' certificates are not measured by it, for their errors are not OpenSSL's to judge.
_LEVEL = ":@SECLEVEL=1"
_PEER_SUITES = (
    "ECDHE-RSA-AES256-SHA384:DHE-RSA-AES256-SHA256:ECDHE-ECDSA-AES256-SHA384" + _LEVEL
).encode()
# The reference's list for information systems, and the same for EC keys, which it has not.
_SERVICE_SUITES = (
    "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-SHA256:ECDHE-RSA-AES256-GCM-SHA384"
    ":ECDHE-RSA-AES256-SHA384:DHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES128-SHA256"
    ":DHE-RSA-AES256-SHA256:DHE-RSA-AES256-GCM-SHA384"
    ":ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384" + _LEVEL
).encode()
_SESSION_TIMEOUT = 600
_SESSIONS = 1024
_OPTIONS = SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION | SSL.OP_CIPHER_SERVER_PREFERENCE

# RFC 7919, appendix A.2: group ffdhe3072.
_FFDHE3072 = b"""-----BEGIN DH PARAMETERS-----
MIIBiAKCAYEA//////////+t+FRYortKmq/cViAnPTzx2LnFg84tNpWp4TZBFGQz
+8yTnc4kmz75fS/jY2MMddj2gbICrsRhetPfHtXV/WVhJDP1H18GbtCFY2VVPe0a
87VXE15/V8k1mE8McODmi3fipona8+/och3xWKE2rec1MKzKT0g6eXq8CrGCsyT7
YdEIqUuyyOP7uWrat2DX9GgdT0Kj3jlN9K5W7edjcrsZCwenyO4KbXCeAvzhzffi
7MA0BM0oNC9hkXL+nOmFg/+OTxIy7vKBg8P+OxtMb61zO7X8vC7CIAXFjvGDfRaD
ssbzSibBsu/6iGtCOGEfz9zeNVs7ZRkDW7w09N75nAI4YbRvydbmyQd62R0mkff3
7lmMsPrBhtkcrv4TCYUTknC0EwyTvEN5RPT9RFLi103TZPLiHnH1S/9croKrnJ32
nuhtK8UiNjoNq8Uhl5sN6todv5pC1cRITgq80Gv6U93vPBsg7j/VnXwl5B0rZsYu
N///////////AgEC
-----END DH PARAMETERS-----
"""


class TlsIdentity(msgspec.Struct, frozen=True):
    """Who we are on a TLS connection.

    :param private_key: RSA or EC, or a reference to one.
    :param chain: DER certificates, leaf first, without the root.
    """

    private_key: PrivateKey | KeyReference
    chain: tuple[bytes, ...]

    def __repr__(self) -> str:
        return f"<TlsIdentity of {len(self.chain)} certificates>"


class TlsContext:
    """One set of TLS parameters, ready for connections; at a client also its resumable sessions.

    :param context: OpenSSL's context, configured. :param accept: the question of the handshake.
    """

    def __init__(self, context: SSL.Context, accept: Accept | None = None) -> None:
        self.context = context
        self.accept = accept
        self._sessions: OrderedDict[str, tuple[float, SSL.Session]] = OrderedDict()

    def find_session(self, key: str) -> SSL.Session | None:
        """The session last kept under this key, unless it is older than 600 s."""
        kept, session = self._sessions.get(key, (0.0, None))
        return session if time.monotonic() - kept < _SESSION_TIMEOUT else None

    def keep_session(self, key: str, session: SSL.Session) -> None:
        """Keep a session for the next connection to the same server; the oldest give way."""
        self._sessions[key] = (time.monotonic(), session)
        self._sessions.move_to_end(key)
        if len(self._sessions) > _SESSIONS:
            self._sessions.popitem(last=False)


def peer_server_context(
    identity: TlsIdentity, accept: Accept, authorities: Iterable[bytes] = ()
) -> TlsContext:
    """For other security servers that connect to us (port 5500).

    A client certificate is required; ``accept(leaf)`` alone decides on it: no chain, no validity
    period, no purpose (transport 1.1).

    :param authorities: DER certificates of the CAs whose names the certificate request lists.
    :raises TlsError: the identity cannot be used.
    """
    context = _context(identity, _PEER_SUITES)
    mode = SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT
    context.set_verify(mode, _ask_about_leaf(accept))
    for authority in authorities:
        with suppress(ValueError):  # one that pyca cannot read is left out: peers need no such list
            context.add_client_ca(x509.load_der_x509_certificate(authority))
    # Sessions stay in memory, not in tickets: a ticket would forget the chain beside the leaf.
    context.set_options(SSL.OP_NO_TICKET)
    context.set_session_cache_mode(SSL.SESS_CACHE_SERVER)
    return TlsContext(_serving(context), accept)


def peer_client_context(identity: TlsIdentity) -> TlsContext:
    """For our calls to other security servers: any certificate passes; judge ``peer_chain`` then.

    :raises TlsError: the identity cannot be used.
    """
    return TlsContext(_calling(_context(identity, _PEER_SUITES)))


def information_system_context(identity: TlsIdentity) -> TlsContext:
    """For information systems that connect to us (port 8443).

    A client certificate is asked for and any is accepted, none as well; who it belongs to is
    decided by comparison when the message is known (pipeline 4).

    :raises TlsError: the identity cannot be used.
    """
    context = _context(identity, _SERVICE_SUITES)
    context.set_verify(SSL.VERIFY_PEER, _take_any)
    # Strangers get tickets: nothing is kept in our memory, and only the leaf matters here.
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    return TlsContext(_serving(context))


def service_context(identity: TlsIdentity | None = None) -> TlsContext:
    """For our calls to services over HTTPS: any certificate passes; pin ``peer_chain[0]`` then.

    :param identity: offered if the service asks for a certificate.
    :raises TlsError: the identity cannot be used.
    """
    return TlsContext(_calling(_context(identity, _SERVICE_SUITES)))


def _context(identity: TlsIdentity | None, suites: bytes) -> SSL.Context:
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_options(_OPTIONS)
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    context.set_cipher_list(suites)
    if identity is not None:
        _use(context, identity)
    return context


def _use(context: SSL.Context, identity: TlsIdentity) -> None:
    try:
        leaf, *others = (x509.load_der_x509_certificate(der) for der in identity.chain)
        context.use_certificate(leaf)
        for certificate in others:
            context.add_extra_chain_cert(certificate)
        _use_key(context, identity.private_key)
        context.check_privatekey()
    except (SSL.Error, ValueError) as error:
        raise TlsError(f"this key and certificate cannot be used for TLS: {error}") from None


def _use_key(context: SSL.Context, key: PrivateKey | KeyReference) -> None:
    if not isinstance(key, KeyReference):
        context.use_privatekey(key)
        return
    if not provider_is_named():
        raise TlsError("a key that the signer holds needs OpenSSL's provider; start: xgate serve")
    _with_file(key.pem, context.use_privatekey_file)


def _serving(context: SSL.Context) -> SSL.Context:
    context.set_session_id(b"xgate")
    context.set_timeout(_SESSION_TIMEOUT)
    _with_file(_FFDHE3072, context.load_tmp_dh)
    return context


def _with_file(octets: bytes, use: Callable[[str], object]) -> None:
    """For what OpenSSL takes from a file only; nothing secret."""
    try:
        with tempfile.NamedTemporaryFile() as file:
            file.write(octets)
            file.flush()
            use(file.name)
    except OSError as error:
        text = f"no temporary file can be written ({error.strerror}): free its disk, or set TMPDIR"
        raise TlsError(text) from None


def _calling(context: SSL.Context) -> SSL.Context:
    context.set_verify(SSL.VERIFY_NONE)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)  # TlsContext keeps them by server
    return context


def _ask_about_leaf(accept: Accept) -> Callable[[Any, crypto.X509, int, int, int], bool]:
    """OpenSSL's verification with every opinion of its own removed: only the leaf is asked about.

    Called for each certificate and each error found; ``TlsStream`` asks once more at the end, so
    that a path of OpenSSL's that never comes to the leaf accepts nobody.
    """

    def verify(_: Any, certificate: crypto.X509, error: int, depth: int, ok: int) -> bool:
        if depth > 0:
            return True
        return accept(crypto.dump_certificate(crypto.FILETYPE_ASN1, certificate))

    return verify


def _take_any(_: Any, certificate: crypto.X509, error: int, depth: int, ok: int) -> bool:
    return True
