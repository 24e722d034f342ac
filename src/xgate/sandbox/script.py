"""The provider's server played by a script: what it answers can be changed in any way.

The rule: keys, TLS, signatures and answers are real and right; whoever writes the script says what
is to be wrong, before the signature or after it.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

import trio

from xgate.clock import SystemClock
from xgate.errors import Fault
from xgate.net.server import Exchange
from xgate.sandbox.peer import BOUNDARY, Peer, Piece, evidence_pieces, write_pieces
from xgate.sandbox.places import Country
from xgate.testing.pki import Credential
from xgate.trust.seal import seal_of
from xgate.wire.attachments import SOAP_TYPE
from xgate.wire.rest import read_rest_request, request_hash, write_rest_response
from xgate.wire.soap import read_soap, with_request_hash
from xgate.wire.transport import (
    REST_BODY,
    REST_RESPONSE,
    Head,
    MessageReader,
    PartData,
    read_request_head,
    write_response_head,
)

__all__ = ["Headers", "Script", "stand_in"]

Headers = list[tuple[str, str]]
"""Of HTTP."""


class Script:
    """The provider's server: right in all it says, but for what is changed here.

    :ivar headers: changes those of an answer. :ivar pieces: changes its parts, once it is signed.
    :ivar response: changes the octets of its message, before it is signed.
    :ivar body: of a REST answer. :ivar act: does all of it instead. :ivar last: the last answer's
        parts as they were signed.
    """

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.headers: Callable[[Headers], Headers] = lambda same: same
        self.pieces: Callable[[list[Piece]], list[Piece]] = lambda same: same
        self.response: Callable[[bytes], bytes] = lambda same: same
        self.body: bytes | None = b"{}"
        self.act: Callable[[Exchange], Awaitable[None]] | None = None
        self.last: list[Piece] = []

    async def serve(self, exchange: Exchange) -> None:
        """Answer one request (``net.server.Handler``)."""
        if self.act is not None:
            await self.act(exchange)
            return
        head = read_request_head(exchange.method, exchange.headers)
        reader = MessageReader(head.boundary, sender="client", protocol=head.protocol)
        octets, content = b"", b""
        while data := await exchange.receive():
            for event in reader.feed(data):
                if isinstance(event, Head):
                    octets = event.octets
                elif isinstance(event, PartData):
                    content += bytes(event.data)
        reader.finish()
        pieces = self._rest(octets, content) if head.protocol == "REST" else self._soap(octets)
        self.last = pieces
        headers = write_response_head(
            head.protocol, boundary=BOUNDARY, original_content_type=SOAP_TYPE
        )
        await exchange.respond(200, self.headers(headers), write_pieces(self.pieces(pieces)))

    def _rest(self, octets: bytes, content: bytes) -> list[Piece]:
        request = read_rest_request(octets)
        digests = [part.digest for part in seal_of(octets, [content] if content else []).parts]
        hashed = request_hash(digests[0], digests[1] if content else None)
        answer = self.response(write_rest_response(request, 200, "OK", (), hashed).octets)
        bodies = [] if self.body is None else [self.body]
        (evidence,) = self.peer.evidence(seal_of(answer, bodies))
        parts = [Piece(REST_BODY, body) for body in bodies]
        return [Piece(REST_RESPONSE, answer), *parts, *evidence_pieces(evidence)]

    def _soap(self, octets: bytes) -> list[Piece]:
        answer = read_soap(re.sub(rb"(</?p:\w+)", rb"\1Response", octets), SOAP_TYPE)
        if isinstance(answer, Fault):
            raise answer
        digest = seal_of(octets).parts[0].digest
        changed = self.response(with_request_hash(answer, digest).octets)
        (evidence,) = self.peer.evidence(seal_of(changed))
        return [Piece(SOAP_TYPE, changed), *evidence_pieces(evidence)]


@asynccontextmanager
async def stand_in(
    country: Country,
    *,
    auth: Credential | None = None,
    sign: Credential | None = None,
    ocsp: bytes | None = None,
) -> AsyncIterator[Script]:
    """Play the provider's server, whose ports must be free, for the time of the block.

    :param auth: shown in TLS instead. :param sign: signs instead. :param ocsp: what its OCSP port
        says instead.
    """
    script = Script(Peer(country, country.provider, SystemClock(), auth=auth, sign=sign))
    async with trio.open_nursery() as nursery:
        await nursery.start(partial(script.peer.serve, script.serve, ocsp=ocsp))
        yield script
        nursery.cancel_scope.cancel()
