"""A request to a security server as it should be, until somebody changes it.

The rule: it is made whole and signed with the peer's keys; its pieces are a list, and what is done
to them is the caller's affair.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from xgate.errors import Fault
from xgate.sandbox.peer import BOUNDARY, Peer, Piece, attached, evidence_pieces, write_pieces
from xgate.sandbox.places import CONSUMER
from xgate.trust.seal import seal_of
from xgate.wire.attachments import SOAP_TYPE
from xgate.wire.message import Protocol
from xgate.wire.rest_head import write_head
from xgate.wire.transport import REST_BODY, REST_REQUEST, write_request_head

__all__ = ["REQUEST_ID", "Draft", "rest_draft", "rest_head", "soap_draft"]

REQUEST_ID = "00000000-0000-0000-0000-000000000001"
"""Of every exchange that is drafted here."""


class Draft(msgspec.Struct):
    """A request that is about to be sent to the provider's server."""

    peer: Peer
    protocol: Protocol
    headers: list[tuple[str, str]]
    pieces: list[Piece]
    method: str = "POST"

    def place(self, kind: str) -> int:
        """Where the first piece of this type is."""
        return next(i for i, piece in enumerate(self.pieces) if piece.content_type == kind)

    def swap(self, kind: str, *instead: Piece) -> None:
        """Put pieces, or nothing, in the place of the first of this type."""
        at = self.place(kind)
        self.pieces[at : at + 1] = instead

    def header(self, name: str, value: str | None) -> None:
        """Set a header of HTTP, or leave it out."""
        self.headers = [(key, old) for key, old in self.headers if key.lower() != name.lower()]
        if value is not None:
            self.headers.append((name, value))

    async def send(self) -> Fault | None:
        """Send it; the fault that came back. Errors as ``Peer.ask``.

        :raises ValueError: the status was not 200, which it is for faults too (transport 7).
        """
        body = write_pieces(self.pieces)
        place = self.peer.country.provider
        heard = await self.peer.ask(place, self.headers, body, method=self.method)
        if heard.head.status != 200:
            raise ValueError(f"the status is {heard.head.status}")
        return heard.fault(self.protocol)


def soap_draft(peer: Peer, octets: bytes, attachments: Sequence[bytes] = ()) -> Draft:
    """A SOAP message, signed, whatever its octets are."""
    (evidence,) = peer.evidence(seal_of(octets, attachments))
    parts = [attached([Piece("text/plain", part) for part in attachments])] if attachments else []
    content_type = "multipart/related; boundary=b" if attachments else SOAP_TYPE
    headers = write_request_head(
        "SOAP",
        boundary=BOUNDARY,
        original_content_type=content_type,
        soap_action="",
        request_id=REQUEST_ID,
    )
    pieces = [peer.ocsp_piece(), Piece(SOAP_TYPE, octets), *parts, *evidence_pieces(evidence)]
    return Draft(peer, "SOAP", headers, pieces)


def rest_head(query: str, verb: str, path: str, *more: tuple[str, str]) -> bytes:
    """The head of a REST request of the consumer.

    :param query: its id. :param more: headers after X-Road-Client.
    """
    headers = (
        ("X-Road-Client", CONSUMER.url),
        *more,
        ("x-road-request-id", REQUEST_ID),
        ("x-road-id", query),
    )
    return write_head(verb, path, headers)


def rest_draft(peer: Peer, octets: bytes, body: bytes | None = None) -> Draft:
    """A REST message, signed, whatever the octets of its head are."""
    bodies = [] if body is None else [body]
    (evidence,) = peer.evidence(seal_of(octets, bodies))
    headers = write_request_head(
        "REST", boundary=BOUNDARY, original_content_type="", soap_action="", request_id=REQUEST_ID
    )
    parts = [Piece(REST_BODY, octets) for octets in bodies]
    pieces = [peer.ocsp_piece(), Piece(REST_REQUEST, octets), *parts, *evidence_pieces(evidence)]
    return Draft(peer, "REST", headers, pieces)
