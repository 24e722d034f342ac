"""Prove a message that was received, or one that a container holds, with its time.

The rule: one straight line of checks in the reference's order, each with its code. What must hold
for a proof and the reference leaves out (every part is covered) is checked as soon as what it
stands on is proven. Sources: signature 6.1, 6.2 and 7; asic 5.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec

from xgate.algorithms import SHA512, Digest
from xgate.errors import Fault, faults_under
from xgate.ids import ClientId
from xgate.trust.anchors import Trust
from xgate.trust.asic import Container, read_container
from xgate.trust.hashchain import check_leaf, verify_chain
from xgate.trust.message_signer import Parties, parties_of
from xgate.trust.proof import ContainerProof, Evidence, Proven, ProvenPart
from xgate.trust.seal import MESSAGE, Seal, attachment_name
from xgate.trust.signature_proof import prove_signature
from xgate.trust.timestamp import Timestamp, verify_timestamp
from xgate.trust.trail import Trail
from xgate.trust.xades_read import CHAIN_RESULT, SignatureDocument, read_signature

__all__ = [
    "ContainerProof",
    "Evidence",
    "Proven",
    "ProvenPart",
    "verify_contained",
    "verify_container",
    "verify_message",
]

_CHAIN = "/sig-hashchain.xml"
_SIGNATURES = "/META-INF/signatures.xml"


def verify_message(
    trust: Trust,
    evidence: Evidence,
    seal: Seal,
    signer: ClientId,
    at: datetime,
    *,
    message: bytes | None = None,
    weak_digests: bool = False,
) -> Proven:
    """Prove that ``signer``'s member signed the message whose parts ``seal`` holds.

    :param signer: the message's client for a request, the service's client for an answer.
    :param at: the time of judgement, aware.
    :param message: the octets of ``/message.xml``; only needed for peers whose signatures use
        another digest than SHA-512.
    :param weak_digests: take SHA-1 in the signature and its references.
    :raises Fault: by signature 6.1, without the prefix ``signature_verification``.
    """
    document = read_signature(evidence.signature)
    digests = {part.name: part.digest for part in seal.parts}
    chained = document.refers_to(CHAIN_RESULT) and evidence.chain_result is not None
    if chained:
        chains = {_CHAIN: evidence.chain}
        inputs = {name: (SHA512, digest) for name, digest in digests.items()}
        with faults_under("malformed_signature"):
            check_leaf(verify_chain(evidence.chain_result or b"", chains.get, inputs), [*digests])

    def digest_of(uri: str, digest: Digest) -> bytes | None:
        octets = {CHAIN_RESULT: evidence.chain_result, MESSAGE: message}.get(uri)
        if digest == SHA512 and uri in digests:
            return digests[uri]
        return None if octets is None else digest.of(octets)

    proven = prove_signature(trust, document, digest_of, signer, at, weak_digests)
    if chained:
        return msgspec.structs.replace(proven, merged=True)
    _check_all_covered(document, digests)
    return proven


def verify_container(
    trust: Trust, data: bytes, *, weak_digests: bool = True, trail: Trail | None = None
) -> ContainerProof:
    """Prove what a container holds, as of the time of its time-stamp.

    :param weak_digests: as in ``verify_message``; containers may be as old as X-Road.
    :param trail: is told of each step; the last one is that which does not hold.
    :raises Fault: by asic 5.
    """
    trail = trail or Trail()
    with trail.step("container"):
        container = read_container(data)
    digests = {name: SHA512.of(octets) for name, octets in container.attachments}
    return verify_contained(trust, container, digests, weak_digests=weak_digests, trail=trail)


def verify_contained(
    trust: Trust,
    container: Container,
    digests: Mapping[str, bytes],
    *,
    weak_digests: bool = True,
    trail: Trail | None = None,
) -> ContainerProof:
    """The same of a container whose attachments need not be at hand.

    :param digests: the SHA-512 of each by its name; those in ``container`` are not looked at.
    :raises Fault: as ``verify_container``.
    """
    trail = trail or Trail()
    with trail.step("signer") as say:
        parties = parties_of(container.message)
        say(str(parties.signer))
        document = read_signature(container.signature)
        if not document.refers_to(MESSAGE) and not document.refers_to(CHAIN_RESULT):
            cause = "The signature refers to no message and no hash chain"
            raise Fault("malformed_signature", cause)
    timestamp = _verify_timestamp(trust, container, document, parties, trail)
    chained = document.refers_to(CHAIN_RESULT) and container.chain_result is not None
    signed = _check_chain(container, trail) if chained else _direct(document)
    digests = {f"/{name}": digest for name, digest in digests.items()}

    def digest_of(uri: str, digest: Digest) -> bytes | None:
        if digest == SHA512 and uri in digests:
            return digests[uri]
        octets = container.find(uri)
        return None if octets is None else digest.of(octets)

    at = timestamp.gen_time
    proven = prove_signature(trust, document, digest_of, parties.signer, at, weak_digests, trail)
    message = ProvenPart(MESSAGE, SHA512.of(container.message), verified=True)
    attachments = [
        ProvenPart(name, digest, verified=signed.get(name) == digest)
        for name, digest in digests.items()
    ]
    return ContainerProof(
        proven=proven,
        kind="batch" if chained else "plain",
        timestamp=timestamp,
        timestamp_kind="plain" if container.timestamp_chain_result is None else "batch",
        parts=(message, *attachments),
        missing=tuple(name for name in signed if name not in digests),
    )


def _check_all_covered(document: SignatureDocument, digests: Mapping[str, bytes]) -> None:
    for name in digests:
        if not document.refers_to(name):
            raise Fault("malformed_signature", f"The signature does not cover '{name}'")


def _verify_timestamp(
    trust: Trust,
    container: Container,
    document: SignatureDocument,
    parties: Parties,
    trail: Trail,
) -> Timestamp:
    """By a service of either end's instance: each end has its own copy stamped (federation 5)."""
    stamped = document.value
    if container.timestamp_chain_result is not None:
        stamped = container.timestamp_chain_result
        with trail.step("time-stamp chain"):
            _check_stamped(stamped, container)
    with trail.step("time-stamp") as say:
        timestamp = verify_timestamp(container.token, stamped, trust, parties.instances)
        say(timestamp.gen_time)
        say(timestamp.certificate)
    return timestamp


def _check_stamped(result: bytes, container: Container) -> None:
    try:
        check_leaf(verify_chain(result, container.find, {_SIGNATURES: None}), [_SIGNATURES])
    except Fault as fault:
        raise Fault("malformed_signature", f"Time-stamp: {fault.text}") from fault


def _direct(document: SignatureDocument) -> dict[str, bytes | None]:
    """What the signature itself says of attachments."""
    return {r.uri: r.value for r in document.references if r.uri not in (MESSAGE, CHAIN_RESULT)}


def _check_chain(container: Container, trail: Trail) -> dict[str, bytes | None]:
    """Check the signature's hash chain; what it says of attachments.

    A container may be without them, so the chain's own word counts: the SHA-512 that it has for a
    name, or None for another digest, which says nothing about what is here.
    """
    there = {_CHAIN: container.chain, MESSAGE: container.message}
    with trail.step("hash chain"), faults_under("malformed_signature"):
        leaves = verify_chain(
            container.chain_result or b"", there.get, {MESSAGE: None}, absent_ok=True
        )
        attached = [value for leaf in leaves for value in leaf if value.kind == "DataRef"][1:]
        names = [attachment_name(number) for number in range(1, len(attached) + 1)]
        check_leaf(leaves, [MESSAGE, *names])
    return {value.uri: value.digest if value.method == SHA512 else None for value in attached}
