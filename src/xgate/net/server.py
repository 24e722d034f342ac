"""An HTTP/1.1 server on one connection.

The rule: one exchange at a time, each within its limits of size and time, so that neither a
hostile nor a slow client holds anything but its own connection. What is ambiguous is refused with
a plain 400 before anyone looks at it (rest-protocol 1); a defect in a handler is a 500 and the end
of this connection only.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Awaitable, Callable
from contextlib import suppress
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus

import h11
import msgspec
import trio

from xgate.clock import Clock
from xgate.net.drain import Drain
from xgate.net.errors import ClosedError, HttpError, NetError, TimedOutError
from xgate.net.http import (
    HeaderList,
    HttpEnd,
    Pace,
    make_data,
    make_response,
    read_headers,
)
from xgate.net.stream import LINGER, Octets, Stream
from xgate.net.strict import FIELD_LIMIT, HEAD_LIMIT, StrictFilter, check_request

__all__ = ["Exchange", "Handler", "ServerLimits", "serve_connection"]

_LOG = logging.getLogger(__name__)


class ServerLimits(msgspec.Struct, frozen=True):
    """What one connection may take (pipeline 1, rest-protocol 1).

    :param head: octets of a request line with its headers. :param fields: how many of these.
    :param idle: seconds between exchanges. :param head_time: seconds for a whole head.
    :param body: how slowly a body may come. :param answer: how slowly an answer may be taken.
    :param unread: octets of an unread body that are read away before an answer.
    :param ignored: how many more after it, for a client that writes all before it reads.
    :param ignored_time: seconds for these.
    :param request_time: seconds for a whole request after its head.
    """

    head: int = HEAD_LIMIT
    fields: int = FIELD_LIMIT
    idle: float = 30.0
    head_time: float = 30.0
    body: Pace = Pace()
    answer: Pace = Pace()
    unread: int = 1 << 20
    ignored: int = 0
    ignored_time: float = 60.0
    request_time: float = math.inf


async def serve_connection(
    stream: Stream,
    handler: Handler,
    limits: ServerLimits,
    clock: Clock,
    drain: Drain | None = None,
    *,
    refused: Callable[[int, str], None] = lambda status, text: None,
) -> None:
    """Serve exchanges until one side closes; then close the stream. Raises nothing of the peer's.

    :param handler: answers one exchange; if it ends without an answer the client gets a 500.
    :param clock: for the Date header. :param drain: when it starts, the present exchange is the
        last, and an idle connection is closed at once.
    :param refused: is told with which status and words the handler was spared a request.
    """
    connection = _Connection(stream, limits, clock, drain or Drain(), refused)
    linger = 0.0
    try:
        while await connection.serve_one(handler):
            pass
        linger = LINGER if connection.unread else 0.0
    except NetError as error:
        _LOG.info("connection from %s: %s", stream.peer_address, error)
    finally:
        await stream.aclose(linger=linger)


class Exchange:
    """One request, and the means to answer it.

    :ivar method: as sent. :ivar target: the raw request target, one character for each octet.
    :ivar headers: in arrival order, names in the sender's case, octets as ISO-8859-1.
    :ivar version: ``1.0`` or ``1.1``.
    """

    def __init__(self, connection: _Connection, request: h11.Request) -> None:
        self._connection = connection
        self.method = request.method.decode("ascii")
        self.raw_target = request.target
        self.target = request.target.decode("latin-1")
        self.headers = read_headers(request)
        self.version = request.http_version.decode("ascii")
        self.started = False
        """True once an answer has begun."""
        self.finished = False
        """True once the answer is complete."""
        self.uninvited = connection.http.h11.they_are_waiting_for_100_continue
        """True while the client waits to be asked for the body."""
        self.offence: HttpError | None = None
        """What ``receive`` raised for: the body can be read in two ways, or in none."""
        self._head: list[h11.Event] = []
        self._at_end = False
        self._settled = False

    @property
    def unfinished(self) -> bool:
        """True if the client's own part cannot be brought to its end."""
        return self.uninvited or (self._settled and not self._at_end)

    @property
    def peer_address(self) -> str:
        """The client's IP address."""
        return self._connection.stream.peer_address

    @property
    def peer_chain(self) -> tuple[bytes, ...]:
        """DER certificates the client presented, leaf first."""
        return self._connection.stream.peer_chain

    @property
    def secure(self) -> bool:
        """True if the request came over TLS."""
        return self._connection.stream.secure

    def find_header(self, name: str) -> str | None:
        """The first header of this name, in whatever case."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)

    async def receive(self) -> bytes:
        """Some octets of the body; ``b""`` at its end. Asks a waiting client to go on.

        :raises HttpError: malformed. :raises ClosedError: cut off. :raises TimedOutError: slow.
        """
        if self._at_end:
            return b""
        http = self._connection.http
        if self.uninvited:
            self.uninvited = False
            await http.send(h11.InformationalResponse(status_code=100, headers=[]))
        try:
            event = await http.event(self._connection.limits.body)
        except HttpError as error:
            self.offence = error
            raise
        if isinstance(event, h11.Data):
            return bytes(event.data)
        self._at_end = True
        return b""

    async def discard(self, limit: int) -> bool:
        """Read away the rest of the body if that takes no more than ``limit`` octets.

        A client that writes all before it reads must be let finish (pipeline 16.5).
        """
        while not self._at_end and limit > 0:
            limit -= len(await self.receive())
        return self._at_end

    async def respond(self, status: int, headers: HeaderList, body: Octets = b"") -> None:
        """Send a whole answer; Content-Length is added, the rest of the request read away.

        Header names go out in the case given.
        """
        await self.settle_request()
        if status in (204, 304):
            body = b""
        elif all(name.lower() != "content-length" for name, _ in headers):
            headers = [*headers, ("Content-Length", str(len(body)))]
        await self.start(status, headers)
        await self.finish(body)

    async def start(self, status: int, headers: HeaderList) -> None:
        """Begin an answer of unknown length, unless a Content-Length is given.

        The head leaves together with the first octets of the body.
        """
        if self.started:
            raise ValueError("this exchange has its answer already")
        reason = HTTPStatus(status).phrase if status in _STATUSES else ""
        complete = self._connection.complete(headers, close=self.unfinished)
        self._head = [make_response(status, reason, complete)]
        self.started = True

    async def send(self, data: Octets) -> None:
        """Send some of the body. :raises ClosedError: nobody takes it any more."""
        await self._send(self._data(data))

    async def finish(self, last: Octets = b"") -> None:
        """Send the last of the body and end the answer."""
        await self._send([*self._data(last), h11.EndOfMessage()])
        self.finished = True

    def _data(self, data: Octets) -> list[h11.Event]:
        return [] if self.method == "HEAD" else make_data(data)

    async def _send(self, events: list[h11.Event]) -> None:
        if not self.started or self.finished:
            raise ValueError("an answer is started once, and finished once")
        head, self._head = self._head, []
        if head or events:
            limits = self._connection.limits
            await self._connection.http.send(*head, *events, pace=limits.answer)

    async def settle_request(self) -> None:
        """Read the rest of the request away, once, if that can be done in bounds."""
        if self._connection.http.failed or self.uninvited or self._settled:
            return
        self._settled = True
        with suppress(HttpError, TimedOutError):
            await self.discard(self._connection.limits.unread)


Handler = Callable[[Exchange], Awaitable[None]]
"""Answers one exchange."""

_STATUSES = frozenset(HTTPStatus)


class _Connection:
    """The server's end of one connection, exchange after exchange."""

    def __init__(
        self,
        stream: Stream,
        limits: ServerLimits,
        clock: Clock,
        drain: Drain,
        refused: Callable[[int, str], None],
    ) -> None:
        self.stream = stream
        self.limits = limits
        self.http = HttpEnd(
            stream, h11.SERVER, StrictFilter(check_request, limits.head, limits.fields)
        )
        self._clock = clock
        self._drain = drain
        self._refused = refused

    @property
    def unread(self) -> bool:
        """True if the client may still be sending what nobody will read."""
        return self.http.failed or self.http.h11.their_state is h11.SEND_BODY

    async def serve_one(self, handler: Handler) -> bool:
        """One exchange; False when there will be no other."""
        try:
            request = await self._wait_for_request()
        except (HttpError, TimedOutError) as error:
            status, text = _blame(error)
            self._refused(status, text)
            await self._refuse(status, text)
            return False
        if request is None:
            return False
        self.http.latest = trio.current_time() + self.limits.request_time
        exchange = Exchange(self, request)
        await self._handle(handler, exchange)
        if exchange.finished and await self._next(exchange):
            return True
        if exchange.finished and not exchange.uninvited:
            await self._read_away()
        return False

    def complete(self, headers: HeaderList, *, close: bool = False) -> HeaderList:
        """Add what the server owes: the date, and notice of its going."""
        names = {name.lower() for name, _ in headers}
        more = []
        if "date" not in names:
            more.append(("Date", _http_date(int(self._clock.now().timestamp()))))
        if "connection" not in names and (close or self.http.failed or self._drain.started):
            more.append(("Connection", "close"))
        return [*headers, *more]

    async def _wait_for_request(self) -> h11.Request | None:
        """The next request's head; None if none comes."""
        if not self.http.strict.begun:
            self.stream.deadline = math.inf
            with self._drain.idle(trio.current_time() + self.limits.idle) as scope:
                await self.http.fill()
            if scope.cancelled_caught:
                return None
        self.stream.deadline = trio.current_time() + self.limits.head_time
        event = await self.http.event()
        return event if isinstance(event, h11.Request) else None

    async def _handle(self, handler: Handler, exchange: Exchange) -> None:
        try:
            await handler(exchange)
        except Exception as error:  # noqa: BLE001 - it must end only this connection
            if isinstance(error, NetError) and self.http.failed:
                await self._fail(exchange, error)
            else:
                _LOG.exception("the exchange with %s ended by a defect", exchange.peer_address)
                await self._fail(exchange, None)
        if not exchange.started:
            await self._fail(exchange, None)

    async def _fail(self, exchange: Exchange, error: NetError | None) -> None:
        """Answer in place of a handler, if no answer has begun; the connection ends then.

        :param error: what the client did; None if the fault is ours.
        """
        self.http.failed = True
        if isinstance(error, ClosedError):
            raise error
        if not exchange.started:
            status, text = _blame(error) if error else (500, "internal error")
            await exchange.respond(status, [("Content-Type", "text/plain")], text.encode())

    async def _refuse(self, status: int, text: str) -> None:
        """Answer what is not even a request."""
        self.http.failed = True
        body = text.encode()
        headers = [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))]
        lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"]
        lines += [f"{name}: {value}" for name, value in self.complete(headers)]
        self.stream.deadline = trio.current_time() + self.limits.answer.gap
        await self.stream.send_all("\r\n".join([*lines, "", ""]).encode() + body)

    async def _next(self, exchange: Exchange) -> bool:
        """Make ready for another exchange; False if the connection has to end."""
        if self.http.failed or self._drain.started or self.http.h11.our_state is not h11.DONE:
            return False
        await exchange.settle_request()
        if exchange.unfinished or self.http.h11.their_state is not h11.DONE:
            return False
        self.http.next_message()
        return True

    async def _read_away(self) -> None:
        """Take in what a client still sends that has its answer already.

        It may read nothing before it has written all (pipeline 16.5), and a reset would take the
        answer from it.
        """
        left = self.limits.ignored
        with suppress(NetError), trio.move_on_after(self.limits.ignored_time):
            while self.unread and not self.http.failed and left > 0:
                event = await self.http.event(self.limits.body)
                left -= len(event.data) if isinstance(event, h11.Data) else 0


def _blame(error: NetError) -> tuple[int, str]:
    """Status and text for what a client did wrong."""
    if isinstance(error, HttpError):
        return error.status, str(error)
    return 408, "the request took too long"


@lru_cache(maxsize=2)
def _http_date(second: int) -> str:
    return formatdate(second, usegmt=True)
