"""An HTTP/1.1 client on one connection, and the way to such a connection.

The rule: requests and answers are streamed; the server's octets pass the same strict filter as a
client's. Nothing is retried here and no redirect is followed: that is the caller's to know.
"""

from __future__ import annotations

import ipaddress
import math
from collections.abc import AsyncIterable

import h11
import msgspec
import trio

from xgate.net.context import TlsContext
from xgate.net.dial import dial
from xgate.net.errors import ClosedError, HttpError
from xgate.net.http import HeaderList, HttpEnd, Pace, make_data, make_request, read_headers
from xgate.net.resolve import in_url
from xgate.net.stream import Octets, SocketStream, Stream
from xgate.net.strict import FIELD_LIMIT, Framing, StrictFilter, check_response
from xgate.net.tls import connect_tls

__all__ = ["ClientConnection", "HeadLimits", "ResponseHead", "connect", "connect_on"]

_INTERIM_LIMIT = 16  # responses of the 1xx kind before the real one
_BODY_METHODS = frozenset({"POST", "PUT", "PATCH"})


class HeadLimits(msgspec.Struct, frozen=True):
    """What the head of an answer may cost.

    :param octets: of a status line with its headers. :param fields: how many of these.
    """

    octets: int = 65536
    fields: int = FIELD_LIMIT


_HEADS = HeadLimits()


class ResponseHead(msgspec.Struct, frozen=True):
    """What a server answered, before the body; headers in arrival order and case."""

    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]

    def find_header(self, name: str) -> str | None:
        """The first header of this name, in whatever case."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)


async def connect(
    host: str,
    port: int,
    *,
    tls: TlsContext | None = None,
    timeout: float = 30.0,
    heads: HeadLimits = _HEADS,
) -> ClientConnection:
    """Connect, and do the TLS handshake if a context is given.

    :param host: name or address. :param timeout: seconds for all of it.
    :param heads: of what the server answers.
    :raises ConnectError: no address answers. :raises TlsError, ClosedError: the handshake failed.
    :raises TimedOutError: not done in time.
    """
    deadline = trio.current_time() + timeout
    plain = await dial(host, port, timeout=timeout)
    left = deadline - trio.current_time()
    return await connect_on(plain, host, port, tls=tls, timeout=left, heads=heads)


async def connect_on(
    plain: SocketStream,
    host: str,
    port: int,
    *,
    tls: TlsContext | None = None,
    timeout: float = 30.0,
    heads: HeadLimits = _HEADS,
) -> ClientConnection:
    """The same on a TCP connection that is there already; closes it if the handshake fails."""
    stream: Stream = plain
    if tls is not None:
        stream = await connect_tls(
            plain,
            tls,
            server_name="" if _is_address(host) else host,
            session_key=f"{host}:{port}",
            timeout=timeout,
        )
    name = in_url(host)
    usual = port == (80 if tls is None else 443)
    return ClientConnection(stream, name if usual else f"{name}:{port}", heads)


class ClientConnection:
    """One connection to a server, for one exchange after the other.

    :ivar stream: the connection below; its ``peer_chain`` is what the server presented.
    :ivar timeout: seconds that each wait for the server may take; ``math.inf`` waits forever.
    :ivar rate: octets a second that it must reach beyond so much waiting in all (``Pace``).
    :ivar target: what whoever opened it calls the server; nothing here looks at it.
    """

    def __init__(self, stream: Stream, authority: str, heads: HeadLimits = _HEADS) -> None:
        self.stream = stream
        self.timeout = math.inf
        self.rate = 0
        self.target = ""
        self._authority = authority
        self._method = b""
        self._framing = Framing.SIZED
        self._began = False
        strict = StrictFilter(self._check_head, heads.octets, heads.fields)
        self._http = HttpEnd(stream, h11.CLIENT, strict)

    @property
    def reusable(self) -> bool:
        """True if another request may follow: the last exchange is complete and the line quiet."""
        states = self._http.h11.states
        done = all(state is h11.DONE for state in states.values())
        clean = not self._http.failed and not self._http.strict.surplus
        return done and clean and self.stream.quiet

    @property
    def heard(self) -> bool:
        """True if the server has said something that was not received, or is gone."""
        return self.stream.heard

    async def request(
        self,
        method: str,
        target: str,
        headers: HeaderList,
        body: Octets | AsyncIterable[Octets] = b"",
    ) -> None:
        """Send a whole request. A body of octets is sized, one that is iterated over is chunked."""
        if isinstance(body, AsyncIterable):
            await self.start(method, target, headers)
            async for piece in body:
                await self.send(piece)
            await self.finish()
            return
        if len(body) or method in _BODY_METHODS:
            headers = [*headers, ("Content-Length", str(len(body)))]
        head = self._begin(method, target, headers)
        await self._send([head, *make_data(body), h11.EndOfMessage()])

    async def start(
        self, method: str, target: str, headers: HeaderList, first: Octets = b""
    ) -> None:
        """Send the head of a request whose body follows: chunked, unless Content-Length is given.

        :param first: octets of the body that are there already; they leave together with the head.

        Header names go out in the case given; Host is added.
        """
        names = {name.lower() for name, _ in headers}
        if not names & {"content-length", "transfer-encoding"}:
            headers = [*headers, ("Transfer-Encoding", "chunked")]
        await self._send([self._begin(method, target, headers), *make_data(first)])

    async def send(self, data: Octets) -> None:
        """Send some of the body.

        :raises ClosedError: the server takes no more; it may have answered all the same.
        """
        if len(data):
            await self._send(make_data(data))

    async def finish(self, last: Octets = b"") -> None:
        """Send the last of the body and end the request."""
        await self._send([*make_data(last), h11.EndOfMessage()])

    async def receive_head(self) -> ResponseHead:
        """Wait for the answer; interim (1xx) responses are skipped.

        :raises HttpError: malformed. :raises ClosedError: the server hung up instead.
        :raises TimedOutError: it took longer than ``timeout``.
        """
        for _ in range(_INTERIM_LIMIT):
            event = await self._event()
            if isinstance(event, h11.Response):
                reason = bytes(event.reason).decode("latin-1")
                return ResponseHead(event.status_code, reason, read_headers(event))
            if not isinstance(event, h11.InformationalResponse):
                raise ClosedError("the server closed the connection without an answer")
        raise HttpError("the server sends interim responses without end")

    async def receive(self) -> bytes:
        """Some octets of the body; ``b""`` at its end. Errors as ``receive_head``."""
        if self._http.h11.their_state is not h11.SEND_BODY:
            return b""
        event = await self._event()
        if isinstance(event, h11.Data):
            return bytes(event.data)
        if self._framing is Framing.UNTIL_CLOSE and self.stream.cut_off:
            raise ClosedError("the connection was cut in a message that ends with it")
        return b""

    async def aclose(self) -> None:
        """Close the connection."""
        await self.stream.aclose()

    def _begin(self, method: str, target: str, headers: HeaderList) -> h11.Request:
        if self._began:
            self._http.next_message()
        if all(name.lower() != "host" for name, _ in headers):
            headers = [("Host", self._authority), *headers]
        head = make_request(method, target, headers)
        self._began = True
        self._method = method.encode("ascii")
        return head

    async def _send(self, events: list[h11.Event]) -> None:
        await self._http.send(*events, pace=self._pace())

    async def _event(self) -> h11.Event:
        return await self._http.event(self._pace())

    def _pace(self) -> Pace:
        return Pace(gap=self.timeout, rate=self.rate)

    def _check_head(self, head: bytes) -> tuple[Framing, int]:
        framing, size = check_response(head, self._method)
        self._framing = framing
        return framing, size


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
