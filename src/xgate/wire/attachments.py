"""The HTTP body between an information system and its security server: SOAP, alone or first in a
multipart/related.

The rule: the first part is the message, every later one an attachment, octet for octet; ``start``
and the like say nothing. Multiparts within parts are flattened on reading, and the body is written
with the boundary that the other side's system chose. Sources: soap-protocol 3, 4 and 9; transport
4.2.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import msgspec

from xgate.errors import Fault
from xgate.wire.content_type import ContentType, find_charset, read_content_type
from xgate.wire.fields import (
    Headers,
    close_multipart,
    find_header,
    open_part,
    without_content_type,
)
from xgate.wire.mime import MimeEvent, MimeLimits, MultipartReader
from xgate.wire.mime import PartBegin as MimePart
from xgate.wire.parts import Head, PartBegin, PartData, PartEnd
from xgate.wire.xml import Bounds

__all__ = [
    "SOAP_TYPE",
    "BodyEvent",
    "BodyLimits",
    "Head",
    "PartBegin",
    "PartData",
    "PartEnd",
    "SoapBodyReader",
    "SoapBodyWriter",
]

SOAP_TYPE = "text/xml; charset=UTF-8"
"""The Content-Type of a body that is SOAP alone, whatever the other side's was."""

BodyEvent = Head | PartBegin | PartData | PartEnd

_SOAP_TYPES = ("text/xml", "application/xop+xml")


class BodyLimits(msgspec.Struct, frozen=True):
    """What a body may cost. Attachments stream, unlimited in size.

    :param head: octets of the message.
    :param attachments: their number.
    :param depth: how deep multiparts may be nested.
    :param nested: how many multiparts there may be within.
    :param xml: of the message's form, for whoever reads it.
    :param claim: told of octets of the message before they are kept; may raise to refuse them.
    """

    head: int = 10 * 1024 * 1024
    attachments: int = 10_000
    depth: int = 10
    nested: int = 100
    mime: MimeLimits = MimeLimits(excess="mime_parsing_failed")
    xml: Bounds = Bounds()
    claim: Callable[[int], None] | None = None


class SoapBodyReader:
    """Reads a body as it arrives: one ``Head``, then attachments.

    :param content_type: of the HTTP message.
    :param answer: the body comes from a service, and is called so when it is missing.
    :raises Fault: ``internal_error`` for a blank content type or an unknown charset;
        ``invalid_content_type`` for any other than the three that carry SOAP.
    """

    def __init__(
        self, content_type: str, *, answer: bool = False, limits: BodyLimits | None = None
    ) -> None:
        if not content_type.strip():
            raise Fault("internal_error", "Could not get content type")
        whole = read_content_type(content_type)
        if find_charset(whole.parameters.get("charset", "utf-8")) is None:
            raise Fault("internal_error", f"Unknown charset '{whole.parameters['charset']}'")
        multipart = whole.base == "multipart/related" and whole.boundary is not None
        if not multipart and whole.base not in _SOAP_TYPES:
            raise Fault("invalid_content_type", f"Invalid content type: {whole.base}")
        self._content_type = content_type
        self._answer = answer
        self._limits = limits or BodyLimits()
        # From the body's own multipart to the innermost one that has begun.
        self._readers: list[MultipartReader] = []
        if multipart:
            self._readers.append(MultipartReader(whole.boundary, self._limits.mime))
        self._alone = not multipart
        self._headers: Headers = ()
        self._head: bytearray | None = bytearray()  # None once the message was given out
        self._in_head = False
        self._number = 0
        self._nested = 0
        self._fault: Fault | None = None

    def feed(self, data: bytes | memoryview) -> list[BodyEvent]:
        """The events that the next octets bring. ``data`` may be reused afterwards.

        :raises Fault: ``invalid_content_type`` for a part without one, and for a first part that
            is not SOAP; ``mime_parsing_failed``; ``invalid_message`` for too large a message.
            Never before the events that came first.
        """
        return self._run(lambda events: self._feed(data, events))

    def finish(self) -> list[BodyEvent]:
        """The events that the end of the octets brings; always to be called, unless a fault came.

        :raises Fault: what ``feed`` found after its last event; ``missing_soap``, or
            ``invalid_message`` when a service sent no part.
        """
        events = self._run(self._finish)
        if self._fault is not None:
            raise self._fault
        if self._head is not None:
            if self._answer:
                raise Fault("invalid_message", "No response message received from service")
            raise Fault("missing_soap", "Request does not contain SOAP message")
        return events

    def _run(self, read: Callable[[list[BodyEvent]], None]) -> list[BodyEvent]:
        if self._fault is not None:
            raise self._fault
        events: list[BodyEvent] = []
        try:
            read(events)
        except Fault as fault:
            self._fault = fault
            if not events:
                raise
        return events

    def _feed(self, data: bytes | memoryview, events: list[BodyEvent]) -> None:
        if self._alone:
            self._gather(data)
        else:
            self._take(0, self._readers[0].feed(data), events)

    def _finish(self, events: list[BodyEvent]) -> None:
        if self._alone:
            self._give_head(events)
        else:
            self._take(0, self._readers[0].finish(), events)

    def _take(self, level: int, found: list[MimeEvent], events: list[BodyEvent]) -> None:
        """Hand on what the reader at ``level`` found: to the reader within, if there is one."""
        for event in found:
            inner = self._readers[level + 1] if len(self._readers) > level + 1 else None
            if isinstance(event, MimePart):
                self._begin(event.headers, events)
            elif isinstance(event, PartData):
                if inner is not None:
                    self._take(level + 1, inner.feed(event.data), events)
                elif self._in_head:
                    self._gather(event.data)
                else:
                    events.append(event)
            elif isinstance(event, PartEnd):
                if inner is not None:
                    self._take(level + 1, inner.finish(), events)
                    self._readers.pop()
                elif self._in_head:
                    self._give_head(events)
                else:
                    events.append(event)

    def _begin(self, headers: Headers, events: list[BodyEvent]) -> None:
        content_type = find_header(headers, "content-type")
        if content_type is None:
            raise Fault("invalid_content_type", "Could not get content type for part")
        parsed = read_content_type(content_type)
        if self._maybe_nest(parsed):
            return
        if self._head is not None:
            if parsed.base not in _SOAP_TYPES:
                raise Fault("invalid_content_type", f"Invalid content type: {parsed.base}")
            self._content_type = content_type
            self._headers = without_content_type(headers)
            self._in_head = True
            return
        self._number += 1
        if self._number > self._limits.attachments:
            text = f"There are more than {self._limits.attachments} attachments"
            raise Fault("invalid_message", text)
        events.append(PartBegin(self._number, content_type, without_content_type(headers)))

    def _maybe_nest(self, content_type: ContentType) -> bool:
        """Go into a multipart, or into a message that is a part; their own header is dropped."""
        multipart = content_type.base.startswith("multipart/") and content_type.boundary
        if not multipart and content_type.base != "message/rfc822":
            return False
        self._nested += 1
        if len(self._readers) >= self._limits.depth:
            text = f"Multiparts are nested deeper than {self._limits.depth}"
            raise Fault("mime_parsing_failed", text)
        if self._nested > self._limits.nested:
            text = f"There are more than {self._limits.nested} multiparts within one"
            raise Fault("mime_parsing_failed", text)
        self._readers.append(MultipartReader(multipart or None, self._limits.mime))
        return True

    def _gather(self, data: bytes | memoryview) -> None:
        if self._head is None or len(self._head) + len(data) > self._limits.head:
            text = f"The SOAP message is larger than {self._limits.head} bytes"
            raise Fault("invalid_message", text)
        if self._limits.claim is not None:
            self._limits.claim(len(data))
        self._head += data

    def _give_head(self, events: list[BodyEvent]) -> None:
        events.append(Head(self._content_type, self._headers, bytes(self._head or b"")))
        self._head = None
        self._in_head = False


class SoapBodyWriter:
    """Writes a body for an information system, in the form that the other side's system used.

    :param original_content_type: what that system sent (``x-original-content-type``).
    :param attachments: whether any will follow the message.
    :param answer: the body is an answer, and promises UTF-8.
    :raises Fault: ``internal_error`` when there are attachments but no boundary for them; from
        every method ``mime_parsing_failed`` when a part holds the boundary: nobody signed the
        content type that names it, so whoever reads the body could be shown other parts.
    """

    def __init__(
        self, original_content_type: str, *, attachments: bool, answer: bool = False
    ) -> None:
        original = read_content_type(original_content_type)
        multipart = attachments or original.base == "multipart/related"
        self._boundary = original.boundary if multipart else None
        if attachments and self._boundary is None:
            raise Fault("internal_error", "The original content type has no boundary")
        # The reference writes the lone part's header with a blank, and without one otherwise.
        self._blank = not attachments
        self._watch = _Watch(self._boundary)
        self.content_type = SOAP_TYPE
        """For the HTTP head."""
        if self._boundary is not None:
            self.content_type = _in_utf8(original_content_type) if answer else original_content_type

    def head(self, content_type: str, headers: Sequence[tuple[str, str]], octets: bytes) -> bytes:
        """The message, as its part had it."""
        if self._boundary is None:
            return octets
        opening = open_part(self._boundary, content_type, headers, first=True, blank=self._blank)
        self._watch.begin()
        self._watch.look(octets)
        return opening + octets

    def part_begin(self, content_type: str, headers: Sequence[tuple[str, str]]) -> bytes:
        """Begin an attachment."""
        if self._boundary is None or self._blank:
            raise RuntimeError("no attachments were announced")
        self._watch.begin()
        return open_part(self._boundary, content_type, headers, first=False, blank=False)

    def part_data(self, data: bytes | memoryview) -> bytes | memoryview:
        """A piece of an attachment: as it is."""
        self._watch.look(data)
        return data

    def part_end(self) -> bytes:
        """End an attachment: nothing is written."""
        return b""

    def close(self) -> bytes:
        """The end of the body."""
        if self._boundary is None:
            return b""
        self._watch.begin()
        return close_multipart(self._boundary)


class _Watch:
    """Looks for a delimiter line in the content of parts, wherever the pieces are cut."""

    def __init__(self, boundary: str | None) -> None:
        needle = b"\n--" + (boundary or "").encode("latin-1")
        self._pattern = re.compile(re.escape(needle) + rb"(?:--|[ \t\r\n])")
        self._kept = len(needle) + 1
        self._last = b""

    def begin(self) -> None:
        """A part ends, and another may begin: both at the end of a line."""
        self.look(b"\r\n")
        self._last = b"\n"

    def look(self, data: bytes | memoryview) -> None:
        window = b"".join((self._last, data))
        if self._pattern.search(window):
            raise Fault("mime_parsing_failed", "A part holds the boundary of its multipart")
        self._last = window[-self._kept :]


_CHARSET = re.compile(r"""(;\s*charset\s*=\s*)("[^"]*"|[^;\s]*)""", re.IGNORECASE)


def _in_utf8(content_type: str) -> str:
    """The content type with ``utf-8`` as its charset (soap-protocol 3, multipart response)."""
    charset = read_content_type(content_type).parameters.get("charset")
    if charset is None:
        return f"{content_type};charset=utf-8"
    if charset.lower() == "utf-8":
        return content_type
    return _CHARSET.sub(r"\1utf-8", content_type, count=1)
