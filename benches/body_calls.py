"""A service and a caller for bodies that are made as they leave and judged as they come.

The rule: nobody here holds a body. Both ends know what its octets must be, keep a checksum, and
tell a body that came short, long or changed.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from random import Random

import msgspec
import trio

from xgate.net.client import ClientConnection, ResponseHead, connect
from xgate.net.errors import NetError
from xgate.net.server import Exchange
from xgate.sandbox.country import CONSUMER, PROVIDER, Country
from xgate.sandbox.messages import multipart_related, rest_url, soap_request

__all__ = [
    "SERVICES",
    "CallError",
    "call_rest",
    "call_soap",
    "connected",
    "only_error",
    "serve_bodies",
    "wait_served",
]

SERVICES = f"""
[[client.service]]
code = "bodies"
type = "REST"
url = "{{base}}"
allow = ["{CONSUMER.short}"]

[[client.service]]
code = "bodies"
version = "v1"
type = "SOAP"
url = "{{base}}/soap"
allow = ["{CONSUMER.short}"]
"""
"""What ``serve_bodies`` is, for the settings of the provider."""

_PIECE = Random(0).randbytes(1 << 17)
_WANTED = re.compile(rb"answer=([0-9]+)")
_TAKEN = re.compile(rb"taken=([0-9]+)-([0-9]+)")
_ENVELOPE = re.compile(rb"<\?xml.*?</e:Envelope>", re.DOTALL)
_FIRST = 1 << 16
_READY_SECONDS = 20.0


class CallError(Exception):
    """An exchange that did not do what it should; the text says what came instead."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class _Sum(msgspec.Struct):
    """Size and checksum of octets that pass by, and the beginning of them."""

    size: int = 0
    crc: int = 0
    first: bytes = b""

    def take(self, data: bytes) -> None:
        self.size += len(data)
        self.crc = zlib.crc32(data, self.crc)
        if len(self.first) < _FIRST:
            self.first += data


def _pieces(size: int) -> list[bytes]:
    whole, rest = divmod(size, len(_PIECE))
    return [_PIECE] * whole + ([_PIECE[:rest]] if rest else [])


def _sum_of(*pieces: bytes) -> _Sum:
    total = _Sum()
    for piece in pieces:
        total.take(piece)
    return total


async def serve_bodies(exchange: Exchange) -> None:
    """Take a body, tell its size and checksum in the answer, and add as many octets as asked."""
    taken = _Sum()
    while data := await exchange.receive():
        taken.take(data)
    soap = exchange.target.startswith("/soap")
    wanted = _WANTED.search(taken.first if soap else exchange.raw_target)
    size = int(wanted[1]) if wanted else 0
    said = b"taken=%d-%d" % (taken.size, taken.crc)
    if not soap:
        await exchange.start(200, [("Content-Type", "application/octet-stream")])
        await exchange.send(said)
        for piece in _pieces(size):
            await exchange.send(piece)
        await exchange.finish()
        return
    found = _ENVELOPE.search(taken.first)
    assert found is not None, "the security server hands on what was signed"
    envelope = (
        found[0].replace(b"p:bodies", b"p:bodiesResponse").replace(b"answer=", said + b" of ")
    )
    kind, body = multipart_related(envelope, [("application/octet-stream", b"")])
    before, after = _around(body)
    await exchange.start(200, [("Content-Type", kind)])
    await exchange.send(before)
    for piece in _pieces(size):
        await exchange.send(piece)
    await exchange.finish(after)


@asynccontextmanager
async def connected(country: Country) -> AsyncIterator[ClientConnection]:
    """A connection to the consumer's security server."""
    connection = await connect(country.consumer.address, country.ports.client)
    try:
        yield connection
    finally:
        await connection.aclose()


async def wait_served(country: Country) -> None:
    """Wait until messages of both protocols pass: servers that have just started lack OCSP.

    :raises TooSlowError: they do not.
    """
    with trio.fail_after(_READY_SECONDS):
        while True:
            try:
                async with connected(country) as connection:
                    await call_rest(connection, 1, 1)
                    await call_soap(connection, 1, 1, "ready")
                    return
            except (CallError, NetError):
                await trio.sleep(0.2)


async def call_rest(
    connection: ClientConnection, up: int, down: int, *, service: str = "bodies"
) -> None:
    """One REST exchange with ``up`` octets there and ``down`` octets back.

    :raises CallError: a fault, or octets that are not what was sent.
    """
    pieces = _pieces(up)
    target = rest_url("", 0, PROVIDER, service, f"/any?answer={down}").partition(":0")[2]
    headers = [("X-Road-Client", CONSUMER.url), ("Content-Length", str(up))]
    await connection.start("POST", target, headers)
    for piece in pieces:
        await connection.send(piece)
    await connection.finish()
    head, answer = await _answer(connection)
    if head.status != 200:
        raise CallError(head.find_header("x-road-error") or f"HTTP {head.status}")
    sent = _sum_of(*pieces)
    said = b"taken=%d-%d" % (sent.size, sent.crc)
    _check(answer, _sum_of(said, *_pieces(down)))


async def call_soap(
    connection: ClientConnection, up: int, down: int, query: str, *, service: str = "bodies"
) -> None:
    """One SOAP exchange with an attachment each way; errors as ``call_rest``."""
    envelope = soap_request(CONSUMER, PROVIDER, service, query, content=f"answer={down}")
    kind, body = multipart_related(envelope, [("application/octet-stream", b"")])
    before, after = _around(body)
    pieces = _pieces(up)
    await connection.start("POST", "/", [("Content-Type", kind), ("SOAPAction", '""')], before)
    for piece in pieces:
        await connection.send(piece)
    await connection.finish(after)
    head, answer = await _answer(connection)
    if fault := re.search(rb"<faultcode[^>]*>([^<]*)<", answer.first):
        raise CallError(fault[1].decode("latin-1"))
    taken = _TAKEN.search(answer.first)
    sent = _sum_of(before, *pieces, after)
    # The security server writes the boundaries' surroundings anew: sizes differ by a little.
    if head.status != 200 or taken is None or not 0 <= int(taken[1]) - up <= sent.size - up + 512:
        raise CallError(f"HTTP {head.status}: {answer.first[:200]!r}")
    if not down <= answer.size <= down + 8192:
        raise CallError(f"{answer.size} octets came of {down}")


@contextmanager
def only_error() -> Iterator[None]:
    """Nurseries wrap what was raised in them: take it out."""
    try:
        yield
    except BaseExceptionGroup as group:
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise error from None


def _around(multipart: bytes) -> tuple[bytes, bytes]:
    """What comes before and after the content of the last part, which is empty."""
    cut = multipart.rindex(b"\r\n--")
    return multipart[:cut], multipart[cut:]


async def _answer(connection: ClientConnection) -> tuple[ResponseHead, _Sum]:
    head = await connection.receive_head()
    answer = _Sum()
    while data := await connection.receive():
        answer.take(data)
    return head, answer


def _check(came: _Sum, due: _Sum) -> None:
    if (came.size, came.crc) != (due.size, due.crc):
        raise CallError(f"{came.size} octets came instead of {due.size}, or others")
