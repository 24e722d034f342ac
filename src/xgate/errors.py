"""Why a message, a signature or a configuration was refused: one exception for the whole house.

The rule: whoever refuses raises a ``Fault`` with the shortest code that is true where it stands
(``invalid_hash_chain``); whoever knows more puts a prefix in front while it passes
(``malformed_signature``, ``signature_verification``, ``server.serverproxy``). Only the edge
(``wire.faults``) turns it into words on the wire. Codes are those of X-Road 7.8 (soap-protocol 8).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = [
    "CLIENT",
    "CLIENT_PROXY",
    "SERVER_PROXY",
    "SERVICE_FAILED",
    "Fault",
    "faults_under",
    "first_cause",
]

CLIENT = "client"
CLIENT_PROXY = "server.clientproxy"
SERVER_PROXY = "server.serverproxy"
SERVICE_FAILED = "service_failed"


class Fault(Exception):
    """A refusal that has a name in the protocol.

    :param code: dotted fault code, 7.8 spelling, without blanks; prefixes are added by ``under``.
    :param text: one sentence for a person; goes to the other party, so it holds nothing internal.
    :param detail: a UUID by which the parties find each other's log line; the edge adds one.
    :param actor: SOAP ``faultactor``; empty except in relayed faults.
    :param raw: the XML of a fault that came from elsewhere and is handed on byte for byte.
    :param limit: which setting of ours was met, with its value; for our own log alone.
    :param cause: what happened within, in words that are nobody else's business; likewise.
    """

    def __init__(
        self,
        code: str,
        text: str,
        *,
        detail: str = "",
        actor: str = "",
        raw: bytes | None = None,
        limit: str = "",
        cause: str = "",
    ) -> None:
        super().__init__(code, text)
        self.code = code
        self.text = text
        self.detail = detail
        self.actor = actor
        self.raw = raw
        self.limit = limit
        self.cause = cause

    def __str__(self) -> str:
        return f"{self.code}: {self.text}"

    def under(self, prefix: str) -> Fault:
        """The same refusal with ``prefix.`` in front of its code, unless it stands there already.

        A fault that was relayed from another party (``raw``) keeps its code.
        """
        if self.raw is not None or self.code == prefix or self.code.startswith(prefix + "."):
            return self
        code = f"{prefix}.{self.code}"
        return Fault(
            code,
            self.text,
            detail=self.detail,
            actor=self.actor,
            limit=self.limit,
            cause=self.cause,
        )

    def outwards(self, text: str) -> Fault:
        """The same refusal in words for others; its own become the cause."""
        return Fault(self.code, text, limit=self.limit, cause=self.text)


@contextmanager
def faults_under(prefix: str) -> Iterator[None]:
    """Put ``prefix`` before the code of every ``Fault`` that leaves the block."""
    try:
        yield
    except Fault as fault:
        moved = fault.under(prefix)
        if moved is fault:
            raise
        raise moved from fault


def first_cause(error: BaseException) -> BaseException:
    """What went wrong first in a group of errors: the nurseries around it only report it."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
