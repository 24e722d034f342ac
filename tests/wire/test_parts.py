"""The parts of a message: plain frozen values, shared by both ways a message can come."""

from __future__ import annotations

import pytest

from xgate.wire import attachments, mime, transport
from xgate.wire.parts import Head, PartBegin, PartData, PartEnd


def test_one_vocabulary_for_both_ways() -> None:
    assert transport.Head is attachments.Head is Head
    assert transport.PartBegin is attachments.PartBegin is PartBegin
    assert transport.PartData is mime.PartData is PartData
    assert transport.PartEnd is mime.PartEnd is PartEnd


def test_parts_are_frozen() -> None:
    head = Head("text/xml", (), b"<a/>")
    with pytest.raises(AttributeError):
        head.octets = b""  # type: ignore[misc]  # that it is refused is the point
    assert head == Head("text/xml", (), b"<a/>")
