"""Timestamps for logged records: one token for many signatures, or one each.

The rule: two or more records share a token through a hash chain whose leaves are the digests of
their signature documents, in order of their numbers; a lone record gets a token over its
SignatureValue, inside its signature document (signature 7, messagelog 3). What a service answers is
verified before it is stored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from xgate.algorithms import SHA512
from xgate.messagelog.record import Stamp
from xgate.messagelog.store import LogStore
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

__all__ = ["Order", "fulfil", "write_order"]

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


def write_order(records: Sequence[tuple[int, bytes]]) -> Order:
    """The request that covers these records (number and signature document), at least one."""
    if len(records) == 1:
        ((number, document),) = records
        value = read_signature(document).value
        request = write_timestamp_request(SHA512.of(value))
        return Order(request, value, {number: Stamp(b"")}, {number: document})
    seals = [Seal((Part(_LEAF, SHA512.of(document)),)) for _, document in records]
    chained = build_chain(seals, prefix="ts")
    stamps = {
        number: Stamp(b"", chained.result, chain)
        for (number, _), chain in zip(records, chained.chains, strict=True)
    }
    request = write_timestamp_request(SHA512.of(chained.result))
    return Order(request, chained.result, stamps, {})


def fulfil(order: Order, answer: bytes, trust: Trust, store: LogStore) -> None:
    """Verify a service's answer and store the finished stamps.

    :raises Fault: the codes of messagelog 3.2; then nothing was kept.
    """
    token = read_timestamp_response(answer, SHA512.of(order.stamped), SHA512)
    proven = verify_timestamp(token, order.stamped, trust)
    token = with_tsa_certificate(token, proven.certificate)
    store.stamp(
        {n: Stamp(token, s.chain_result, s.chain) for n, s in order.stamps.items()},
        {n: with_timestamp(document, token) for n, document in order.documents.items()},
    )
