"""A security server that says what it is told: real keys and real TLS, messages of any shape.

The rule: what it makes is correct; the caller may change the pieces of a message, and what was
signed, before it goes out. By it a test is a peer that is hostile, broken or merely different.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from functools import partial

import msgspec
import trio

from xgate.clock import Clock
from xgate.errors import Fault
from xgate.net.client import ClientConnection, ResponseHead, connect
from xgate.net.context import TlsIdentity, peer_client_context, peer_server_context
from xgate.net.listen import listen_on, serve_listeners
from xgate.net.server import Exchange, ServerLimits, serve_connection
from xgate.net.stream import SocketStream
from xgate.net.tls import accept_tls
from xgate.sandbox.places import Country, Place
from xgate.signer.keyring import SignKey
from xgate.signer.signer import SigningContext, sign_seals
from xgate.signer.software import SoftwareToken
from xgate.testing.pki import Credential
from xgate.testing.responders import GOOD, answer_ocsp
from xgate.trust.certificate import Certificate
from xgate.trust.ocsp import write_ocsp_request
from xgate.trust.seal import Seal
from xgate.trust.verify import Evidence
from xgate.wire.faults import read_soap_fault
from xgate.wire.fields import close_multipart, open_part
from xgate.wire.message import Protocol
from xgate.wire.transport import FaultHead, FaultPart, MessageReader, read_response_head
from xgate.wire.transport_parts import HASH_CHAIN, HASH_CHAIN_RESULT, OCSP_RESPONSE, SIGNATURE

__all__ = ["BOUNDARY", "Heard", "Peer", "Piece", "attached", "evidence_pieces", "write_pieces"]

BOUNDARY = "xtop" + "S" * 30
"""Of every message that is made here."""

_OCSP_ANSWER = f'multipart/related; type="{OCSP_RESPONSE}"; boundary={BOUNDARY}'
_INNER = "xatt" + "S" * 30


class Piece(msgspec.Struct, frozen=True):
    """One part of a message between security servers."""

    content_type: str
    octets: bytes
    headers: tuple[tuple[str, str], ...] = ()


class Heard(msgspec.Struct, frozen=True):
    """What a security server answered."""

    head: ResponseHead
    body: bytes

    def fault(self, protocol: Protocol) -> Fault | None:
        """The fault that is the answer, or a part of it."""
        read = read_response_head(
            self.head.status, self.head.reason, self.head.headers, protocol=protocol
        )
        if isinstance(read, FaultHead):
            return read_soap_fault(self.body)
        reader = MessageReader(read.boundary, sender="server", protocol=protocol)
        events = (*reader.feed(self.body), *reader.finish())
        return next((event.fault for event in events if isinstance(event, FaultPart)), None)


class Peer:
    """Speaks with the keys of ``place``, or with others."""

    def __init__(
        self,
        country: Country,
        place: Place,
        clock: Clock,
        *,
        auth: Credential | None = None,
        sign: Credential | None = None,
        beside: Sequence[Certificate] = (),
    ) -> None:
        """:param auth: shown in TLS instead. :param sign: signs instead.

        :param beside: shown in TLS below the certificate, as if it were issued by these.
        """
        self.country = country
        self.place = place
        self.auth = auth or place.auth
        self.sign = sign or place.sign
        self._beside = tuple(beside)
        self._clock = clock

    def ocsp(
        self,
        certificate: Certificate | None = None,
        *,
        status: str | datetime = GOOD,
        at: datetime | None = None,
    ) -> bytes:
        """The country's OCSP response for a certificate, by default the one shown in TLS."""
        ca = self.country.ca.certificate
        return answer_ocsp(
            write_ocsp_request(certificate or self.auth.certificate, ca),
            self.country.ocsp,
            ca,
            lambda _: status,
            at or self._clock.now(),
            certificates=(self.country.ocsp.certificate,),
        )

    def evidence(self, *seals: Seal, ocsp: bytes | None = None) -> list[Evidence]:
        """One signature over all the seals, and each one's evidence."""
        token = SoftwareToken({"SIGN": ("sign", self.sign.key)})
        certificate = self.sign.certificate
        key = SignKey(self.place.client.member, certificate, token.keys()[0], token)
        context = SigningContext(key, ocsp or self.ocsp(certificate))
        return sign_seals(context, seals, self._clock.now())

    def ocsp_piece(self) -> Piece:
        """The first part of a request."""
        return Piece(OCSP_RESPONSE, self.ocsp())

    async def connect(self, to: Place) -> ClientConnection:
        """A TLS connection to another server's port for servers. Errors as ``net.client``."""
        return await connect(
            to.address,
            self.country.ports.server,
            tls=peer_client_context(self._identity()),
            timeout=10.0,
        )

    async def ask(
        self, to: Place, headers: Sequence[tuple[str, str]], body: bytes, *, method: str = "POST"
    ) -> Heard:
        """Send one request as it stands and hear the whole answer. Errors as ``net.client``."""
        connection = await self.connect(to)
        connection.timeout = 20.0
        try:
            await connection.request(method, "/", headers, body)
            head = await connection.receive_head()
            octets = bytearray()
            while data := await connection.receive():
                octets += data
            return Heard(head, bytes(octets))
        finally:
            await connection.aclose()

    async def serve(
        self,
        handler: Callable[[Exchange], Awaitable[None]],
        *,
        ocsp: bytes | None = None,
        more_ocsp: Sequence[bytes] = (),
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Stand in for ``place``: its port for servers by ``handler``, and its OCSP responses.

        :param ocsp: what the latter say instead. :param more_ocsp: what they say about the
            certificates beside.
        """
        context = peer_server_context(self._identity(), lambda _: True)
        limits = ServerLimits()

        async def secure(stream: SocketStream) -> None:
            await serve_connection(await accept_tls(stream, context), handler, limits, self._clock)

        async def tell_ocsp(exchange: Exchange) -> None:
            said = (ocsp or self.ocsp(), *more_ocsp)
            body = write_pieces([Piece(OCSP_RESPONSE, response) for response in said])
            await exchange.respond(200, [("Content-Type", _OCSP_ANSWER)], body)

        async def plain(stream: SocketStream) -> None:
            await serve_connection(stream, tell_ocsp, limits, self._clock)

        ports = self.country.ports
        async with trio.open_nursery() as nursery:
            for port, serve in ((ports.server, secure), (ports.ocsp, plain)):
                listeners = await listen_on(self.place.address, port)
                await nursery.start(partial(serve_listeners, listeners, serve))
            task_status.started()

    def _identity(self) -> TlsIdentity:
        beside = (certificate.der for certificate in self._beside)
        return TlsIdentity(self.auth.key, (self.auth.certificate.der, *beside))


def write_pieces(pieces: Sequence[Piece]) -> bytes:
    """The body of a message: the pieces in whatever order."""
    opened = [
        open_part(BOUNDARY, piece.content_type, piece.headers, first=number == 0) + piece.octets
        for number, piece in enumerate(pieces)
    ]
    return b"".join((*opened, close_multipart(BOUNDARY)))


def attached(attachments: Sequence[Piece]) -> Piece:
    """SOAP attachments as the one part that holds them."""
    opened = [
        open_part(_INNER, piece.content_type, piece.headers, first=False) + piece.octets
        for piece in attachments
    ]
    octets = b"".join((*opened, close_multipart(_INNER)))
    return Piece(f"multipart/mixed; charset=UTF-8; boundary={_INNER}", octets)


def evidence_pieces(evidence: Evidence) -> list[Piece]:
    """The last parts of a message."""
    signature = Piece(SIGNATURE, evidence.signature)
    if evidence.chain_result is None or evidence.chain is None:
        return [signature]
    result = Piece(HASH_CHAIN_RESULT, evidence.chain_result)
    return [result, Piece(HASH_CHAIN, evidence.chain), signature]
