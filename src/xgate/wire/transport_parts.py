"""The parts of a message between security servers: their types, their order, their limits.

The rule: what may come next is a table of (stage, content type); a hash chain comes whole or not
at all; only a client proxy sends OCSP responses. Sources: transport 4.1, pipeline 6.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec

from xgate.errors import Fault
from xgate.wire.mime import MimeLimits
from xgate.wire.parts import Head, PartBegin, PartData, PartEnd, Protocol
from xgate.wire.xml import Bounds

__all__ = [
    "FAULT_TYPE",
    "HASH_CHAIN",
    "HASH_CHAIN_RESULT",
    "OCSP_RESPONSE",
    "ORDERS",
    "REST_BODY",
    "REST_REQUEST",
    "REST_RESPONSE",
    "SIGNATURE",
    "Chain",
    "ChainResult",
    "Event",
    "FaultPart",
    "Ocsp",
    "Order",
    "Sender",
    "Signature",
    "TransportLimits",
]

OCSP_RESPONSE = "application/ocsp-response"
REST_REQUEST = "application/x-road-rest-request"
REST_RESPONSE = "application/x-road-rest-response"
REST_BODY = "application/x-road-rest-body"
HASH_CHAIN_RESULT = "application/hash-chain-result"
HASH_CHAIN = "application/hash-chain"
SIGNATURE = "signature/bdoc-1.0/ts"
FAULT_TYPE = "text/xml; charset=UTF-8"

_MIB = 1024 * 1024

Sender = Literal["client", "server"]
"""Which proxy sent the message: the client proxy a request, the server proxy a response."""


class TransportLimits(msgspec.Struct, frozen=True):
    """What the parts of a message may cost, in octets or in number. Contents stream, unlimited.

    :param head: of a SOAP message. :param rest_head: of the head of a REST message.
    :param xml: of the form of a SOAP message, for whoever reads it, and of faults.
    :param claim: told of octets before they are kept; may raise to refuse them.
    """

    head: int = 10 * _MIB
    rest_head: int = 64 * 1024
    ocsp: int = 64 * 1024
    ocsp_count: int = 16
    chain_result: int = _MIB
    chain: int = 4 * _MIB
    signature: int = _MIB
    fault: int = _MIB
    attachments: int = 10_000
    mime: MimeLimits = MimeLimits()
    xml: Bounds = Bounds()
    claim: Callable[[int], None] | None = None


class Ocsp(msgspec.Struct, frozen=True):
    """An OCSP response for the sender's certificates; only its outer DER shell was looked at."""

    der: bytes


class ChainResult(msgspec.Struct, frozen=True):
    """The result of the hash chain; ``Chain`` follows."""

    octets: bytes


class Chain(msgspec.Struct, frozen=True):
    """The hash chain."""

    octets: bytes


class Signature(msgspec.Struct, frozen=True):
    """The signature document; nothing follows."""

    octets: bytes


class FaultPart(msgspec.Struct, frozen=True):
    """A fault in place of the message or of its signature; nothing follows.

    ``octets`` as received, ``fault`` what they say.
    """

    octets: bytes
    fault: Fault


Event = Ocsp | Head | PartBegin | PartData | PartEnd | ChainResult | Chain | Signature | FaultPart


Order = dict[tuple[str, str], tuple[str, str]]

# (stage, content type) -> (kind of part, stage after it). A hash chain comes whole or not at all.
_TAIL: Order = {
    ("content", HASH_CHAIN_RESULT): ("chain_result", "chain"),
    ("content", SIGNATURE): ("signature", "end"),
    ("content", "text/xml"): ("fault", "end"),
    ("evidence", HASH_CHAIN_RESULT): ("chain_result", "chain"),
    ("evidence", SIGNATURE): ("signature", "end"),
    ("evidence", "text/xml"): ("fault", "end"),
    ("chain", HASH_CHAIN): ("chain", "signature"),
    ("signature", SIGNATURE): ("signature", "end"),
    ("signature", "text/xml"): ("fault", "end"),
}
_SOAP: Order = {
    ("start", "text/xml"): ("head", "content"),
    ("start", "application/xop+xml"): ("head", "content"),
    ("content", "multipart/mixed"): ("attachments", "evidence"),
    **_TAIL,
}
_REST: Order = {("content", REST_BODY): ("body", "evidence"), **_TAIL}
_FROM_CLIENT: Order = {("start", OCSP_RESPONSE): ("ocsp", "start")}

ORDERS: dict[tuple[Sender, Protocol], Order] = {
    ("client", "SOAP"): {**_FROM_CLIENT, **_SOAP},
    ("server", "SOAP"): _SOAP,
    ("client", "REST"): {
        **_FROM_CLIENT,
        ("start", REST_REQUEST): ("head", "content"),
        **_REST,
    },
    ("server", "REST"): {
        ("start", REST_RESPONSE): ("head", "content"),
        ("start", "text/xml"): ("fault", "end"),
        **_REST,
    },
}
