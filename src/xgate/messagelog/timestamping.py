"""Timestamps for logged records: one token for many signatures, or one each.

The rule: two or more records share a token through a hash chain whose leaves are the digests of
their signature documents, in order of their numbers; a lone record gets a token over its
SignatureValue, inside its signature document (signature 7, messagelog 3). A lone document that has
no place for a token, as a peer's may be, takes part in a chain with itself: what others send must
not be able to stop the stamping. What a service answers is verified before it is stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TypeVar

import msgspec

from xgate.algorithms import SHA512
from xgate.errors import Fault
from xgate.messagelog.record import Stamp
from xgate.messagelog.store import LogStore, Waiting
from xgate.trust.anchors import Trust
from xgate.trust.hashchain import build_chain
from xgate.trust.seal import Part, Seal
from xgate.trust.timestamp import (
    read_timestamp_response,
    verify_timestamp,
    with_tsa_certificate,
    write_timestamp_request,
)
from xgate.trust.xades import read_signature, with_timestamp

__all__ = ["Finished", "Order", "finished", "fulfil", "prove_token", "write_order"]

T = TypeVar("T")

Finished = tuple[Mapping[int, Stamp], Mapping[int, bytes]]
"""Stamps with their token, and the documents that changed with it, by number."""

_LEAF = "/META-INF/signatures.xml"


class Order(msgspec.Struct, frozen=True):
    """What one request to a timestamping service is for.

    :param request: the DER TimeStampReq.
    :param stamped: the octets that the token must cover.
    :param stamps: for each record, the stamp it will get, still without its token.
    :param documents: for a lone record, its signature document.
    """

    request: bytes
    stamped: bytes
    stamps: Mapping[int, Stamp]
    documents: Mapping[int, bytes]


def write_order(waiting: Sequence[Waiting], store: LogStore) -> Order:
    """The request that covers these records, at least one.

    :param store: knows the signature document of a lone record.
    :raises Fault: as ``LogStore.outlines``.
    """
    if len(waiting) > 1:
        return _chained(waiting)
    ((number, digest),) = waiting
    for outline in store.outlines(number=number):
        document = outline.evidence.signature
        if SHA512.of(document) == digest and _has_place(document):
            value = read_signature(document).value
            return _order(value, {number: Stamp(b"")}, {number: document})
    return _chained([*waiting, *waiting])


def prove_token(order: Order, answer: bytes, trust: Trust) -> bytes:
    """The token in a service's answer, proven and in the form that is stored.

    :raises Fault: the codes of messagelog 3.2.
    """
    token = read_timestamp_response(answer, SHA512.of(order.stamped), SHA512)
    proven = verify_timestamp(token, order.stamped, trust, ())
    return with_tsa_certificate(token, proven.certificate)


def finished(order: Order, token: bytes, size: int) -> Iterator[Finished]:
    """What ``LogStore.stamp`` takes, for at most ``size`` records at a time.

    Each slice stands for itself: records of one that was not kept wait for another token.
    """
    for part in _batched(order.stamps.items(), size):
        yield (
            {n: Stamp(token, stamp.chain_result, stamp.chain) for n, stamp in part},
            {n: with_timestamp(order.documents[n], token) for n, _ in part if n in order.documents},
        )


def fulfil(order: Order, answer: bytes, trust: Trust, store: LogStore) -> None:
    """Verify a service's answer and store the finished stamps, all or none.

    :raises Fault: as ``prove_token``; then nothing was kept. As ``LogStore.stamp``.
    """
    for stamps, documents in finished(order, prove_token(order, answer, trust), len(order.stamps)):
        store.stamp(stamps, documents)


def _chained(waiting: Sequence[Waiting]) -> Order:
    chained = build_chain([Seal((Part(_LEAF, digest),)) for _, digest in waiting], prefix="ts")
    stamps = {
        number: Stamp(b"", chained.result, chain)
        for (number, _), chain in zip(waiting, chained.chains, strict=True)
    }
    return _order(chained.result, stamps, {})


def _order(stamped: bytes, stamps: Mapping[int, Stamp], documents: Mapping[int, bytes]) -> Order:
    return Order(write_timestamp_request(SHA512.of(stamped)), stamped, stamps, documents)


def _has_place(document: bytes) -> bool:
    try:
        with_timestamp(document, b"token")
    except Fault:
        return False
    return True


def _batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    rest = iter(items)
    while part := list(islice(rest, size)):
        yield part
