"""MIME multiparts as a flow of events.

The rule: a delimiter stands at the start of a line and is followed by a blank, a line end or
``--``; everything else is content, handed on as it is (no transfer encoding is ever undone). The
reader sees only octets that were fed, keeps back no more than a delimiter could need, and gives
the same events however the octets were cut. A fault comes after the events before it. Sources:
transport 4 (reader), soap-protocol 4; RFC 2046 5.1.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NoReturn

import msgspec

from xgate.errors import Fault
from xgate.wire.content_type import ContentType, read_content_type
from xgate.wire.fields import Headers, check_field

__all__ = [
    "ContentType",
    "Headers",
    "MimeEvent",
    "MimeLimits",
    "MultipartEnd",
    "MultipartReader",
    "PartBegin",
    "PartData",
    "PartEnd",
    "read_content_type",
]


class MimeLimits(msgspec.Struct, frozen=True):
    """What a part's header may cost; the first three are the reference's (transport 4).

    :param line: octets of a line with its end; as many are too many: ``mime_parsing_failed``.
    :param field: octets of a folded field; as many are too many: ``excess``.
    :param fields: number of fields; more are too many: ``excess``.
    :param header: octets of all fields; more are too many: ``excess``.
    :param headers: octets of the headers of all parts; more are too many: ``excess``.
    :param excess: the code for the last four.
    """

    line: int = 1000
    field: int = 10_000
    fields: int = 1000
    header: int = 256 * 1024
    headers: int = 4 * 1024 * 1024
    excess: str = "internal_error"


class PartBegin(msgspec.Struct, frozen=True):
    """A part's header has been read."""

    headers: Headers


class PartData(msgspec.Struct, frozen=True):
    """A piece of the content of the part that began last; never empty."""

    data: bytes | memoryview


class PartEnd(msgspec.Struct, frozen=True):
    """The content of the part is over."""


class MultipartEnd(msgspec.Struct, frozen=True):
    """The closing delimiter has been read; whatever follows is ignored."""


MimeEvent = PartBegin | PartData | PartEnd | MultipartEnd


class MultipartReader:
    """Reads one multipart; parts within parts are content here.

    :param boundary: as the Content-Type gave it; None reads one entity instead: a header, then
        content up to the end.
    :raises Fault: ``invalid_content_type`` for a boundary that no line can hold.
    """

    def __init__(self, boundary: str | None, limits: MimeLimits | None = None) -> None:
        if boundary is not None and not _BOUNDARY.fullmatch(boundary):
            raise Fault("invalid_content_type", "Multipart content type has a bad boundary")
        self._needle = None if boundary is None else b"\n--" + boundary.encode("latin-1")
        self._fields = _FieldReader(limits or MimeLimits())
        self._state: _State = self._header if self._needle is None else self._preamble
        # As if a line had ended, so that the first delimiter may come at once.
        self._held = b"" if self._needle is None else b"\n"
        self._fresh = True  # the window begins with the line end that came before the content
        self._fault: Fault | None = None
        self.ended = False
        """Whether the closing delimiter was seen; a multipart that just stops has none."""

    def feed(self, data: bytes | memoryview) -> list[MimeEvent]:
        """The events that the next octets bring. ``data`` may be reused afterwards.

        :raises Fault: ``mime_parsing_failed`` or the limits' code; never before the events that
            came before it have been given out.
        """
        self._check_fault()
        events: list[MimeEvent] = []
        window = b"".join((self._held, data))
        position = 0
        try:
            while True:
                state = self._state
                moved = state(window, position, events)
                if moved == position and self._state == state:
                    break
                position = moved
        except Fault as fault:
            self._fault = fault
            if not events:
                raise
        self._held = window[position:]
        return events

    def finish(self) -> list[MimeEvent]:
        """The events that the end of the octets brings. A cut multipart is no fault (``ended``).

        A part counts from the moment its header is complete.

        :raises Fault: one that ``feed`` found after its last event.
        """
        self._check_fault()
        events: list[MimeEvent] = []
        if self._state == self._header:
            self._maybe_cut_header(self._held, events)
        elif self._state == self._body:
            rest = self._held.removeprefix(b"\r")
            if self._needle is None or rest not in (self._needle, self._needle + b"-"):
                _add_data(events, memoryview(self._held)[self._fresh :])
            events.append(PartEnd())
        self._held = b""
        self._state = self._epilogue
        return events

    def _check_fault(self) -> None:
        if self._fault is not None:
            raise self._fault

    # Each state takes the window and a position, adds events, and returns the position up to which
    # all is done. When a state neither moves nor hands over, the rest of the window is held.

    def _preamble(self, window: bytes, position: int, events: list[MimeEvent]) -> int:
        content_end, after = self._find_delimiter(window, position)
        if after and self.ended:
            events.append(MultipartEnd())
        return after or content_end

    def _body(self, window: bytes, position: int, events: list[MimeEvent]) -> int:
        content_end, after = self._find_delimiter(window, position)
        _add_data(events, memoryview(window)[position + self._fresh : content_end])
        if after:
            events.append(PartEnd())
            if self.ended:
                events.append(MultipartEnd())
            return after
        if content_end > position:
            self._fresh = False
        return content_end

    def _rest_of_line(self, window: bytes, position: int, events: list[MimeEvent]) -> int:
        line_end = window.find(b"\n", position)
        if line_end < 0:
            return len(window)
        self._state = self._epilogue if self.ended else self._header
        return line_end + 1

    def _epilogue(self, window: bytes, position: int, events: list[MimeEvent]) -> int:
        return len(window)

    def _header(self, window: bytes, position: int, events: list[MimeEvent]) -> int:
        line_end = window.find(b"\n", position)
        line = window[position : line_end + 1 if line_end >= 0 else len(window)]
        self._fields.check_line(line)
        if line_end < 0:
            return position
        if line in (b"\n", b"\r\n"):
            events.append(PartBegin(self._fields.take()))
            self._fresh = True
            self._state = self._body
            return line_end  # the line end stays: a delimiter may follow at once
        if not self._maybe_cut_header(line, events):
            self._fields.add(line)
        return line_end + 1

    def _maybe_cut_header(self, line: bytes, events: list[MimeEvent]) -> bool:
        """A delimiter line right in a header: a part without content."""
        if self._needle is None or not line.startswith(self._needle[1:]):
            return False
        tail = line[len(self._needle) - 1 :]
        self.ended = tail.startswith(b"--")
        if not self.ended and tail not in (b"", b"-") and tail[:1] not in _BLANK_OR_END:
            return False
        events += [PartBegin(self._fields.take()), PartEnd()]
        if self.ended:
            events.append(MultipartEnd())
            self._state = self._epilogue
        return True

    def _find_delimiter(self, window: bytes, position: int) -> tuple[int, int]:
        """Where the content ends so far, and the place after the delimiter, or 0 without one."""
        needle = self._needle
        if needle is None:
            return len(window), 0
        found = window.find(needle, position)
        while found >= 0:
            after = found + len(needle)
            following = window[after : after + 2]
            if following in (b"", b"-"):
                return _without_cr(window, position, found), 0
            if following == b"--" or following[:1] in _BLANK_OR_END:
                self.ended = following == b"--"
                self._state = self._rest_of_line
                return _without_cr(window, position, found), after
            found = window.find(needle, after)
        end = len(window)
        line_end = window.rfind(b"\n", max(position, end - len(needle)))
        if line_end >= 0 and needle.startswith(window[line_end:]):
            end = line_end
        return _without_cr(window, position, end), 0


_State = Callable[[bytes, int, list[MimeEvent]], int]


class _FieldReader:
    """Gathers the lines of one header at a time into fields; a field without a name is skipped."""

    def __init__(self, limits: MimeLimits) -> None:
        self._limits = limits
        self._total = 0
        self._reset()

    def _reset(self) -> None:
        self._lines: list[bytes] = []
        self._field_size = 0
        self._size = 0
        self._count = 0
        self._fields: list[tuple[str, str]] = []

    def check_line(self, line: bytes) -> None:
        """Refuse a line that is too long, whether it has ended or not."""
        if len(line) >= self._limits.line:
            text = f"Maximum line length limit exceeded: {self._limits.line} bytes"
            raise Fault("mime_parsing_failed", text)

    def add(self, line: bytes) -> None:
        if not self._lines or line[:1] not in (b" ", b"\t"):
            self._end_field()
            self._count += 1
        self._lines.append(line)
        self._field_size += len(line)
        self._size += len(line)
        self._total += len(line)
        limits = self._limits
        if self._count > limits.fields:
            self._refuse(f"Maximum header limit exceeded: {limits.fields} fields")
        if self._size > limits.header:
            self._refuse(f"Maximum header limit exceeded: {limits.header} bytes of one part")
        if self._total > limits.headers:
            self._refuse(f"Maximum header limit exceeded: {limits.headers} bytes of all parts")
        if self._field_size >= limits.field:
            self._refuse(f"Maximum header length limit exceeded: {limits.field} bytes")

    def _refuse(self, text: str) -> NoReturn:
        raise Fault(self._limits.excess, text)

    def take(self) -> Headers:
        self._end_field()
        fields = tuple(self._fields)
        self._reset()
        return fields

    def _end_field(self) -> None:
        name, colon, value = b"".join(line.rstrip(b"\r\n") for line in self._lines).partition(b":")
        self._lines = []
        self._field_size = 0
        name = name.rstrip(b" \t")
        if not colon or not _NAME.fullmatch(name):
            return
        text = value.strip(b" \t").decode("latin-1")
        check_field(text)
        self._fields.append((name.decode("ascii"), text))


_BLANK_OR_END = (b" ", b"\t", b"\r", b"\n")
_NAME = re.compile(rb"[!-9;-~]+")
_BOUNDARY = re.compile(r"[\x20-\x7e\xa0-\xff]{0,199}[\x21-\x7e\xa0-\xff]")


def _without_cr(window: bytes, position: int, end: int) -> int:
    """The end of the content: a CR just before it belongs to the line end, or might."""
    return end - (end > position and window[end - 1 : end] == b"\r")


def _add_data(events: list[MimeEvent], data: memoryview) -> None:
    if data:
        events.append(PartData(data))
