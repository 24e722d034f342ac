"""The provider's corridor: a message from another security server to the service, and the answer
back.

The rule: one straight line in the order of pipeline 8; whatever cannot go on raises a Fault, and
``corridor`` turns it into words. Until ``Reply`` has begun, a fault is the whole answer; from then
on it is the last part of it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from datetime import datetime
from functools import partial

from msgspec.structs import replace

from xgate.errors import SERVICE_FAILED, Fault, faults_under
from xgate.ids import ClientId
from xgate.net.errors import NetError
from xgate.net.server import Exchange
from xgate.policy.access import check_access
from xgate.policy.admit import check_registered
from xgate.policy.world import World, address_of
from xgate.securityserver.aside import read_aside
from xgate.securityserver.gate import Visit
from xgate.securityserver.logged import log_message, spools_for_log
from xgate.securityserver.metaservices import answer_itself, find_metaservice
from xgate.securityserver.note import Note
from xgate.securityserver.receive import Received, receive_message
from xgate.securityserver.reply import Reply
from xgate.securityserver.send import Sent
from xgate.securityserver.server import SecurityServer
from xgate.securityserver.service_call import call_service
from xgate.securityserver.stamping import stamp_by
from xgate.signer.signer import SigningContext
from xgate.trust.certificate import Certificate
from xgate.trust.ocsp import OcspResponse
from xgate.trust.path import verify_auth_chain
from xgate.trust.verify import verify_message
from xgate.wire.attachments import BodyLimits
from xgate.wire.message import Answer, Request, check_path, endpoint
from xgate.wire.rest import read_rest_request
from xgate.wire.soap import SoapMessage, read_soap
from xgate.wire.transport import (
    MessageReader,
    TransportHead,
    TransportLimits,
    check_method,
    check_original_content_type,
    read_request_head,
)
from xgate.wire.xml import Bounds

__all__ = ["serve"]


async def serve(
    exchange: Exchange, server: SecurityServer, note: Note, reply: Reply, visit: Visit
) -> None:
    """Answer one request of another security server.

    :param visit: what memory is claimed by.
    :raises Fault: without the prefix ``server.serverproxy``.
    """
    world = server.world.value
    now = server.clock.now()
    chain = _note_servers(note, world, exchange.peer_chain)
    check_method(exchange.method)
    world.globalconf.check_valid(now)
    minimum = server.settings.peers.min_client_version or None
    head = read_request_head(exchange.method, exchange.headers, minimum_version=minimum)
    note.protocol, note.request_id = head.protocol, head.request_id
    limits = replace(server.transport_limits, claim=visit.claim)
    with ExitStack() as kept:
        received = Received(server.spools())
        kept.callback(received.close)
        note.request_sizes = received.sizes
        arrival = _Arrival(chain, server, world, head, received, note, now)
        await _receive(exchange, head, received, arrival, limits)
        request, context = arrival.request, arrival.context
        check_path(request)
        body_limits = replace(server.body_limits, claim=visit.claim)
        answer_by = _choose(world, request, note, body_limits)
        evidence = received.evidence
        with faults_under("signature_verification"):
            proven = verify_message(
                world.globalconf,
                evidence,
                received.seal,
                request.client,
                server.clock.now(),
                message=received.octets,
            )
        # Attachments of a merged signature are not logged: the hash chain has them (messagelog 1).
        parts = [] if proven.merged and head.protocol == "SOAP" else received.parts
        evidence = evidence.kept(proven)
        log = partial(
            log_message, server, request, owner=request.service.client, request_id=head.request_id
        )
        await log(request, parts, evidence, stamp_by=stamp_by(world.globalconf, proven.ocsp))
        owner = request.service.client
        sent = Sent(spools_for_log(server, owner) if head.protocol == "REST" else None)
        kept.callback(sent.close)
        note.response_sizes = sent.sizes
        note.sent()
        answer = note.answer = await answer_by(request, head, received, sent, reply, server)
        server.messagelog.check_can_log()
        signed = await server.signer.sign(context, sent.seal)
        until = stamp_by(world.globalconf, [OcspResponse.load(context.ocsp)])
        await log(answer, sent.parts, signed, stamp_by=until)
        await reply.finish(signed)


def _note_servers(note: Note, world: World, presented: Sequence[bytes]) -> list[Certificate]:
    """Write down both servers' addresses; the chain that the peer has presented."""
    note.service_address = address_of(world, world.serverconf.server)
    chain = [Certificate.load(der) for der in presented]
    if chain:
        note.client_address = address_of(world, world.globalconf.server_by_auth_hash(chain[0]))
    return chain


_Answering = Callable[
    [Request, TransportHead, Received, Sent, Reply, SecurityServer], Awaitable[Answer]
]


def _choose(world: World, request: Request, note: Note, limits: BodyLimits) -> _Answering:
    """Who answers: this server itself, or the service, if the client may call it.

    :raises Fault: as ``check_access``.
    """
    meta = find_metaservice(request)
    if meta is not None:
        return partial(answer_itself, meta, world)
    note.called = world.serverconf.find_service(request.service)
    service = check_access(world, request.client, request.service, endpoint(request))
    provider = world.serverconf.clients[request.service.client]
    return partial(call_service, service, provider.certificates, limits)


class _Arrival:
    """What is checked when the message part is there, before anything after it is read."""

    request: Request
    context: SigningContext

    def __init__(
        self,
        chain: Sequence[Certificate],
        server: SecurityServer,
        world: World,
        head: TransportHead,
        received: Received,
        note: Note,
        now: datetime,
    ) -> None:
        self._chain = chain
        self._server = server
        self._world = world
        self._head = head
        self._received = received
        self._note = note
        self._now = now

    async def __call__(self) -> None:
        """Read the message and judge who sent it, for whom.

        :raises Fault: under ``service_failed``; ``missing_soap`` for a fault in its place.
        """
        with faults_under(SERVICE_FAILED):
            bounds = self._server.transport_limits.xml
            found = await _read_request(self._head, self._received, bounds)
        if isinstance(found, Fault):
            raise Fault("missing_soap", "Request does not have SOAP message")
        self.request = request = found
        with faults_under(SERVICE_FAILED):
            self._note.describe(request, self._head.request_id)
            self._check_target(request)
            check_registered(self._world.serverconf, request.service.client)
            provider = request.service.client
            self.context = await self._server.wait_signing_context(self._world, provider)
            self._check_sender(request.client)

    def _check_target(self, request: Request) -> None:
        own = self._world.serverconf.server
        if isinstance(request, SoapMessage) and request.security_server not in (None, own):
            raise Fault(
                "invalid_security_server",
                f"Invalid security server identifier '{request.security_server}' expected '{own}'",
            )

    def _check_sender(self, client: ClientId) -> None:
        """The TLS certificate is good, and registered for a server of the client."""
        conf = self._world.globalconf
        if not self._received.ocsp:
            raise Fault(
                "ssl_authentication_failed",
                "Cannot verify TLS certificate, corresponding OCSP response is missing",
            )
        chain = self._chain
        if not conf.find_cas(client.instance, chain[-1].issuer):
            raise Fault(
                "internal_error",
                "Certificate is not issued by approved certification service provider.",
            )
        try:
            verify_auth_chain(
                conf, client.instance, chain, self._received.ocsp, self._now, issuer_of="last"
            )
            if not conf.auth_certificate_matches(chain[0], client):
                sender = conf.server_by_auth_hash(chain[0])
                text = f"Client '{client}' is not registered at security server {sender}"
                raise Fault("ssl_authentication_failed", text)
        except Fault as fault:  # one code for all of it, the cause in the text (pipeline 7)
            raise Fault("ssl_authentication_failed", str(fault)) from fault


async def _read_request(head: TransportHead, received: Received, bounds: Bounds) -> Request | Fault:
    assert received.head is not None
    if head.protocol == "REST":
        return read_rest_request(received.octets)
    check_original_content_type(head.original_content_type)
    octets = received.octets  # the reader of the message has held them to the limit
    kind = received.head.content_type
    read = partial(read_soap, content_type=kind, limit=len(octets), bounds=bounds)
    return await read_aside(octets, read)


async def _receive(
    exchange: Exchange,
    head: TransportHead,
    received: Received,
    arrival: _Arrival,
    limits: TransportLimits,
) -> None:
    reader = MessageReader(head.boundary, sender="client", protocol=head.protocol, limits=limits)
    try:
        await receive_message(received, reader, exchange.receive, arrival)
    except NetError as error:
        raise Fault("service_failed.io_error", str(error)) from error
