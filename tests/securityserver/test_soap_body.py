"""A SOAP body coming in: the message first, attachments only when they are asked for."""

from __future__ import annotations

import pytest

from xgate.errors import Fault
from xgate.sandbox.messages import multipart_related
from xgate.securityserver.send import PartEvent
from xgate.securityserver.soap_body import SoapBody
from xgate.wire.attachments import SoapBodyReader
from xgate.wire.parts import PartBegin, PartData

FILES = [("text/plain", b"one"), ("image/png", b"")]
KIND, OCTETS = multipart_related(b"<a/>", FILES)


class Source:
    """Gives octets in pieces and counts how often it was asked."""

    def __init__(self, octets: bytes, size: int) -> None:
        self.left = [octets[i : i + size] for i in range(0, len(octets), size)]
        self.asked = 0

    async def __call__(self) -> bytes:
        self.asked += 1
        return self.left.pop(0) if self.left else b""


@pytest.mark.parametrize("size", [1, 13, 10_000])
async def test_message_then_attachments_however_cut(size: int) -> None:
    body = SoapBody(Source(OCTETS, size), SoapBodyReader(KIND), "client")
    head = await body.head()
    assert head.octets == b"<a/>"
    events: list[PartEvent] = []

    async def take(*taken: PartEvent) -> None:
        events.extend(taken)

    await body.pass_parts(take)
    assert [e.content_type for e in events if isinstance(e, PartBegin)] == [k for k, _ in FILES]
    assert b"".join(bytes(e.data) for e in events if isinstance(e, PartData)) == b"one"


async def test_nothing_is_read_before_it_is_asked_for() -> None:
    source = Source(OCTETS, 100)
    body = SoapBody(source, SoapBodyReader(KIND), "client")
    assert source.asked == 0
    await body.head()
    assert source.left


async def test_what_is_wrong_is_under_the_prefix() -> None:
    body = SoapBody(Source(b"", 1), SoapBodyReader(KIND), "client")
    with pytest.raises(Fault) as caught:
        await body.head()
    assert caught.value.code == "client.missing_soap"
