"""A message from another server: sealed and spooled as it passes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from xgate.errors import Fault
from xgate.net.body import Spool
from xgate.securityserver.receive import Received, receive_message
from xgate.trust.seal import seal_of
from xgate.trust.verify import Evidence
from xgate.wire.faults import write_soap_fault
from xgate.wire.transport import REST_REQUEST, REST_RESPONSE, MessageReader, MessageWriter

TOKEN = "a" * 30


def request(*, body: bytes = b"body", signed: bool = True) -> tuple[str, bytes]:
    writer = MessageWriter(TOKEN)
    octets = writer.ocsp(b"0\0") + writer.head(REST_REQUEST, (), b"GET\r\n/r1\r\n")
    octets += writer.part_begin() + bytes(writer.part_data(body)) + writer.part_end()
    if signed:
        octets += writer.evidence(b"signature", b"result", b"chain")
    return writer.boundary, octets + writer.close()


def pieces(octets: bytes, size: int) -> Callable[[], Awaitable[bytes]]:
    left = [octets[i : i + size] for i in range(0, len(octets), size)]

    async def read() -> bytes:
        return left.pop(0) if left else b""

    return read


async def nothing() -> None:
    """Nobody looks at the head."""


def keep() -> Spool:
    return Spool(limit=1 << 20)


@pytest.mark.parametrize("size", [1, 7, 10_000])
async def test_everything_is_there_however_it_was_cut(size: int) -> None:
    boundary, octets = request()
    received = Received(keep)
    heads = []

    async def on_head() -> None:
        heads.append((received.octets, len(received.parts)))

    reader = MessageReader(boundary, sender="client", protocol="REST")
    await receive_message(received, reader, pieces(octets, size), on_head)
    assert heads == [(b"GET\r\n/r1\r\n", 0)]
    assert received.ocsp == [b"0\0"]
    assert [part.spool.read() for part in received.parts] == [b"body"]
    assert received.seal == seal_of(b"GET\r\n/r1\r\n", [b"body"])
    assert received.evidence == Evidence(b"signature", b"result", b"chain")
    received.close()
    with pytest.raises(ValueError, match="closed"):
        received.parts[0].spool.read()


async def test_a_refused_head_stops_the_reading() -> None:
    boundary, octets = request()
    received = Received(keep)

    async def refuse() -> None:
        raise Fault("unknown_member", "no")

    reader = MessageReader(boundary, sender="client", protocol="REST")
    with pytest.raises(Fault, match="unknown_member"):
        await receive_message(received, reader, pieces(octets, 10_000), refuse)
    assert received.parts == []


async def test_a_message_without_signature_is_refused() -> None:
    boundary, octets = request(signed=False)
    received = Received(keep)
    reader = MessageReader(boundary, sender="client", protocol="REST")
    with pytest.raises(Fault, match="missing_signature"):
        await receive_message(received, reader, pieces(octets, 50), nothing)
    with pytest.raises(Fault, match="missing_signature"):
        _ = received.evidence


async def test_a_fault_in_place_of_the_signature_is_kept_whole() -> None:
    writer = MessageWriter(TOKEN)
    fault = write_soap_fault(Fault("server.serverproxy.logging_failed", "full", detail="id"))
    octets = writer.head(REST_RESPONSE, (), b"200\r\nOK\r\n") + writer.fault(fault) + writer.close()
    received = Received(keep)
    reader = MessageReader(writer.boundary, sender="server", protocol="REST")
    await receive_message(received, reader, pieces(octets, 9), nothing)
    assert received.fault is not None
    assert received.fault.code == "server.serverproxy.logging_failed"
    assert received.fault.raw == fault
