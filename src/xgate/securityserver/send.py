"""Sends one signed message: parts out, then the signature, which waits for the log.

The rule: sign, log durably, and only then release the signature: a peer never holds a signed
message that is not in our log (pipeline 16 trap 12, messagelog trap 1).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from typing import Protocol

from xgate.net.body import Spool
from xgate.securityserver.parts import KeptPart
from xgate.trust.seal import MESSAGE, Seal, Sealer, attachment_name
from xgate.trust.verify import Evidence
from xgate.wire.transport import MessageWriter, PartBegin, PartData, PartEnd

__all__ = ["PartEvent", "PartSender", "Sent", "TakeParts", "Write", "evidence_octets"]

PartEvent = PartBegin | PartData | PartEnd
Write = Callable[[bytes | memoryview], Awaitable[None]]


class TakeParts(Protocol):
    """What pieces of attachments or of a body are given to."""

    async def __call__(self, *events: PartEvent) -> None:
        """Take pieces; those that are there together come together."""


class Sent:
    """What has gone out: its seal, and the parts kept for the log; ``close`` drops the spools.

    :ivar sizes: octets of the message, then of each attachment or the body, as they pass.
    """

    def __init__(self, keep: Callable[[], Spool] | None) -> None:
        """:param keep: opens a spool for a part; None when parts are not logged."""
        self.parts: list[KeptPart] = []
        self.sizes: list[int] = []
        self._keep = keep
        self._spools = ExitStack()
        self._sealer = Sealer()

    @property
    def seal(self) -> Seal:
        """Names and digests of all signed parts."""
        return self._sealer.seal()

    def message(self, octets: bytes) -> None:
        """The message part has gone out."""
        self.sizes.append(len(octets))
        self._sealer.begin(MESSAGE)
        self._sealer.update(octets)
        self._sealer.end()

    def begin(self, event: PartBegin) -> None:
        """An attachment or body begins."""
        self.sizes.append(0)
        self._sealer.begin(attachment_name(event.number))
        if self._keep is not None:
            spool = self._spools.enter_context(self._keep())
            self.parts.append(KeptPart(event, spool))

    def data(self, octets: bytes | memoryview) -> None:
        """Some of it has gone out."""
        self.sizes[-1] += len(octets)
        self._sealer.update(octets)
        if self._keep is not None:
            self.parts[-1].spool.write(octets)

    def end(self) -> None:
        """It is complete."""
        self._sealer.end()

    def close(self) -> None:
        """Drop the spools."""
        self._spools.close()


class PartSender:
    """Passes attachments or a body on while they come in."""

    def __init__(self, sent: Sent, writer: MessageWriter, write: Write) -> None:
        self.sent = sent
        self._writer = writer
        self._write = write

    async def take(self, *events: PartEvent) -> None:
        """Send pieces that are there together, in one write. Errors as ``write``."""
        await self._write(b"".join([self._octets(event) for event in events]))

    def _octets(self, event: PartEvent) -> bytes | memoryview:
        match event:
            case PartData(data=data):
                self.sent.data(data)
                return self._writer.part_data(data)
            case PartBegin():
                self.sent.begin(event)
                return self._writer.part_begin(event.content_type, event.headers)
            case PartEnd():
                self.sent.end()
                return self._writer.part_end()


def evidence_octets(writer: MessageWriter, evidence: Evidence) -> bytes:
    """The last parts of a message and its end."""
    parts = writer.evidence(evidence.signature, evidence.chain_result, evidence.chain)
    return parts + writer.close()
