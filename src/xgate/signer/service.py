"""What the signer's clients ask for, answered from tokens that this process alone opens.

The rule: one request, one answer, whoever asked; all requests of all processes share one
``Signer``, so that what waits for a key becomes one signature. What a client says is checked here
before it can meet another's work in a batch. No socket is known.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVar

import trio

from xgate.algorithms import SHA512, find_signature
from xgate.batch import BatchClosedError
from xgate.cell import Cell
from xgate.errors import Fault
from xgate.signer.keyring import AuthKey, KeyOnToken, Keyring, SignKey
from xgate.signer.protocol import (
    Answer,
    Counted,
    Done,
    ListedToken,
    ListTokens,
    Login,
    Logout,
    Noted,
    NoteRegistered,
    Numbered,
    Octets,
    PublicAuthKey,
    PublicRing,
    PublicSignKey,
    Refused,
    Signatures,
    SignDigests,
    Signed,
    SignSeal,
    SignTls,
    Statistics,
    TokenStates,
)
from xgate.signer.registry import Listed
from xgate.signer.signer import Signer, SigningContext
from xgate.signer.tls_signature import sign_for_tls
from xgate.signer.token import ManagedToken, SigningToken, SignJob
from xgate.trust.certificate import Certificate
from xgate.trust.der import write_integer
from xgate.trust.ocsp import OcspResponse
from xgate.trust.seal import MESSAGE, Part, Seal, attachment_name

__all__ = ["SignerService", "TokenShelf", "public_ring"]

_LOG = logging.getLogger(__name__)
_TLS_THREADS = 4  # handshakes do not queue behind what a slow token is asked for
_TOKEN_THREADS = 8
_MOST_DIGESTS = 64

T = TypeVar("T")


class TokenShelf(Protocol):
    """All tokens that this process has."""

    def all(self) -> Sequence[SigningToken]:
        """In a fixed order."""
        ...

    def find(self, token_id: str) -> SigningToken | None:
        """The token with this id, or None."""
        ...

    def troubles(self) -> Sequence[str]:
        """What is wrong with modules."""
        ...


class SignerService:
    """Answers requests, from any number of connections.

    :param changed: called after a login or logout, so that the ring is read anew.
    :param note: as ``registration.note_registered``, of this signer's registry.
    """

    def __init__(
        self,
        tokens: TokenShelf,
        ring: Cell[Keyring],
        signer: Signer,
        changed: Callable[[], Awaitable[None]],
        note: Callable[[Listed], bool],
    ) -> None:
        self.ring = ring
        self._tokens = tokens
        self._signer = signer
        self._changed = changed
        self._note = note
        self._proofs: dict[bytes, bytes] = {}
        self._tls_threads = trio.CapacityLimiter(_TLS_THREADS)
        self._token_threads = trio.CapacityLimiter(_TOKEN_THREADS)

    async def answer(self, request: Numbered) -> Answer:
        """The answer to one request; ``Refused`` for whatever goes wrong with it."""
        try:
            return await self._answer(request)
        except Fault as fault:
            return Refused(request.id, fault.code, fault.text)
        except BatchClosedError:
            return Refused(request.id, "token_not_available", "The signer is shutting down")
        except Exception:  # noqa: BLE001 - a defect in one request must not end the others
            _LOG.exception("a request to the signer ended by a defect")
            return Refused(request.id, "internal_error", "The signer failed; its log tells more")

    async def _answer(self, request: Numbered) -> Answer:
        match request:
            case SignSeal():
                return await self._sign_seal(request)
            case SignTls():
                return await self._sign_tls(request)
            case SignDigests():
                return await self._sign_digests(request)
            case ListTokens():
                return await self._list_tokens(request)
            case NoteRegistered():
                return await self._note_registered(request)
            case Statistics():
                return Counted(request.id, self._signer.batch_sizes())
            case Login():
                token = _managed(self._token(request.token))
                await self._in_thread(lambda: token.login(request.pin, force=request.force))
            case Logout():
                await self._in_thread(_managed(self._token(request.token)).logout)
        await self._changed()
        return Done(request.id)

    async def _sign_seal(self, request: SignSeal) -> Answer:
        seal = _seal(request)
        key = self._sign_key(request.certificate)
        self._check_proof(key, request.ocsp)
        made = await self._signer.sign(SigningContext(key, request.ocsp), seal)
        return Signed(request.id, made.signature, made.chain_result, made.chain)

    async def _sign_tls(self, request: SignTls) -> Answer:
        auth = self._auth_key(request.certificate)
        said = (request.kind, request.digest, request.octets)
        slow = isinstance(auth.private, KeyOnToken)
        threads = self._token_threads if slow else self._tls_threads
        signature = await trio.to_thread.run_sync(sign_for_tls, auth, *said, limiter=threads)
        return Octets(request.id, signature)

    async def _sign_digests(self, request: SignDigests) -> Answer:
        token = self._token(request.token)
        if len(request.jobs) > _MOST_DIGESTS:
            raise Fault("cannot_sign", f"At most {_MOST_DIGESTS} digests are signed at a time")
        jobs = [_job(*job) for job in request.jobs]
        results = await self._in_thread(lambda: token.sign(jobs))
        told = tuple((r.code, r.text) if isinstance(r, Fault) else r for r in results)
        return Signatures(request.id, told)

    async def _list_tokens(self, request: ListTokens) -> Answer:
        def look() -> tuple[ListedToken, ...]:
            return tuple(
                ListedToken(token.id, _managed(token).state()) for token in self._tokens.all()
            )

        listed = await self._in_thread(look)
        return TokenStates(request.id, listed, tuple(self._tokens.troubles()))

    async def _note_registered(self, request: NoteRegistered) -> Answer:
        """What a client says makes a certificate usable, and no more: clients ask at each use."""
        hashes = frozenset(request.hashes)

        def listed(certificate: Certificate) -> bool:
            return certificate.sha256 in hashes or bytes.fromhex(certificate.sha1) in hashes

        try:
            return Noted(request.id, await self._in_thread(lambda: self._note(listed)))
        except OSError as error:
            text = f"The registry cannot be written: {error.strerror}"
            raise Fault("token_not_available", text) from None

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await trio.to_thread.run_sync(work, limiter=self._token_threads)

    def _token(self, token_id: str) -> SigningToken:
        found = self._tokens.find(token_id)
        if found is None:
            raise Fault("token_not_found", f"Token '{token_id}' not found")
        return found

    def _sign_key(self, sha256: bytes) -> SignKey:
        for key in self.ring.value.signing:
            if key.certificate.sha256 == sha256:
                return key
        raise _unknown(sha256.hex())

    def _auth_key(self, sha256: str) -> AuthKey:
        for key in self.ring.value.authentication:
            if key.certificate.sha256.hex() == sha256:
                return key
        raise _unknown(sha256)

    def _check_proof(self, key: SignKey, ocsp: bytes) -> None:
        """A response that cannot be read, or is another certificate's, would spoil a whole batch.

        Whether it is genuine was the client's to judge, by a configuration that is not known here.
        """
        certificate = key.certificate
        if self._proofs.get(certificate.sha256) == ocsp:
            return
        response = OcspResponse.load(ocsp)
        if not response.cert_id.endswith(write_integer(certificate.serial)):
            raise Fault("incorrect_validation_info", "The OCSP response is another certificate's")
        self._proofs[certificate.sha256] = ocsp


def public_ring(ring: Keyring) -> PublicRing:
    """What clients see of a ring."""
    signing = (
        PublicSignKey(
            k.member.short, k.certificate.der, k.token.id, k.key.id, k.key.label, k.key.kind
        )
        for k in ring.signing
    )
    authentication = (PublicAuthKey(k.certificate.der) for k in ring.authentication)
    return PublicRing(tuple(signing), tuple(authentication))


def _managed(token: SigningToken) -> ManagedToken:
    if not isinstance(token, ManagedToken):
        raise Fault("token_readonly", f"Token '{token.id}' is managed where it comes from")
    return token


def _seal(request: SignSeal) -> Seal:
    for number, (name, digest) in enumerate(request.parts):
        if name != (attachment_name(number) if number else MESSAGE) or len(digest) != SHA512.size:
            raise Fault("internal_error", f"'{name}' is no part of a message at this place")
    if not request.parts:
        raise Fault("internal_error", "A message without parts cannot be signed")
    return Seal(tuple(Part(*part) for part in request.parts))


def _job(key_id: str, uri: str, digest: bytes) -> SignJob:
    algorithm = find_signature(uri)
    if algorithm is None:
        raise Fault("unsupported_sign_algorithm", f"There is no signature algorithm '{uri}'")
    return SignJob(key_id, algorithm, digest)


def _unknown(sha256: str) -> Fault:
    return Fault("cert_not_found", f"No usable key has the certificate with SHA-256 {sha256}")
