"""One logged message: what is kept so that the exchange can be proven later.

The rule: octets, never text: what was signed is what is stored (messagelog trap 6). Four records
per exchange, two per server; the owner is our side's client (messagelog 1).
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from xgate.ids import ClientId
from xgate.trust.verify import Evidence

__all__ = ["LoggedRecord", "Record", "Stamp"]


class Record(msgspec.Struct, frozen=True):
    """A message to be logged.

    :param owner: the consumer's client on its server, the service's client on the provider's.
    :param query_id: SOAP ``id`` or ``X-Road-Id``, at most 255 characters.
    :param request_id: ``x-road-request-id`` of the exchange.
    :param message: the octets signed as ``/message.xml``.
    :param attachments: the octets signed as ``/attachment1``...; None where only a digest is kept.
    """

    time: datetime
    owner: ClientId
    query_id: str
    request_id: str
    response: bool
    message: bytes
    attachments: tuple[bytes | None, ...]
    evidence: Evidence


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
