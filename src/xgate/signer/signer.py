"""Signs seals, merging what waits for the same key into one signature.

The rule: while a key signs, seals gather; the next call takes them all, or one where the key's
token is set to merge nothing. One seal of one part is signed directly; anything else through a hash
chain, whose result is signed once for all (signature 5, hashchain 3). The signature covers digests
only: it never sees a message.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec
import trio
from cryptography.hazmat.primitives.asymmetric import ec

from xgate.algorithms import SHA512, SIGNATURES, ecdsa_raw, signature_uri
from xgate.batch import Batcher
from xgate.clock import Clock
from xgate.errors import Fault
from xgate.signer.keyring import SignKey
from xgate.signer.token import SignJob
from xgate.trust.certificate import Certificate
from xgate.trust.hashchain import build_chain
from xgate.trust.seal import Seal
from xgate.trust.verify import Evidence
from xgate.trust.xades import draft_signature

__all__ = ["Signer", "SigningContext", "sign_seals"]

_CAP = 32  # natural batches of 8 to 32 are best; far larger ones cost more than they save


class SigningContext(msgspec.Struct, frozen=True):
    """What a signature needs besides a seal: a key, and proof that its certificate is good."""

    key: SignKey
    ocsp: bytes


class Signer:
    """Signs for every key of the server; ``run`` it in a nursery for as long as it is used."""

    def __init__(self, clock: Clock, cap: int = _CAP) -> None:
        """:param cap: how many messages one signature may cover at most."""
        self._clock = clock
        self._cap = cap
        self._nursery: trio.Nursery | None = None
        self._batchers: dict[tuple[str, int], Batcher[tuple[SigningContext, Seal], Evidence]] = {}

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve ``sign`` until cancelled."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            task_status.started()
            await trio.sleep_forever()

    async def sign(self, context: SigningContext, seal: Seal) -> Evidence:
        """The evidence for ``seal`` by this key.

        :raises Fault: ``cannot_create_signature.internal_error``.
        """
        return await self._batcher(context.key).submit((context, seal))

    def batch_sizes(self) -> dict[int, int]:
        """How many signatures covered how many messages: size to count."""
        sizes: dict[int, int] = {}
        for batcher in self._batchers.values():
            for size, count in batcher.sizes.items():
                sizes[size] = sizes.get(size, 0) + count
        return sizes

    def _batcher(self, key: SignKey) -> Batcher[tuple[SigningContext, Seal], Evidence]:
        """The batcher of one certificate; started by whoever comes first, but not in his scope."""
        cap = self._cap if key.merges else 1
        name = key.certificate.sha1, cap
        found = self._batchers.get(name)
        if found is None:
            if self._nursery is None:
                raise RuntimeError("the signer is not running")
            found = self._batchers[name] = Batcher(self._work, cap=cap, in_thread=True)
            self._nursery.start_soon(found.run)
        return found

    def _work(self, waiting: list[tuple[SigningContext, Seal]]) -> Sequence[Evidence | Exception]:
        context = waiting[0][0]
        return sign_seals(context, [seal for _, seal in waiting], self._clock.now())


def sign_seals(context: SigningContext, seals: Sequence[Seal], now: datetime) -> list[Evidence]:
    """One signature over all ``seals``, and each one's own evidence.

    :raises Fault: ``cannot_create_signature.internal_error``.
    """
    if len(seals) == 1 and len(seals[0].parts) == 1:
        part = seals[0].parts[0]
        return [Evidence(_sign(context, part.name, part.digest, now))]
    chained = build_chain(seals)
    signature = _sign(context, "/sig-hashchainresult.xml", SHA512.of(chained.result), now)
    return [Evidence(signature, chained.result, chain) for chain in chained.chains]


def _sign(context: SigningContext, reference: str, digest: bytes, now: datetime) -> bytes:
    """Whatever goes wrong here has one code; the signer's own is in the text (soap-protocol 8)."""
    try:
        return _signed(context, reference, digest, now)
    except Fault as fault:
        text = f"signer.{fault}"
        raise Fault("cannot_create_signature.internal_error", text) from fault


def _signed(context: SigningContext, reference: str, digest: bytes, now: datetime) -> bytes:
    certificate, key = context.key.certificate, context.key.key
    uri = signature_uri(key.kind, SHA512)
    draft = draft_signature(
        certificate=certificate,
        algorithm=uri,
        reference=reference,
        digest=digest,
        signing_time=now,
        ocsp=[context.ocsp],
    )
    algorithm = SIGNATURES[uri]
    job = SignJob(key.id, algorithm, algorithm.digest.of(draft.to_be_signed))
    (value,) = context.key.token.sign([job])
    if isinstance(value, Fault):
        raise value
    return draft.finish(_raw(value, certificate) if algorithm.kind == "ecdsa" else value)


def _raw(value: bytes, certificate: Certificate) -> bytes:
    key = certificate.public_key
    assert isinstance(key, ec.EllipticCurvePublicKey)  # draft_signature has refused others
    try:
        return ecdsa_raw(value, key.key_size)
    except (ValueError, OverflowError):
        raise Fault("cannot_sign", "the token gave no ECDSA signature of its key") from None
