"""A SOAP body that is coming in: the message first, then its attachments as they arrive.

The rule: octets are read only when something is asked for; what one read brought beyond that waits.
Nothing here is a generator, so that a body may be left at any point.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable

from xgate.errors import faults_under
from xgate.securityserver.send import PartEvent, TakeParts
from xgate.wire.attachments import SoapBodyReader
from xgate.wire.parts import Head

__all__ = ["SoapBody"]


class SoapBody:
    """One body of an information system, whichever side it is on."""

    def __init__(
        self, receive: Callable[[], Awaitable[bytes]], reader: SoapBodyReader, prefix: str
    ) -> None:
        """:param receive: the next octets, ``b""`` at the end. :param prefix: of what is wrong."""
        self._receive = receive
        self._reader = reader
        self._prefix = prefix
        self._waiting: deque[Head | PartEvent] = deque()
        self._ended = False

    async def head(self) -> Head:
        """The message, which is there once in every body.

        :raises Fault: under the prefix, as ``SoapBodyReader``. Errors as ``receive``.
        """
        while True:
            event = await self._next()
            if isinstance(event, Head):
                return event
            assert event is not None, "the reader refuses a body without a message"

    async def pass_parts(self, take: TakeParts) -> None:
        """Give every attachment that follows to ``take`` as it comes in. Errors as ``head``."""
        while (event := await self._next()) is not None:
            events = [event, *self._waiting]
            self._waiting.clear()
            parts = [event for event in events if not isinstance(event, Head)]
            assert len(parts) == len(events), "a body has one message"
            await take(*parts)

    async def _next(self) -> Head | PartEvent | None:
        while not self._waiting:
            if self._ended:
                return None
            data = await self._receive()
            self._ended = not data
            with faults_under(self._prefix):
                self._waiting.extend(self._reader.feed(data) if data else self._reader.finish())
        return self._waiting.popleft()
