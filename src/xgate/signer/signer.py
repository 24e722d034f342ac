"""Signs seals, merging what waits for the same key into one signature.

The rule: while a key signs, seals gather; the next call takes them all. One seal of one part is
signed directly; anything else through a hash chain, whose result is signed once for all
(signature 5, hashchain 3). The signature covers digests only: it never sees a message.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec
import trio

from xgate.algorithms import SHA512, SIGNATURES, ecdsa_raw, signature_uri
from xgate.batch import Batcher
from xgate.clock import Clock
from xgate.errors import Fault
from xgate.signer.keyring import SignKey
from xgate.signer.token import SignJob
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
        self._batchers: dict[str, Batcher[tuple[SigningContext, Seal], Evidence]] = {}

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
        batcher = self._batchers.get(context.key.certificate.sha1)
        if batcher is None:
            batcher = await self._start(context.key.certificate.sha1)
        return await batcher.submit((context, seal))

    def batch_sizes(self) -> dict[int, int]:
        """How many signatures covered how many messages: size to count."""
        sizes: dict[int, int] = {}
        for batcher in self._batchers.values():
            for size, count in batcher.sizes.items():
                sizes[size] = sizes.get(size, 0) + count
        return sizes

    async def _start(self, name: str) -> Batcher[tuple[SigningContext, Seal], Evidence]:
        if self._nursery is None:
            raise RuntimeError("the signer is not running")
        batcher = Batcher(self._work, cap=self._cap, in_thread=True)
        self._batchers[name] = batcher  # before the first await: a second caller must find it
        await self._nursery.start(batcher.run)
        return batcher

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
    sign_key = context.key
    uri = signature_uri(sign_key.key.kind, SHA512)
    draft = draft_signature(
        certificate=sign_key.certificate,
        algorithm=uri,
        reference=reference,
        digest=digest,
        signing_time=now,
        ocsp=[context.ocsp],
    )
    algorithm = SIGNATURES[uri]
    job = SignJob(sign_key.key.id, algorithm, algorithm.digest.of(draft.to_be_signed))
    (value,) = sign_key.token.sign([job])
    if isinstance(value, Fault):
        raise Fault("cannot_create_signature.internal_error", f"signer.{value}")
    if algorithm.kind == "ecdsa":
        value = ecdsa_raw(value, sign_key.certificate.public_key.key_size)  # type: ignore[union-attr]  # an ECDSA key
    return draft.finish(value)
