"""The software token: private keys in this process's memory, loaded from the sealed key store.

The rule: keys enter through ``KeyStore.unlock`` and never leave; a signature is made over a digest,
as a hardware token would make it (signer 2).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from xgate.algorithms import key_octets, signature_padding
from xgate.errors import Fault
from xgate.signer.token import SignJob, TokenKey

__all__ = ["PrivateKey", "SoftwareToken", "key_kind", "public_octets"]

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


def key_kind(key: object) -> str:
    """The signature kind a software key makes: ``rsa`` or ``ecdsa``.

    :raises Fault: ``unsupported_sign_algorithm`` for any other key.
    """
    if isinstance(key, rsa.RSAPrivateKey):
        return "rsa"
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return "ecdsa"
    raise Fault("unsupported_sign_algorithm", "only RSA and elliptic curve keys can sign")


def public_octets(key: PrivateKey) -> bytes:
    """The public half of a key: DER SubjectPublicKeyInfo."""
    return key_octets(key.public_key())


class SoftwareToken:
    """A ``SigningToken`` over keys in memory; safe to call from several threads."""

    id = "0"

    def __init__(self, keys: Mapping[str, tuple[str, PrivateKey]]) -> None:
        """:param keys: by key id: label and private key."""
        self._private = {key_id: private for key_id, (_, private) in keys.items()}
        self._keys = tuple(
            TokenKey(
                key_id,
                label,
                public_octets(private),
                key_kind(private),
            )
            for key_id, (label, private) in keys.items()
        )

    def __repr__(self) -> str:
        return f"SoftwareToken({len(self._keys)} keys)"

    def keys(self) -> Sequence[TokenKey]:
        """All keys: they are usable as long as the token exists."""
        return self._keys

    def sign(self, jobs: Sequence[SignJob]) -> Sequence[bytes | Fault]:
        """Sign each job in order (``SigningToken.sign``)."""
        return [self._sign_one(job) for job in jobs]

    def _sign_one(self, job: SignJob) -> bytes | Fault:
        key = self._private.get(job.key_id)
        hashed = Prehashed(job.algorithm.digest.primitive)
        if key is None:
            return Fault("key_not_found", f"Key '{job.key_id}' not found")
        if len(job.digest) != job.algorithm.digest.size:
            return Fault("cannot_sign", "the digest's length does not fit its algorithm")
        if isinstance(key, rsa.RSAPrivateKey) and job.algorithm.kind in ("rsa", "pss"):
            return key.sign(job.digest, signature_padding(job.algorithm), hashed)
        if isinstance(key, ec.EllipticCurvePrivateKey) and job.algorithm.kind == "ecdsa":
            return key.sign(job.digest, ec.ECDSA(hashed))
        return Fault(
            "unsupported_sign_algorithm",
            f"The algorithm {job.algorithm.uri} does not fit key '{job.key_id}'",
        )
