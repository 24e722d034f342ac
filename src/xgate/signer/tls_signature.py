"""Signatures for TLS handshakes, made where the authentication key is.

The rule: the signer hashes what it signs itself, so that this key signs nothing but what it has
seen whole; kinds and digests are those that TLS 1.2 and 1.3 can negotiate here.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from xgate.algorithms import (
    SIGNATURES,
    SignatureAlgorithm,
    digest_named,
    signature_padding,
    signature_uri,
)
from xgate.errors import Fault
from xgate.signer.keyring import AuthKey, KeyOnToken
from xgate.signer.token import SignJob

__all__ = ["sign_for_tls"]


def sign_for_tls(auth: AuthKey, kind: str, digest: str, octets: bytes) -> bytes:
    """Sign ``octets`` with an authentication key that this process holds; ECDSA gives DER.

    :param kind: ``rsa``, ``pss`` or ``ecdsa``. :param digest: by X-Road's name, ``SHA-256``.
    :raises Fault: ``unsupported_sign_algorithm``.
    """
    algorithm = _algorithm(kind, digest)
    key, hashed = auth.private, algorithm.digest.primitive
    if isinstance(key, rsa.RSAPrivateKey) and kind in ("rsa", "pss"):
        return key.sign(octets, signature_padding(algorithm), hashed)
    if isinstance(key, ec.EllipticCurvePrivateKey) and kind == "ecdsa":
        return key.sign(octets, ec.ECDSA(hashed))
    if isinstance(key, KeyOnToken):
        (made,) = key.token.sign([SignJob(key.key.id, algorithm, algorithm.digest.of(octets))])
        if isinstance(made, Fault):
            raise made
        return made
    raise Fault(
        "unsupported_sign_algorithm",
        f"A signature of kind '{kind}' does not fit the authentication key",
    )


def _algorithm(kind: str, digest: str) -> SignatureAlgorithm:
    found = digest_named(digest)
    try:
        if found is None:
            raise KeyError(digest)
        return SIGNATURES[signature_uri(kind, found)]
    except KeyError:
        raise Fault(
            "unsupported_sign_algorithm", f"No TLS signature is of kind '{kind}' with '{digest}'"
        ) from None
