"""What goes out is what is sealed, and the evidence comes last."""

from __future__ import annotations

import pytest

from xgate.net.body import Spool
from xgate.securityserver.send import PartEvent, PartSender, Sent, evidence_octets
from xgate.trust.seal import seal_of
from xgate.trust.verify import Evidence
from xgate.wire.parts import PartBegin, PartData, PartEnd
from xgate.wire.transport import (
    Chain,
    ChainResult,
    Event,
    Head,
    MessageReader,
    MessageWriter,
    Signature,
)

EVENTS: list[PartEvent] = [
    PartBegin(1, "text/plain", (("X-A", "b"),)),
    PartData(b"on"),
    PartData(b"e"),
    PartEnd(),
    PartBegin(2, "image/png", ()),
    PartEnd(),
]


async def send(sent: Sent) -> tuple[MessageWriter, bytearray]:
    writer = MessageWriter("a" * 30)
    octets = bytearray(writer.head("text/xml", (), b"<a/>"))

    async def write(data: bytes | memoryview) -> None:
        octets.extend(data)

    sent.message(b"<a/>")
    sender = PartSender(sent, writer, write)
    for event in EVENTS:
        await sender.take(event)
    return writer, octets


def read(writer: MessageWriter, octets: bytes) -> list[Event]:
    reader = MessageReader(writer.boundary, sender="server", protocol="SOAP")
    return [*reader.feed(octets), *reader.finish()]


async def test_the_seal_is_of_the_octets_that_went_out() -> None:
    sent = Sent(None)
    writer, octets = await send(sent)
    octets += evidence_octets(writer, Evidence(b"signature", b"result", b"chain"))
    events = read(writer, bytes(octets))
    assert sent.seal == seal_of(b"<a/>", [b"one", b""])
    assert isinstance(events[0], Head)
    assert b"".join(bytes(e.data) for e in events if isinstance(e, PartData)) == b"one"
    assert events[-3:] == [ChainResult(b"result"), Chain(b"chain"), Signature(b"signature")]
    assert sent.parts == []


async def test_parts_are_kept_only_when_they_are_logged() -> None:
    sent = Sent(lambda: Spool(limit=100))
    await send(sent)
    assert [part.spool.read() for part in sent.parts] == [b"one", b""]
    assert sent.parts[0].begin.content_type == "text/plain"
    sent.close()
    with pytest.raises(ValueError, match="closed"):
        sent.parts[0].spool.read()
