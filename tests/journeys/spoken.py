"""Services at a port of the test: a bare socket that says what it was told to, and one with TLS."""

from __future__ import annotations

import re
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial

import trio

from xgate.clock import SystemClock
from xgate.net.context import TlsIdentity, information_system_context
from xgate.net.listen import listen_on, serve_listeners
from xgate.net.server import Handler, ServerLimits, serve_connection
from xgate.net.stream import SocketStream
from xgate.net.tls import accept_tls
from xgate.testing.pki import Credential

XML = "text/xml; charset=UTF-8"


def http(body: bytes, kind: str | None = XML, status: str = "200 OK", *more: str) -> bytes:
    """An answer as it should be, apart from what it says."""
    types = [] if kind is None else [f"Content-Type: {kind}"]
    lines = [f"HTTP/1.1 {status}", *types, *more, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


@asynccontextmanager
async def saying(port: int, *answers: bytes, reset: bool = False) -> AsyncIterator[list[bytes]]:
    """A service that reads each request to its end and sends what stands here; gives the requests.

    :param reset: tear the connection down instead of closing it.
    """
    heard: list[bytes] = []
    left = list(answers)

    async def serve(stream: trio.SocketStream) -> None:
        async with stream:
            while left:
                request = await _read_request(stream)
                if not request:
                    return
                heard.append(request)
                with suppress(trio.BrokenResourceError):  # who has heard enough hangs up
                    await stream.send_all(left.pop(0))
            if reset:
                at_once = struct.pack("ii", 1, 0)
                stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)

    async with trio.open_nursery() as nursery:
        await nursery.start(partial(trio.serve_tcp, serve, port, host="127.0.0.1"))
        yield heard
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def interrupting(port: int, answer: bytes) -> AsyncIterator[None]:
    """A service that answers when it has heard the head, and hangs up on the rest."""

    async def serve(stream: trio.SocketStream) -> None:
        async with stream:
            await stream.receive_some(1000)
            await stream.send_all(answer)

    async with trio.open_nursery() as nursery:
        await nursery.start(partial(trio.serve_tcp, serve, port, host="127.0.0.1"))
        yield
        nursery.cancel_scope.cancel()


async def _read_request(stream: trio.SocketStream) -> bytes:
    octets = b""
    while not _is_whole(octets):
        data = await stream.receive_some()
        if not data:
            break
        octets += data
    return octets


def _is_whole(octets: bytes) -> bool:
    head, end, body = octets.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    if b"chunked" in head.lower():
        return body.endswith(b"0\r\n\r\n")
    return bool(end) and len(body) >= int(length[1] if length else 0)


@asynccontextmanager
async def https_desk(
    port: int, shown: Credential, serve: Handler
) -> AsyncIterator[list[tuple[bytes, ...]]]:
    """The desk again, over TLS; gives the certificate chains that callers showed."""
    context = information_system_context(TlsIdentity(shown.key, (shown.certificate.der,)))
    chains: list[tuple[bytes, ...]] = []

    async def handle(stream: SocketStream) -> None:
        tls = await accept_tls(stream, context)
        chains.append(tls.peer_chain)
        await serve_connection(tls, serve, ServerLimits(), SystemClock())

    async with trio.open_nursery() as nursery:
        listeners = await listen_on("127.0.0.1", port)
        await nursery.start(partial(serve_listeners, listeners, handle))
        yield chains
        nursery.cancel_scope.cancel()
