"""A signing token: what holds private keys and signs with them (plug-in).

The rule: plain synchronous calls, each takes a batch; the caller owns threads, retries and time.
A token never gives a private key away, and never puts a PIN or a key into an error or a log.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol, runtime_checkable

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec

from xgate.algorithms import SignatureAlgorithm
from xgate.errors import Fault

__all__ = [
    "CURVES",
    "KeyKind",
    "KeyParameters",
    "ManagedToken",
    "SignJob",
    "SigningToken",
    "TokenCertificate",
    "TokenKey",
    "TokenState",
    "TokenStatus",
]

KeyKind = Literal["rsa", "ecdsa"]
"""What a new key is."""

CURVES: Mapping[str, type[ec.EllipticCurve]] = {
    "secp256r1": ec.SECP256R1,
    "secp384r1": ec.SECP384R1,
    "secp521r1": ec.SECP521R1,
}
"""The curves of new keys (ocsp-tls-certs 9)."""

TokenStatus = Literal[
    "ok",
    "pin-locked",
    "pin-incorrect",
    "pin-invalid",
    "pin-expired",
    "pin-count-low",
    "pin-final-try",
    "not-initialized",
]
"""What a token says of itself (signer 4); the first that holds, in the reference's priority."""


class KeyParameters(msgspec.Struct, frozen=True):
    """How large new keys are.

    :param rsa_bits: the modulus; at least 2048. :param curve: ``secp256r1`` and its like.
    """

    rsa_bits: int = 2048
    curve: str = "secp256r1"


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


class TokenState(msgspec.Struct, frozen=True):
    """What a token is like at this moment.

    :param name: for people. :param type: ``softToken``, or the name of the module's section.
    :param available: it is there. :param active: it is logged in.
    :param info: what the token tells about itself, for people (signer 4, "Token info map").
    """

    name: str
    type: str
    status: TokenStatus
    available: bool
    active: bool
    read_only: bool = False
    batch_signing: bool = True
    info: Mapping[str, str] = msgspec.field(default_factory=dict)


class TokenCertificate(msgspec.Struct, frozen=True):
    """A certificate that lies on the token itself, beside the key of this id."""

    key_id: str
    der: bytes


@runtime_checkable
class ManagedToken(SigningToken, Protocol):
    """A token whose keys can be made and removed, and that people log in to.

    Duties: as of ``SigningToken``; every method is one blocking call and may be called from any
    thread. A wrong PIN is tried once and never again by itself. What is not there or not logged in
    refuses by ``token_not_available`` or ``token_not_active``.
    """

    def state(self) -> TokenState:
        """What the token is like now; never raises for a token that has vanished."""

    def login(self, pin: str, *, force: bool = False) -> None:
        """Log in; a token that is logged in stays so.

        :param force: a person says so, also when the token warns that a wrong PIN would lock it.
        :raises Fault: ``pin_incorrect``, ``login_failed``, ``token_not_available``,
            ``token_not_initialized``.
        """

    def logout(self) -> None:
        """Log out; keys cannot sign from now on. :raises Fault: ``logout_failed``."""

    def generate(self, kind: KeyKind, label: str) -> TokenKey:
        """Make a key pair on the token, durable when this returns.

        :raises Fault: ``failed_to_generate_private_key``, ``token_readonly``,
            ``token_not_active``.
        """

    def delete(self, key_id: str) -> None:
        """Remove a key pair, and the certificates that lie beside it.

        :raises Fault: ``key_not_found``, ``token_readonly``, ``token_not_active``.
        """

    def certificates(self) -> Sequence[TokenCertificate]:
        """The certificates that lie on the token."""
