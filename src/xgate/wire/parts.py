"""The parts of an X-Road message as events, whichever way the message came.

The rule: one head, then attachments (SOAP) or a body (REST) numbered from 1, in the order of the
octets; headers keep order, repetition and spelling, without Content-Type. ``PartData`` and
``PartEnd`` are those of ``wire.mime``. Sources: transport 4 and 6.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from xgate.wire.fields import Headers
from xgate.wire.mime import PartData, PartEnd

__all__ = ["Head", "PartBegin", "PartData", "PartEnd", "Protocol"]

Protocol = Literal["SOAP", "REST"]
"""Which of the two message protocols an exchange uses."""


class Head(msgspec.Struct, frozen=True):
    """The message itself: the SOAP envelope or the REST head, octet for octet as signed."""

    content_type: str
    headers: Headers
    octets: bytes


class PartBegin(msgspec.Struct, frozen=True):
    """Attachment ``number`` begins; its content follows as ``PartData`` up to ``PartEnd``."""

    number: int
    content_type: str
    headers: Headers
