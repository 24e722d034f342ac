"""One logged message: what is kept so that the exchange can be proven later.

The rule: octets, never text: what was signed is what is stored (messagelog trap 6). Four records
per exchange, two per server; the owner is our side's client (messagelog 1).
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Protocol

import msgspec

from xgate.ids import ClientId
from xgate.trust.verify import Evidence

__all__ = [
    "Body",
    "LoggedRecord",
    "Outline",
    "Record",
    "Stamp",
    "new_key",
    "outline_of",
    "pieces_of",
    "whole",
]

_RANDOM_OCTETS = 10
_PIECE = 1 << 16


class Body(Protocol):
    """A body too large to be held: read in pieces, from any thread, as often as wanted."""

    def __len__(self) -> int:
        """How many octets it has."""

    def pieces(self, size: int) -> Iterator[bytes]:
        """All of them, from the first, in pieces of at most ``size``. :raises OSError: no more."""


class Record(msgspec.Struct, frozen=True):
    """A message to be logged.

    :param owner: the consumer's client on its server, the service's client on the provider's.
    :param query_id: SOAP ``id`` or ``X-Road-Id``, at most 255 characters.
    :param request_id: ``x-road-request-id`` of the exchange.
    :param message: the octets signed as ``/message.xml``.
    :param attachments: the octets signed as ``/attachment1``...; None where only a digest is kept.
        What comes out of a store is octets; what goes in may be a ``Body``.
    :param client: who called; None in a log that did not ask yet.
    :param service: what was called, ``ServiceId.short``.
    :param complete: False: by the settings, less is kept than was signed (no body, or a cut one),
        so a container made from this record does not verify, by design.
    :param key_id: the key under which message and attachments are encrypted at rest; "" for none.
    :param key: names this record before it has a number (``new_key``); "" for none. A store keeps
        one record for a key, however often it is given.
    """

    time: datetime
    owner: ClientId
    query_id: str
    request_id: str
    response: bool
    message: bytes
    attachments: tuple[bytes | Body | None, ...]
    evidence: Evidence
    client: ClientId | None = None
    service: str = ""
    complete: bool = True
    key_id: str = ""
    key: bytes = b""


class Stamp(msgspec.Struct, frozen=True):
    """A timestamp over a record: the token, and for a batch its chain and result.

    A single timestamp stands inside the record's own signature document, and here as well.
    """

    token: bytes
    chain_result: bytes | None = None
    chain: bytes | None = None


class LoggedRecord(msgspec.Struct, frozen=True):
    """A record as the store gives it back, with its number and its timestamp, if it has one."""

    id: int
    record: Record
    stamp: Stamp | None


class Outline(msgspec.Struct, frozen=True):
    """A logged record without its octets: all that a log knows of it in little memory.

    :param message_octets: how many the message has.
    :param attachment_octets: how many each attachment has; None where only a digest is kept.

    The rest is as in ``Record`` and ``LoggedRecord``.
    """

    id: int
    time: datetime
    owner: ClientId
    query_id: str
    request_id: str
    response: bool
    message_octets: int
    attachment_octets: tuple[int | None, ...]
    evidence: Evidence
    client: ClientId | None
    service: str
    complete: bool
    key_id: str
    key: bytes
    stamp: Stamp | None

    @property
    def octets(self) -> int:
        """Of the message and of the attachments that were kept."""
        return self.message_octets + sum(count or 0 for count in self.attachment_octets)


def outline_of(logged: LoggedRecord) -> Outline:
    """The outline of a record that is at hand."""
    record = logged.record
    return Outline(
        id=logged.id,
        time=record.time,
        owner=record.owner,
        query_id=record.query_id,
        request_id=record.request_id,
        response=record.response,
        message_octets=len(record.message),
        attachment_octets=tuple(None if one is None else len(one) for one in record.attachments),
        evidence=record.evidence,
        client=record.client,
        service=record.service,
        complete=record.complete,
        key_id=record.key_id,
        key=record.key,
        stamp=logged.stamp,
    )


def whole(part: bytes | Body) -> bytes:
    """A part in memory. :raises OSError: it cannot be read."""
    return part if isinstance(part, bytes) else b"".join(pieces_of(part, _PIECE))


def pieces_of(part: bytes | Body, size: int) -> Iterator[bytes]:
    """A part in pieces of at most ``size`` octets.

    :raises OSError: it cannot be read, or has not as many octets as it says.
    """
    if isinstance(part, bytes):
        yield from (part[place : place + size] for place in range(0, len(part), size))
        return
    left = len(part)
    for piece in part.pieces(size):
        left -= len(piece)
        if left < 0:
            break
        yield piece
    if left:
        raise OSError(f"a body has not the {len(part)} octets that it should have")


def new_key() -> bytes:
    """A key that no record ever had: 16 octets.

    The time stands in front so that keys made together lie together in an index.
    """
    milliseconds = time.time_ns() // 1_000_000
    return milliseconds.to_bytes(6, "big") + secrets.token_bytes(_RANDOM_OCTETS)
