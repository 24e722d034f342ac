"""One end of an HTTP/1.1 connection: stream, strict filter and h11 joined.

The rule: octets go from the stream through the filter to h11, one message at a time; everything
else about HTTP is h11's. Server and client are each a thin layer above.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress

import h11
import msgspec
import trio

from xgate.net.errors import ClosedError, HttpError, NetError
from xgate.net.stream import Octets, Stream
from xgate.net.strict import StrictFilter

__all__ = [
    "HeaderList",
    "HttpEnd",
    "Pace",
    "make_data",
    "make_request",
    "make_response",
    "read_headers",
]

HeaderList = Sequence[tuple[str, str]]
"""Header fields in order; names in the case they have on the wire; octets as ISO-8859-1."""


class Pace(msgspec.Struct, frozen=True):
    """How slow a peer may be while it sends or takes a message.

    :param gap: seconds of waiting granted at the start, and at most for any one wait.
    :param rate: octets per second it must reach beyond that; 0 for no such demand.
    """

    gap: float = 30.0
    rate: int = 1024


class HttpEnd:
    """Reads and writes h11 events on a stream. Not for use by two tasks in the same direction.

    :param role: ``h11.SERVER`` or ``h11.CLIENT``, ours. :param strict: filter of what comes in.
    """

    def __init__(
        self, stream: Stream, role: type[h11.SERVER] | type[h11.CLIENT], strict: StrictFilter
    ) -> None:
        self.stream = stream
        self.h11 = h11.Connection(role, max_incomplete_event_size=1 << 20)  # the filter limits it
        self.strict = strict
        self.failed = False
        """True once the peer broke the rules or the connection: it cannot be used again."""
        self.latest = math.inf
        """When the present message must be whole, however fast it comes."""
        self._deaf = False
        self._ended = False
        self._waited = 0.0
        self._received = 0

    def next_message(self) -> None:
        """Begin the next exchange, when both directions are done with the last."""
        self.h11.start_next_cycle()
        self._waited, self._received, self.latest = 0.0, 0, math.inf
        with suppress(HttpError):  # the filter keeps it for whoever asks for this message
            approved = self.strict.next_message()
            if approved:
                self.h11.receive_data(approved)

    async def event(self, pace: Pace | None = None) -> h11.Event:
        """The next h11 event from the peer; ``h11.ConnectionClosed`` at the end between messages.

        :param pace: limits the waiting; None leaves the stream's deadline as it is.
        :raises HttpError: the peer broke the rules. :raises ClosedError: the connection ended in
            the middle of a message. :raises TimedOutError: the peer is too slow.
        """
        while True:
            try:
                event = self.h11.next_event()
            except h11.RemoteProtocolError:
                self.failed = self._deaf = True
                if self._ended:
                    raise ClosedError(
                        "the peer closed the connection before its message was complete"
                    ) from None
                raise HttpError("the peer broke the rules of HTTP") from None
            if event is not h11.NEED_DATA:
                assert isinstance(event, h11.Event), "the filter hands on one message at a time"
                return event
            await self.fill(pace)

    async def fill(self, pace: Pace | None = None) -> None:
        """Receive once and hand on what the filter approves. Errors as ``event``."""
        if self._deaf:
            raise ClosedError("this connection has failed before")
        began = trio.current_time()
        if pace is not None:
            self.stream.deadline = self._patience(pace, began)
        try:
            self.strict.check_standing()
            data = await self.stream.receive()
            approved = self.strict.feed(data)
        except NetError:
            self.failed = self._deaf = True
            raise
        self._waited += trio.current_time() - began
        self._received += len(data)
        self._ended = not data
        if approved or self._ended:
            self.h11.receive_data(approved)

    async def send(self, *events: h11.Event, pace: Pace | None = None) -> None:
        """Write events; in one piece if they are small. Errors as ``Stream.send_all``.

        :raises ValueError: the events do not make a legal message: a defect on our side.
        """
        parts: list[Octets] = []
        try:
            for event in events:
                parts += self.h11.send_with_data_passthrough(event) or ()
        except h11.LocalProtocolError as error:
            self.failed = True
            raise ValueError(f"this is not a message HTTP can carry: {error}") from None
        if pace is not None:
            extra = sum(map(len, parts)) / pace.rate if pace.rate else 0.0
            self.stream.deadline = trio.current_time() + pace.gap + extra
        try:
            await self.stream.send_vector(parts)
        except BaseException:
            self.failed = True
            raise

    def _patience(self, pace: Pace, now: float) -> float:
        """Until when to wait for the next octets of this message."""
        if not pace.rate:
            return min(now + pace.gap, self.latest)
        left = pace.gap + self._received / pace.rate - self._waited
        return min(now + min(pace.gap, max(left, 0.0)), self.latest)


def make_request(method: str, target: str, headers: HeaderList) -> h11.Request:
    """A request's head. :raises ValueError: a part that HTTP cannot carry."""
    try:
        return h11.Request(
            method=method.encode("ascii"),
            target=target.encode("latin-1"),
            headers=_write_headers(headers),
        )
    except h11.LocalProtocolError:
        # Its own text quotes the field, and a field may be a secret.
        raise ValueError("HTTP cannot carry this request") from None


def make_response(status: int, reason: str, headers: HeaderList) -> h11.Response:
    """A response's head. :raises ValueError: a part that HTTP cannot carry."""
    try:
        return h11.Response(
            status_code=status,
            headers=_write_headers(headers),
            reason=reason.encode("latin-1"),
        )
    except h11.LocalProtocolError:
        raise ValueError("HTTP cannot carry this response") from None


def make_data(data: Octets) -> list[h11.Event]:
    """A piece of a body; nothing for no octets."""
    # h11 hands on whatever octets it is given, untouched.
    return [h11.Data(data=data)] if len(data) else []  # type: ignore[arg-type]  # it says bytes


def _write_headers(headers: HeaderList) -> list[tuple[bytes, bytes]]:
    """As octets. :raises ValueError: a character that ISO-8859-1 has not."""
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]


def read_headers(head: h11.Request | h11.Response) -> tuple[tuple[str, str], ...]:
    """In arrival order, names in the case they came in."""
    items = head.headers.raw_items()
    return tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in items)
