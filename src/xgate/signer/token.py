"""A signing token: what holds private keys and signs with them (plug-in).

The rule: plain synchronous calls, each takes a batch; the caller owns threads, retries and time.
A token never gives a private key away, and never puts a PIN or a key into an error or a log.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from xgate.algorithms import SignatureAlgorithm
from xgate.errors import Fault

__all__ = ["SignJob", "SigningToken", "TokenKey"]


class TokenKey(msgspec.Struct, frozen=True):
    """A key that can sign now.

    :param id: the key's identifier on the token.
    :param public_key: DER SubjectPublicKeyInfo.
    :param kind: the signature kind it makes: ``rsa`` (PKCS#1 v1.5), ``pss`` or ``ecdsa``.
    """

    id: str
    label: str
    public_key: bytes
    kind: str


class SignJob(msgspec.Struct, frozen=True):
    """One signature wanted: over ``digest``, made by the algorithm's own digest."""

    key_id: str
    algorithm: SignatureAlgorithm
    digest: bytes


class SigningToken(Protocol):
    """Duties: ``sign`` answers in order, one result per job, a Fault in place of a refused one.

    It may be called from several threads; a job that failed has left nothing behind. ECDSA
    signatures are ASN.1 DER.
    """

    @property
    def id(self) -> str:
        """The token's identifier."""

    def keys(self) -> Sequence[TokenKey]:
        """The keys that are usable now."""

    def sign(self, jobs: Sequence[SignJob]) -> Sequence[bytes | Fault]:
        """Sign each: Fault ``key_not_found``, ``unsupported_sign_algorithm`` or ``cannot_sign``."""
