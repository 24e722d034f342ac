"""The answer to another security server while it grows.

The rule: nothing is sent before ``begin``; from then on the answer is a multipart that ends with
the signature, or with a fault in its place (transport 7). The HTTP status is 200 always. A peer
that takes no more of it is told apart from a service that fails: both end in the same network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from xgate.errors import Fault
from xgate.net.errors import NetError
from xgate.net.server import Exchange
from xgate.net.stream import Octets
from xgate.securityserver.send import evidence_octets
from xgate.trust.verify import Evidence
from xgate.wire.faults import write_soap_fault
from xgate.wire.transport import MessageWriter, Protocol, write_fault_head, write_response_head

__all__ = ["PeerGoneError", "Reply"]


class PeerGoneError(Exception):
    """The peer takes no more of the answer."""


class Reply:
    """One answer; each octet of it goes through here.

    Whatever sends raises ``PeerGoneError``, but for ``fail``: that is the last word.
    """

    def __init__(
        self,
        exchange: Exchange,
        token: str,
        *,
        keep_alive: bool,
        on_head: Callable[[], None] | None = None,
    ) -> None:
        """:param token: thirty letters for the boundary.

        :param on_head: called once: when what is sent on has begun to come, or is made here.
        """
        self.writer = MessageWriter(token)
        self._exchange = exchange
        self._begun = False
        self._on_head = on_head
        self._headers = [] if keep_alive else [("Connection", "close")]

    async def begin(self, protocol: Protocol, original_content_type: str) -> None:
        """From here on a fault is a part of the answer; nothing goes out yet."""
        head = write_response_head(
            protocol,
            boundary=self.writer.boundary,
            original_content_type=original_content_type,
        )
        self._begun = True
        await self._exchange.start(200, [*head, *self._headers])

    def heard(self) -> None:
        """The service has begun to answer, well or not."""
        if self._on_head is not None:
            self._on_head()
            self._on_head = None

    async def head(
        self, content_type: str, headers: Sequence[tuple[str, str]], octets: bytes
    ) -> None:
        """Send the message part."""
        self.heard()
        await self.send(self.writer.head(content_type, headers, octets))

    async def send(self, data: Octets) -> None:
        """Send what the writer has made."""
        with _to_the_peer():
            await self._exchange.send(data)

    async def finish(self, evidence: Evidence) -> None:
        """Release the signature and end the answer."""
        with _to_the_peer():
            await self._exchange.finish(evidence_octets(self.writer, evidence))

    async def fail(self, fault: Fault) -> None:
        """End with a fault: as the whole answer, or as its last part."""
        octets = write_soap_fault(fault)
        if self._begun:
            await self._exchange.finish(self.writer.fault(octets) + self.writer.close())
        else:
            await self._exchange.respond(200, [*write_fault_head(), *self._headers], octets)


@contextmanager
def _to_the_peer() -> Iterator[None]:
    try:
        yield
    except NetError as error:
        raise PeerGoneError(str(error)) from error
