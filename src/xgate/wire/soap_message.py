"""A SOAP message as a value: its octets, and what its header says.

The rule: the octets are the message; the fields were read from them and never go back into them.
The octets hold what is between the parties (bodies, security tokens), so they show in no repr.
Source: soap-protocol 2.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import msgspec

from xgate.ids import ClientId, RepresentedParty, ServerId, ServiceId

__all__ = ["Place", "RequestHash", "SoapMessage"]


class RequestHash(msgspec.Struct, frozen=True):
    """The hash of the request that an answer carries, as written there."""

    algorithm_id: str | None
    value: str


class Place(msgspec.Struct, frozen=True):
    """Where an element stands in the octets, as the scanner tells it.

    :param start: of its ``<``.
    :param closed: of its ``</``; or the octet after its ``/>`` when it is written empty.
    """

    start: int
    closed: int


class SoapMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A request or an answer in SOAP, exactly as received, and its header fields.

    Absent fields are None; a field that is present and empty is ``""``, which is not the same.

    :param charset: Python's name of the charset that the content type gives (UTF-8 by default).
        The octets themselves are in the encoding that their XML declaration or BOM says.
    :param body_name: local name of the one element in the Body.
    :param rpc: the Envelope declares SOAP encoding.
    """

    protocol: ClassVar[Literal["SOAP"]] = "SOAP"

    octets: bytes
    content_type: str
    charset: str
    client: ClientId
    service: ServiceId
    id: str
    protocol_version: str
    body_name: str
    security_server: ServerId | None = None
    user_id: str | None = None
    issue: str | None = None
    represented_party: RepresentedParty | None = None
    request_hash: RequestHash | None = None
    rpc: bool = False
    id_place: Place
    request_hash_place: Place | None = None

    @property
    def response(self) -> bool:
        """Whether it calls itself an answer: the name in its Body ends with ``Response``."""
        return self.body_name.endswith("Response")

    def __repr__(self) -> str:
        kind = "response" if self.response else "request"
        return (
            f"<SOAP {kind} {self.id!r} of {len(self.octets)} octets: {self.client} {self.service}>"
        )

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("id", self.id), ("client", self.client), ("service", self.service)]
