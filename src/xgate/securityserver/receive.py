"""Takes in one message from another security server: parts sealed and spooled as they pass.

The rule: each octet is seen once, by the seal and by the spool together; nothing is judged here but
form. A fault part ends the message, whatever came before it (transport 4.1, trap 8).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import ExitStack

from xgate.errors import Fault
from xgate.net.body import Spool
from xgate.securityserver.parts import KeptPart
from xgate.trust.seal import MESSAGE, Seal, Sealer, attachment_name
from xgate.trust.verify import Evidence
from xgate.wire.transport import (
    Chain,
    ChainResult,
    Event,
    FaultPart,
    Head,
    MessageReader,
    Ocsp,
    PartBegin,
    PartData,
    PartEnd,
    Signature,
)

__all__ = ["Received", "receive_message"]


class Received:
    """A message that has come in, whole or as far as it came; ``close`` drops its spools.

    :ivar sizes: octets of the message, then of each attachment or the body, as far as they came.
    """

    def __init__(self, keep: Callable[[], Spool]) -> None:
        """:param keep: opens a spool for one attachment or body."""
        self.ocsp: list[bytes] = []
        self.head: Head | None = None
        self.parts: list[KeptPart] = []
        self.sizes: list[int] = []
        self.fault: Fault | None = None
        self._keep = keep
        self._spools = ExitStack()
        self._sealer = Sealer()
        self._signature: bytes | None = None
        self._chain_result: bytes | None = None
        self._chain: bytes | None = None

    @property
    def seal(self) -> Seal:
        """Names and digests of all signed parts."""
        return self._sealer.seal()

    @property
    def evidence(self) -> Evidence:
        """The signature and its chain.

        :raises Fault: ``missing_signature``.
        """
        if self._signature is None:
            raise Fault("missing_signature", "Message does not have signature")
        return Evidence(self._signature, self._chain_result, self._chain)

    @property
    def octets(self) -> bytes:
        """The message part; it is there once ``receive_message`` has returned without a fault."""
        assert self.head is not None
        return self.head.octets

    def take(self, event: Event) -> None:
        """One thing that the reader has found."""
        match event:
            case PartData(data=data):
                self._sealer.update(data)
                self.parts[-1].spool.write(data)
                self.sizes[-1] += len(data)
            case Ocsp(der=der):
                self.ocsp.append(der)
            case Head():
                self.head = event
                self.sizes.append(len(event.octets))
                self._sealer.begin(MESSAGE)
                self._sealer.update(event.octets)
                self._sealer.end()
            case PartBegin(number=number):
                spool = self._spools.enter_context(self._keep())
                self.parts.append(KeptPart(event, spool))
                self.sizes.append(0)
                self._sealer.begin(attachment_name(number))
            case PartEnd():
                self._sealer.end()
            case ChainResult(octets=octets):
                self._chain_result = octets
            case Chain(octets=octets):
                self._chain = octets
            case Signature(octets=octets):
                self._signature = octets
            case FaultPart(fault=fault):
                self.fault = fault

    def close(self) -> None:
        """Drop the spools."""
        self._spools.close()


async def receive_message(
    received: Received,
    reader: MessageReader,
    read: Callable[[], Awaitable[bytes]],
    on_head: Callable[[], Awaitable[None]],
) -> None:
    """Read until the end of the body, filling ``received``.

    :param read: the next octets of the HTTP body, ``b""`` at its end.
    :param on_head: called once, when the message part is there and before anything after it.
    :raises Fault: as ``MessageReader`` and ``on_head``.
    """
    while True:
        data = await read()
        for event in reader.feed(data) if data else reader.finish():
            received.take(event)
            if isinstance(event, Head):
                await on_head()
        if not data:
            return
