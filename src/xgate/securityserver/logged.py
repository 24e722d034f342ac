"""What of a message is logged, and as whose.

The rule: whole messages, unless the settings say less: of a provider whose bodies are not logged
only who asked whom stays (``wire.bodiless``), and a body that is too large is refused, or cut if
that is allowed. A record that has less than was signed says so (``Record.complete``): a container
made from it does not verify. Whether bodies are logged goes by the subsystem that provides the
service, on both servers. Source: messagelog 1.1 to 1.3.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import msgspec

from xgate.errors import Fault
from xgate.ids import ClientId, parse_short_client
from xgate.messagelog.record import Body, Record, new_key
from xgate.net.body import Spool
from xgate.securityserver.parts import KeptPart, octets_for_log
from xgate.securityserver.server import SecurityServer
from xgate.securityserver.settings import MessagelogSettings, SettingsError
from xgate.trust.verify import Evidence
from xgate.wire.bodiless import without_body
from xgate.wire.message import Answer, Request

__all__ = [
    "BodyRules",
    "Kept",
    "log_message",
    "read_body_rules",
    "spools_for_log",
    "what_is_kept",
]


class BodyRules(msgspec.Struct, frozen=True):
    """Whose bodies are logged, and how much of one.

    :param log: those of all providers that are not in ``providers``.
    :param most: octets of one REST body or attachment; 0: none is kept, however small.
    :param truncate: keep the beginning of a larger one instead of refusing the message.
    """

    log: bool = True
    providers: Mapping[ClientId, bool] = {}
    most: int = 10 << 20
    truncate: bool = False

    def logs(self, provider: ClientId) -> bool:
        """Whether bodies of messages to and from this client's services are logged."""
        return self.providers.get(provider, self.log)


class Kept(msgspec.Struct, frozen=True):
    """What is logged of a message; see the fields of ``Record``."""

    message: bytes
    attachments: tuple[bytes | Body | None, ...]
    complete: bool


def read_body_rules(settings: MessagelogSettings) -> BodyRules:
    """The rules that the settings give.

    :raises SettingsError: a subsystem that is none, or is listed twice.
    """
    providers: dict[ClientId, bool] = {}
    for section in settings.bodies:
        try:
            provider = parse_short_client(section.subsystem)
        except Fault as fault:
            raise SettingsError(f"[[messagelog.bodies]] subsystem: {fault.text}") from None
        if provider in providers:
            raise SettingsError(
                f"[[messagelog.bodies]] subsystem {section.subsystem} is listed twice"
            )
        providers[provider] = section.log
    return BodyRules(
        settings.body_logging, providers, settings.max_body_bytes, settings.truncate_bodies
    )


def what_is_kept(
    rules: BodyRules, provider: ClientId, message: Request | Answer, parts: Sequence[KeptPart]
) -> Kept:
    """What of a message is logged.

    :raises Fault: ``logging_failed`` when a body is larger than may be logged.
    """
    if not rules.logs(provider):
        return Kept(without_body(message), (None,) * len(parts), complete=False)
    if not rules.most:
        return Kept(message.octets, (None,) * len(parts), complete=not parts)
    return Kept(
        message.octets,
        tuple(octets_for_log(part, rules.most, truncate=rules.truncate) for part in parts),
        complete=all(part.spool.size <= rules.most for part in parts),
    )


def spools_for_log(server: SecurityServer, provider: ClientId) -> Callable[[], Spool]:
    """Opens spools for bodies of one message that nobody but the log will read."""
    rules = read_body_rules(server.settings.messagelog)
    return server.spools(keep=rules.most if rules.logs(provider) else 0)


async def log_message(
    server: SecurityServer,
    request: Request,
    message: Request | Answer,
    parts: Sequence[KeptPart],
    evidence: Evidence,
    *,
    owner: ClientId,
    request_id: str,
    stamp_by: datetime | None = None,
) -> None:
    """Log a request, or the answer to it; it is durable when this returns.

    :param owner: our side's client.
    :param stamp_by: as ``stamping.stamp_by`` has it.
    :raises Fault: ``logging_failed...``; then it is not in the log.
    """
    rules = read_body_rules(server.settings.messagelog)
    kept = what_is_kept(rules, request.service.client, message, parts)
    await server.messagelog.append(
        Record(
            time=server.clock.now(),
            owner=owner,
            query_id=request.id,
            request_id=request_id,
            response=message is not request,
            message=kept.message,
            attachments=kept.attachments,
            evidence=evidence,
            client=request.client,
            service=request.service.short,
            complete=kept.complete,
            key=new_key(),
        ),
        stamp_by,
    )
