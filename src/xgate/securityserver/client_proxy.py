"""The consumer's corridor: a request from an information system to its provider, and the answer
home.

The rule: one straight line; whatever cannot go on raises a Fault, and ``corridor`` turns it into
words. Order of checks, and of signing, logging and releasing: pipeline 3.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime

from msgspec.structs import replace

from xgate.errors import Fault, faults_under
from xgate.net.client import ClientConnection
from xgate.net.errors import NetError, RefusedError, ResetError
from xgate.net.server import Exchange
from xgate.policy.admit import check_registered
from xgate.policy.route import find_route
from xgate.policy.world import World, address_of
from xgate.securityserver.gate import Visit
from xgate.securityserver.intake import (
    Intake,
    check_belongs,
    check_information_system,
    check_posted,
    take_in,
)
from xgate.securityserver.logged import log_message, spools_for_log
from xgate.securityserver.note import Note
from xgate.securityserver.outlet import Outlet, PeerSaidError, read_fault_body
from xgate.securityserver.parts import KeptPart
from xgate.securityserver.receive import Received, receive_message
from xgate.securityserver.send import PartSender, Sent, evidence_octets
from xgate.securityserver.server import SecurityServer, new_token
from xgate.securityserver.stamping import stamp_by
from xgate.trust.ocsp import OcspResponse
from xgate.trust.verify import Evidence, verify_message
from xgate.wire.message import Answer, Request
from xgate.wire.transport import (
    FaultHead,
    MessageReader,
    MessageWriter,
    TransportLimits,
    read_response_head,
    write_request_head,
)

__all__ = ["relay"]


async def relay(
    exchange: Exchange, rest: bool, server: SecurityServer, note: Note, visit: Visit
) -> None:
    """Carry one request from a member's information system to its provider, and the answer home.

    :param rest: the protocol (``is_rest``). :param visit: what memory is claimed by.
    :raises Fault: unprefixed for this side's own refusals; ``client...`` for a bad request; as it
        came for a peer's.
    """
    world = server.world.value
    now = server.clock.now()
    note.client_address = address_of(world, world.serverconf.server)
    if exchange.method == "GET":  # which learns of an expired configuration first (pipeline 3)
        world.globalconf.check_valid(now)
    if not rest:
        check_posted(exchange)
    world.globalconf.check_valid(now)
    body_limits = replace(server.body_limits, claim=visit.claim)
    limits = replace(server.transport_limits, claim=visit.claim)
    _, auth_ocsp = await server.wait_auth_key(world)
    seconds = server.settings.limits.soap_seconds
    intake = await take_in(exchange, rest, world.globalconf.own, body_limits, seconds=seconds)
    note.describe(intake.request, intake.request_id)
    client = check_registered(world.serverconf, intake.request.client)
    check_information_system(exchange, client, server)
    provider = intake.request.service.client
    route = find_route(world.globalconf, provider, intake.request.security_server)
    server.messagelog.check_can_log()
    with ExitStack() as kept:
        # SOAP attachments are not logged: their digests in the hash chain are (messagelog 1).
        sent = Sent(spools_for_log(server, provider) if intake.protocol == "REST" else None)
        kept.callback(sent.close)
        received = Received(server.spools())
        kept.callback(received.close)
        note.request_sizes, note.response_sizes = sent.sizes, received.sizes
        if len(route.addresses) == 1:  # else it is known when one has been reached
            note.service_address = route.addresses[0]
        async with (
            server.gates.providers.enter(provider),
            server.peers.open(route, world, now) as peer,
        ):
            note.service_address = peer.target
            note.sent()
            try:
                with intake.streaming():
                    await _send(intake, _outlet(peer, server), sent, server, world, auth_ocsp)
            except PeerSaidError as said:
                raise said.fault from None
            answer = note.answer = await _receive(intake, peer, received, note, limits)
        evidence = received.evidence
        now = server.clock.now()
        with faults_under("signature_verification"):
            proven = verify_message(
                world.globalconf, evidence, received.seal, provider, now, message=received.octets
            )
        check_belongs(intake, answer, sent.seal)
        # Attachments of a merged signature are not logged: the hash chain has them (messagelog 1).
        parts = [] if proven.merged and intake.protocol == "SOAP" else received.parts
        evidence = evidence.kept(proven)
        until = stamp_by(world.globalconf, proven.ocsp)
        await _log(intake, answer, parts, evidence, server, until)
        await intake.answer(exchange, received, now)


def _outlet(peer: ClientConnection, server: SecurityServer) -> Outlet:
    settings = server.settings
    patience = settings.peers.answer_seconds or math.inf
    rate, limits = settings.limits.bytes_per_second, server.transport_limits
    return Outlet(peer, patience=patience, rate=rate, limits=limits)


async def _send(
    intake: Intake,
    peer: Outlet,
    sent: Sent,
    server: SecurityServer,
    world: World,
    auth_ocsp: bytes,
) -> None:
    """The message out while it comes in, and last of all its signature."""
    writer = MessageWriter(new_token())
    head = write_request_head(
        intake.protocol,
        boundary=writer.boundary,
        original_content_type=intake.content_type,
        soap_action=intake.soap_action,
        request_id=intake.request_id,
    )
    await peer.start("POST", "/", head, writer.ocsp(auth_ocsp) + intake.write_head(writer))
    sent.message(intake.request.octets)
    try:
        evidence = await _sign_and_log(intake, PartSender(sent, writer, peer.send), server, world)
    except Fault:
        if intake.protocol == "SOAP":  # ends regularly, without a signature (pipeline 3)
            with suppress(NetError, PeerSaidError):
                await peer.finish(writer.close())
        raise
    await peer.finish(evidence_octets(writer, evidence))


async def _sign_and_log(
    intake: Intake, sender: PartSender, server: SecurityServer, world: World
) -> Evidence:
    """Attachments or body out; then the signature over all of it, once that is in the log."""
    await intake.pass_parts(sender.take)
    sent = sender.sent
    context = await server.wait_signing_context(world, intake.request.client)
    server.messagelog.check_can_log()
    evidence = await server.signer.sign(context, sent.seal)
    until = stamp_by(world.globalconf, [OcspResponse.load(context.ocsp)])
    await _log(intake, intake.request, sent.parts, evidence, server, until)
    return evidence


async def _receive(
    intake: Intake,
    peer: ClientConnection,
    received: Received,
    note: Note,
    limits: TransportLimits,
) -> Answer:
    """The peer's answer, whole; a fault of the peer is raised as it came."""
    answers: list[Answer] = []
    try:
        answer = await peer.receive_head()
        note.heard()
        head = read_response_head(
            answer.status, answer.reason, answer.headers, protocol=intake.protocol
        )
        if isinstance(head, FaultHead):
            raise await read_fault_body(peer, limits)

        async def on_head(original_content_type: str | None = head.original_content_type) -> None:
            answers.append(await intake.read_answer(received, original_content_type))

        reader = MessageReader(
            head.boundary, sender="server", protocol=intake.protocol, limits=limits
        )
        with _lost_in_the_answer(peer):
            await receive_message(received, reader, peer.receive, on_head)
    except RefusedError as error:  # in TLS 1.3 a refused certificate shows only here
        raise Fault("ssl_authentication_failed", f"TLS handshake failed: {error}") from error
    except NetError as error:
        code = "network_error" if isinstance(error, ResetError) else "io_error"
        raise Fault(code, str(error), cause=f"{peer.target}: {error}") from error
    if received.fault is not None:
        raise received.fault
    return answers[0]


@contextmanager
def _lost_in_the_answer(peer: ClientConnection) -> Iterator[None]:
    try:
        yield
    except NetError as error:
        text, cause = f"Stream was aborted: {error}", f"{peer.target}: {error}"
        raise Fault("service_failed.io_error", text, cause=cause) from error


async def _log(
    intake: Intake,
    message: Request | Answer,
    parts: list[KeptPart],
    evidence: Evidence,
    server: SecurityServer,
    until: datetime | None,
) -> None:
    request = intake.request
    await log_message(
        server,
        request,
        message,
        parts,
        evidence,
        owner=request.client,
        request_id=intake.request_id,
        stamp_by=until,
    )
