"""TLS as X-Road needs it: pyOpenSSL on the descriptor of a non-blocking socket.

The rule: the handshake asks one question about the peer's certificate (``accept``), and everything
else about it is judged afterwards by whoever knows the message (pipeline 7, 16.1). A refusal tells
the peer by an alert, and the socket is closed only when the alert had time to arrive.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from contextlib import suppress

import outcome
import trio
from OpenSSL import SSL, crypto

from xgate.net.context import TlsContext
from xgate.net.errors import ClosedError, NetError, RefusedError, ResetError, TlsError
from xgate.net.stream import LINGER, Octets, SocketStream

__all__ = ["HANDSHAKE_TIMEOUT", "TlsStream", "accept_tls", "connect_tls"]

HANDSHAKE_TIMEOUT = 30.0
"""Seconds for a whole handshake (transport 1)."""

_RECORD = 16384  # most plain octets of one TLS record
_EARLY = 4 * _RECORD
_CLOSE_TIMEOUT = 1.0
_REFUSALS = ("certificate", "unknown ca", "access denied", "handshake failure")  # alerts
_WOULD_BLOCK = (SSL.WantReadError, SSL.WantWriteError)


async def accept_tls(
    stream: SocketStream, context: TlsContext, *, timeout: float = HANDSHAKE_TIMEOUT
) -> TlsStream:
    """Do the server's side of a handshake; closes the stream if it fails.

    :param context: of the server kind (``peer_server_context``, ``information_system_context``).
    :raises TlsError: no common parameters, or the certificate was not accepted.
    :raises TimedOutError: not done within ``timeout`` seconds. :raises ClosedError: cut off.
    """
    connection = SSL.Connection(context.context, stream.socket)
    connection.set_accept_state()
    tls = TlsStream(stream, connection, context)
    await tls.shake_hands(timeout)
    return tls


async def connect_tls(
    stream: SocketStream,
    context: TlsContext,
    *,
    server_name: str = "",
    session_key: str = "",
    timeout: float = HANDSHAKE_TIMEOUT,
) -> TlsStream:
    """Do the client's side of a handshake; closes the stream if it fails. Errors as ``accept_tls``.

    :param context: of the client kind (``peer_client_context``, ``service_context``).
    :param server_name: sent as SNI unless blank; not verified here.
    :param session_key: names the server among the context's sessions; blank for no resumption.
    """
    connection = SSL.Connection(context.context, stream.socket)
    connection.set_connect_state()
    if server_name:
        connection.set_tlsext_host_name(server_name.encode("ascii"))
    session = context.find_session(session_key)
    if session is not None:
        connection.set_session(session)
    tls = TlsStream(stream, connection, context, session_key)
    await tls.shake_hands(timeout)
    return tls


class TlsStream:
    """A TLS connection; after ``shake_hands`` it has the interface of ``SocketStream``."""

    secure = True

    def __init__(
        self,
        stream: SocketStream,
        connection: SSL.Connection,
        context: TlsContext,
        session_key: str = "",
    ) -> None:
        self.peer_chain: tuple[bytes, ...] = ()
        self.cut_off = False
        self._stream = stream
        self._connection = connection
        self._context = context
        self._session_key = session_key
        self._broken = False
        self._early: outcome.Outcome[bytes] | None = None

    @property
    def deadline(self) -> float:
        """See ``Stream.deadline``."""
        return self._stream.deadline

    @deadline.setter
    def deadline(self, value: float) -> None:
        self._stream.deadline = value

    @property
    def peer_address(self) -> str:
        """The peer's IP address as text."""
        return self._stream.peer_address

    @property
    def peer_port(self) -> int:
        """The peer's TCP port."""
        return self._stream.peer_port

    @property
    def quiet(self) -> bool:
        """See ``Stream.quiet``."""
        unread = self._early is not None or self._connection.pending()
        return not self._broken and not unread and self._stream.quiet

    @property
    def heard(self) -> bool:
        """See ``Stream.heard``. What TLS itself has to say, such as session tickets, is no news."""
        self._listen()
        return self._early is not None

    @property
    def version(self) -> str:
        """The protocol agreed on, such as ``TLSv1.2``."""
        return self._connection.get_protocol_version_name()

    @property
    def cipher(self) -> str:
        """The suite agreed on, by OpenSSL's name."""
        return self._connection.get_cipher_name() or ""

    async def shake_hands(self, timeout: float) -> None:
        """Do the handshake; closes the stream if it fails. Errors as ``accept_tls``."""
        self.deadline = trio.current_time() + timeout
        try:
            await self._handshake()
        except TlsError:
            with suppress(SSL.Error):  # says goodbye if the handshake itself went well
                self._connection.shutdown()
            await self._stream.aclose(linger=LINGER)
            raise
        except BaseException:
            self._stream.close()
            raise
        self.deadline = math.inf

    async def receive(self, max_bytes: int = 65536) -> bytes:
        """See ``Stream.receive``; at most one record's worth.

        :raises TlsError: also when the peer refused our certificate: a TLS 1.3 client learns that
            only here.
        """
        deadline = self._stream.deadline
        await self._stream.give_way()
        if self._early is not None:
            return self._take_early(max_bytes)
        while True:
            try:
                return self._receive_now(min(max_bytes, _RECORD))
            except _WOULD_BLOCK as error:
                await self._wait_or_fail(error, deadline)

    def _listen(self) -> None:
        if self._early is None:
            self._early = self._receive_early()

    def _receive_early(self) -> outcome.Outcome[bytes] | None:
        """What the peer has said so far, or how it went; None if it has said nothing."""
        data = bytearray()
        while len(data) < _EARLY:
            piece = outcome.capture(self._receive_now, _RECORD)
            if isinstance(piece, outcome.Value) and piece.value:
                data += piece.value
            elif data:
                break  # how it ended shows when this has been received
            else:
                blocked = isinstance(piece, outcome.Error) and isinstance(piece.error, _WOULD_BLOCK)
                return None if blocked else piece
        return outcome.Value(bytes(data))

    def _take_early(self, max_bytes: int) -> bytes:
        assert self._early is not None
        early, self._early = self._early, None
        data = early.unwrap()
        if len(data) > max_bytes:
            self._early = outcome.Value(data[max_bytes:])
        return data[:max_bytes]

    def _receive_now(self, size: int) -> bytes:
        """What is there; ``SSL.WantReadError`` for nothing yet; errors as ``receive``."""
        try:
            return self._connection.recv(size)
        except SSL.ZeroReturnError:
            return b""
        except SSL.SysCallError as error:
            self._broken = True
            if error.args[0] != -1:
                raise _lost(error) from None
            # Peers that do not say goodbye are tolerated here (pipeline 16.4); who reads a
            # message that ends with the connection looks at cut_off.
            self.cut_off = True
            return b""
        except _WOULD_BLOCK:
            raise
        except SSL.Error as error:
            self._broken = True
            raise _failed(error) from None

    async def send_all(self, data: Octets) -> None:
        """See ``Stream.send_all``."""
        if self._broken:
            raise ClosedError("an earlier message was cut short on this connection")
        deadline = self._stream.deadline
        await self._stream.give_way()
        view = memoryview(data).cast("B")
        self._broken = True  # until all of it is out: half a record cannot be taken back
        while view:
            try:
                sent = self._connection.send(view[: 1 << 20])
            except SSL.SysCallError as error:
                raise _lost(error) from None
            except SSL.Error as error:
                await self._wait_or_fail(error, deadline)
                self._listen()  # once a send has failed OpenSSL gives nothing more
            else:
                view = view[sent:]
        self._broken = self.cut_off or isinstance(self._early, outcome.Error)

    async def send_vector(self, parts: Sequence[Octets]) -> None:
        """See ``Stream.send_vector``: small pieces share a record, big ones are not copied."""
        gathered: list[Octets] = []
        size = 0
        for part in parts:
            if size + len(part) > _RECORD and gathered:
                await self.send_all(b"".join(gathered))
                gathered, size = [], 0
            if len(part) > _RECORD:
                await self.send_all(part)
            else:
                gathered.append(part)
                size += len(part)
        if size:
            await self.send_all(b"".join(gathered))

    async def aclose(self, *, linger: float = 0.0) -> None:
        """Say goodbye (close_notify), waiting at most a second to get it out, and close."""
        try:
            if not self._broken:
                self._keep_session()
                await self._say_goodbye()
        finally:
            await self._stream.aclose(linger=linger)

    def _keep_session(self) -> None:
        if self._session_key and (session := self._connection.get_session()) is not None:
            self._context.keep_session(self._session_key, session)

    async def _say_goodbye(self) -> None:
        with trio.move_on_after(_CLOSE_TIMEOUT, shield=True), suppress(SSL.Error, NetError):
            while True:
                try:
                    self._connection.shutdown()
                except SSL.WantWriteError:
                    await self._stream.wait_writable(math.inf)
                else:
                    return

    async def _handshake(self) -> None:
        deadline = self._stream.deadline
        while True:
            try:
                self._connection.do_handshake()
            except SSL.SysCallError as error:
                raise _lost(error) from None
            except SSL.Error as error:
                await self._wait_or_fail(error, deadline)
            else:
                break
        self.peer_chain = _peer_chain(self._connection)
        accept = self._context.accept
        # A resumed session brings its certificate along without asking anyone: ask again.
        if accept is not None and not (self.peer_chain and accept(self.peer_chain[0])):
            raise TlsError("the peer's certificate is not accepted any more")

    async def _wait_or_fail(self, error: SSL.Error, deadline: float) -> None:
        if isinstance(error, SSL.WantReadError):
            await self._stream.wait_readable(deadline)
        elif isinstance(error, SSL.WantWriteError):
            await self._stream.wait_writable(deadline)
        else:
            self._broken = True
            raise _failed(error) from None

    def __repr__(self) -> str:
        return f"<TlsStream {self.peer_address}:{self.peer_port} {self.version} {self.cipher}>"


def _peer_chain(connection: SSL.Connection) -> tuple[bytes, ...]:
    """DER, leaf first. OpenSSL lists the leaf with the chain at a client, beside it at a server."""
    leaf = connection.get_peer_certificate()
    if leaf is None:
        return ()
    first = _der(leaf)
    chain = [_der(certificate) for certificate in connection.get_peer_cert_chain() or ()]
    return (first, *(chain[1:] if chain[:1] == [first] else chain))


def _der(certificate: crypto.X509) -> bytes:
    # Not by way of pyca's loader: it is strict, and what is presented here need not please it.
    return crypto.dump_certificate(crypto.FILETYPE_ASN1, certificate)


def _lost(error: SSL.SysCallError) -> ClosedError:
    code, _ = error.args
    if code == -1:
        return ClosedError("the connection broke: the peer closed it")
    return ResetError(f"the connection broke: {os.strerror(code)}")


def _failed(error: SSL.Error) -> TlsError:
    """OpenSSL's reasons, which tell an alert that came from one that went by the word alert."""
    entries = error.args[0] if error.args and isinstance(error.args[0], list) else []
    reasons = ", ".join(str(entry[2]) for entry in entries) or "unknown reason"
    if "alert" in reasons:
        refused = any(word in reasons for word in _REFUSALS)
        return (RefusedError if refused else TlsError)(f"the peer broke TLS off: {reasons}")
    return TlsError(f"TLS failed: {reasons}")
