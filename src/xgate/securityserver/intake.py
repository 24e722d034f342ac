"""A request from an information system, in whichever protocol, as the client proxy carries it.

The rule: SOAP and REST differ in how they come in, in what an error while they stream is called and
in how the answer goes back; all of that is here, and nothing of it in the corridor.
Sources: pipeline 3, soap-protocol 3 and 4, rest-protocol 3, 5 and 6.
"""

from __future__ import annotations

import hashlib
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

from xgate.errors import Fault
from xgate.net.server import Exchange
from xgate.policy.admit import Caller, check_caller
from xgate.securityserver.receive import Received
from xgate.securityserver.rest_intake import RestIntake, take_rest
from xgate.securityserver.send import TakeParts
from xgate.securityserver.server import SecurityServer
from xgate.securityserver.soap_intake import SoapIntake, check_posted, take_soap
from xgate.serverconf.model import Client
from xgate.trust.certificate import Certificate
from xgate.trust.seal import Seal
from xgate.wire import message
from xgate.wire.attachments import BodyLimits
from xgate.wire.message import Answer, Request, check_answer
from xgate.wire.target import Target, read_target
from xgate.wire.transport import MessageWriter

__all__ = [
    "Intake",
    "check_belongs",
    "check_information_system",
    "check_posted",
    "is_rest",
    "shown_certificate",
    "take_in",
    "target_of",
]


_LONGEST_SUBJECT = 1000  # characters


def target_of(exchange: Exchange) -> Target:
    """What an information system asks for.

    :raises BadTarget: the front server's own 400, whatever the protocol would be.
    """
    return read_target(exchange.target, exchange.find_header("host"))


def is_rest(exchange: Exchange) -> bool:
    """Which protocol an information system speaks, by the path of its request alone.

    :raises BadTarget: as ``target_of``.
    """
    return target_of(exchange).path.startswith("/r1/")


def check_information_system(
    exchange: Exchange, client: Client, server: SecurityServer, *, always: bool = False
) -> None:
    """Refuse an information system that may not speak for this client.

    :param always: also where the settings say not to look (asic 6).
    :raises Fault: ``ssl_authentication_failed``, as ``check_caller``.
    """
    settings = server.settings.tls
    if not settings.verify_clients and not always:
        return
    certificate = exchange.peer_chain[0] if exchange.peer_chain else None
    caller = Caller(exchange.secure, certificate)
    now = server.clock.now() if settings.refuse_expired_clients else None
    check_caller(client, caller, server.internal.certificate, now)


def shown_certificate(exchange: Exchange, server: SecurityServer) -> str | None:
    """The certificate of an information system in words for the log, if the settings want that."""
    if not server.settings.tls.log_clients or not exchange.peer_chain:
        return None
    der = exchange.peer_chain[0]
    try:
        subject = Certificate.load(der).subject.rfc2253[:_LONGEST_SUBJECT]
    except Fault:  # equality with a listed one is all that counts, whatever is in it
        subject = "a certificate that cannot be read"
    return f"{subject}, SHA-256 {hashlib.sha256(der).hexdigest()}"


class Intake(Protocol):
    """One request on its way in, and its answer on its way out."""

    @property
    def protocol(self) -> message.Protocol:
        """SOAP or REST."""

    @property
    def request(self) -> Request:
        """What the message says."""

    @property
    def request_id(self) -> str:
        """The UUID of this exchange."""

    @property
    def content_type(self) -> str:
        """The information system's own, for ``x-original-content-type``."""

    @property
    def soap_action(self) -> str:
        """Its SOAPAction, verbatim."""

    def write_head(self, writer: MessageWriter) -> bytes:
        """The message part for the peer."""

    async def pass_parts(self, take: TakeParts) -> None:
        """Give the attachments or the body to ``take`` as they come in."""

    def streaming(self) -> AbstractContextManager[None]:
        """The block in which parts stream to the peer: what goes wrong is named by the protocol."""

    async def read_answer(self, received: Received, content_type: str | None) -> Answer:
        """What the peer's message part says.

        :param content_type: the service's own (``x-original-content-type``).
        :raises Fault: also the fault that stands in its place.
        """

    async def answer(self, exchange: Exchange, received: Received, now: datetime) -> None:
        """Hand the proven answer to the information system."""


async def take_in(
    exchange: Exchange,
    rest: bool,
    instance: str,
    limits: BodyLimits,
    *,
    seconds: float = 30.0,
) -> RestIntake | SoapIntake:
    """Read the request up to its message; attachments and body wait to be streamed.

    :param rest: the protocol (``is_rest``). :param instance: our own, for a query id made here.
    :param limits: of what SOAP may cost. :param seconds: for a SOAP message to come.
    :raises Fault: ``client...`` for a bad SOAP request, else unprefixed.
    """
    if rest:
        return take_rest(exchange, instance)
    return await take_soap(exchange, limits, seconds=seconds)


def check_belongs(intake: Intake, answer: Answer, sent: Seal) -> None:
    """Refuse an answer that does not belong to the request as it was sent (``check_answer``)."""
    head, *parts = sent.parts
    body = parts[0].digest if parts and intake.protocol == "REST" else None
    check_answer(intake.request, answer, head.digest, body)
