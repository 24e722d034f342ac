"""What h11 never gets to see: the filter between the socket and h11.

The rule: the filter reads the framing by itself and hands on only octets that every HTTP reader
understands in one way: CRLF line ends, one framing header, canonical chunk lines. Whatever two
readers could read differently is refused, and the connection with it. It lets through one message
at a time, so h11 and the filter cannot come to differ about where a message ends.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum, auto

from xgate.net.errors import HttpError

__all__ = [
    "FIELD_LIMIT",
    "HEAD_LIMIT",
    "Framing",
    "Headers",
    "StrictFilter",
    "check_request",
    "check_response",
]

HEAD_LIMIT = 8192
"""Octets of a request line with its headers (rest-protocol 1); of trailers, too."""

FIELD_LIMIT = 200
"""Headers of one message, and trailers."""

_CHUNK_LINE_LIMIT = 256

Headers = list[tuple[bytes, bytes]]
"""Names in lower case, with their values."""


class Framing(Enum):
    """How the end of a message is found."""

    SIZED = auto()
    CHUNKED = auto()
    UNTIL_CLOSE = auto()
    INTERIM = auto()
    """No body, and another head follows (a 1xx response)."""


class StrictFilter:
    """One direction of a connection. Sans-I/O; the pieces' borders do not matter.

    :param check_head: judges a head (without its blank line) and tells how its body ends; raises
        ``HttpError``. See ``check_request`` and ``check_response``.
    :param limit: octets a head may have. :param fields: headers it may have.
    """

    def __init__(
        self,
        check_head: Callable[[bytes], tuple[Framing, int]],
        limit: int = HEAD_LIMIT,
        fields: int = FIELD_LIMIT,
    ) -> None:
        self._check_head = check_head
        self._limit = limit
        self._fields = fields
        self._held = b""
        self._step: Callable[[], bool] = self._leading_line
        self._left = 0
        self._cut = False  # inside of a chunk's line end
        self._approved: list[bytes] = []
        self._error: HttpError | None = None

    @property
    def begun(self) -> bool:
        """True once an octet of the present message has arrived."""
        return bool(self._held) or self._step != self._leading_line

    @property
    def surplus(self) -> bool:
        """True if octets wait here that belong to no complete piece of the present message."""
        return bool(self._held)

    def feed(self, data: bytes) -> bytes:
        """Take octets from the wire, return those that may go on to h11.

        What came before an offence passes; the offence itself is raised when it is next asked for
        more, so that packets' borders do not decide who hears of it.

        :raises HttpError: with the status to answer; nothing passes any more.
        """
        self.check_standing()
        self._held = self._held + data if self._held else data
        self._approved = []
        try:
            while self._step():
                pass
        except HttpError as error:
            self._error = error
            if not self._approved:
                raise
        return b"".join(self._approved)

    def check_standing(self) -> None:
        """Raise the ``HttpError`` that an earlier ``feed`` came upon."""
        if self._error is not None:
            raise self._error

    def next_message(self) -> bytes:
        """Go on to the next message, when h11 has; returns what came of it already."""
        self._step = self._leading_line
        return self.feed(b"")

    # Each step takes what it can from ``_held``, adds to ``_approved`` what may pass, and returns
    # False for "more!".

    def _leading_line(self) -> bool:
        """One stray CRLF between messages is forgiven (RFC 9112, 2.2)."""
        if self._held in (b"", b"\r"):
            return False
        self._held = self._held.removeprefix(b"\r\n")
        self._step = self._head
        return True

    def _head(self) -> bool:
        end = self._held.find(b"\r\n\r\n")
        _check_size(self._held, end, self._limit, self._fields)
        if end < 0:
            return False
        framing, self._left = self._check_head(self._held[:end])
        if framing is Framing.CHUNKED:
            self._step = self._chunks
        elif framing is Framing.UNTIL_CLOSE:
            self._step = self._endless
        elif framing is Framing.INTERIM:
            self._step = self._head
        else:
            self._step = self._sized if self._left else self._finished
        self._approved.append(_escape_query(self._take(end + 4)))
        return True

    def _sized(self) -> bool:
        if not self._held:
            return False
        passed = self._take(self._left)
        self._approved.append(passed)
        self._left -= len(passed)
        if not self._left:
            self._step = self._finished
        return True

    def _endless(self) -> bool:
        if self._held:
            self._approved.append(self._take(len(self._held)))
        return False

    def _finished(self) -> bool:
        return False

    def _chunks(self) -> bool:
        """All chunks that are here pass as one, without extensions: h11 is slow to count."""
        pieces: list[bytes] = []
        try:
            return self._read_chunks(pieces)
        finally:
            if pieces:
                self._approved += (b"%x\r\n" % sum(map(len, pieces)), *pieces, b"\r\n")
            if self._step == self._trailers:
                self._approved.append(b"0\r\n")

    def _read_chunks(self, pieces: list[bytes]) -> bool:
        held, position = self._held, 0
        try:
            while True:
                if self._left:
                    piece = held[position : position + self._left]
                    if not piece:
                        return False
                    pieces.append(piece)
                    position += len(piece)
                    self._left -= len(piece)
                    self._cut = not self._left
                elif self._cut:
                    if not b"\r\n".startswith(held[position : position + 2]):
                        raise HttpError("a chunk is longer than it says")
                    if position + 2 > len(held):
                        return False
                    position += 2
                    self._cut = False
                else:
                    match = _CHUNK_LINE.match(held, position)
                    if match is None:
                        return _refuse_chunk_line(held[position:])
                    position = match.end()
                    self._left = int(match[1], 16)
                    if not self._left:
                        self._step = self._trailers
                        return True
        finally:
            self._held = held[position:]

    def _trailers(self) -> bool:
        """Trailers are checked and dropped: nobody here gives them a meaning."""
        line = self._line(max(HEAD_LIMIT - self._left, 0))
        if line is None:
            return False
        self._left += len(line) + 2  # counts the octets of all trailers here
        if line:
            _check_trailer(line)
            return True
        self._step = self._finished
        self._approved.append(b"\r\n")
        return True

    def _line(self, limit: int) -> bytes | None:
        line = _find_line(self._held, limit, "the trailers are too long")
        return None if line is None else self._take(len(line) + 2)[:-2]

    def _take(self, count: int) -> bytes:
        taken, self._held = self._held[:count], self._held[count:]
        return taken


def _escape_query(head: bytes) -> bytes:
    """Octets beyond ASCII that a query may have raw, as escapes (rest-protocol 1 and 4)."""
    first, end, rest = head.partition(b"\r\n")
    if first.isascii() or first.startswith(b"HTTP/"):
        return head
    return re.sub(rb"[\x80-\xff]", lambda octet: b"%%%02X" % octet[0][0], first) + end + rest


def _refuse_chunk_line(rest: bytes) -> bool:
    """Why no chunk's line was found: False if it may still come to its end."""
    if _find_line(rest, _CHUNK_LINE_LIMIT, "a chunk's line is too long") is None:
        return False
    raise HttpError("a chunk's size is malformed")


def _find_line(octets: bytes, limit: int, complaint: str) -> bytes | None:
    """The line that the octets begin with, without its end; None if it has none yet."""
    end = octets.find(b"\r\n")
    size = len(octets) if end < 0 else end
    _check_octets(octets[: min(size, limit)], cut=end < 0 or size > limit)
    if size > limit:
        raise HttpError(complaint)
    return None if end < 0 else octets[:end]


def check_request(head: bytes) -> tuple[Framing, int]:
    """Judge a request's head, and tell the framing and size of its body.

    :raises HttpError: 400 for anything ambiguous.
    """
    first, *lines = head.split(b"\r\n")
    match = _REQUEST_LINE.fullmatch(first)
    if match is None:
        raise HttpError("the request line is malformed or not HTTP/1.1")
    method, target, version = match.groups()
    headers = _headers(lines)
    hosts = [value for name, value in headers if name == b"host"]
    if len(hosts) > 1 or (version == b"1" and not hosts):
        raise HttpError("exactly one Host is required")
    if hosts and not _HOST.fullmatch(hosts[0]):
        raise HttpError("the Host is malformed")
    _check_target(method, target, hosts[0] if hosts else None)
    size = _size(headers, chunkable=version == b"1")
    return (Framing.CHUNKED, 0) if size is None else (Framing.SIZED, max(size, 0))


def check_response(head: bytes, method: bytes) -> tuple[Framing, int]:
    """Judge the head of a response to a request with this method, and tell how its body ends.

    :raises HttpError: for anything ambiguous, and for a switch of protocols nobody asked for.
    """
    first, *lines = head.split(b"\r\n")
    match = _STATUS_LINE.fullmatch(first)
    if match is None:
        raise HttpError("the status line is malformed or not HTTP/1.1")
    version, status = match[1], int(match[2])
    size = _size(_headers(lines), chunkable=version == b"1")
    if status < 200:
        if status == 101:
            raise HttpError("the server switches to a protocol nobody asked for")
        return Framing.INTERIM, 0
    if method == b"HEAD" or status in (204, 304):
        return Framing.SIZED, 0
    if size is None:
        return Framing.CHUNKED, 0
    return (Framing.SIZED, size) if size >= 0 else (Framing.UNTIL_CLOSE, 0)


_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_TARGET = rb"[\x21-\x3e\x40-\x7e]*+(?:\?[\x21-\x7e\x80-\xff]*+)?+"
_REQUEST_LINE = re.compile(rb"(" + _TOKEN + rb") (" + _TARGET + rb") HTTP/1\.([01])")
_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: [\t\x20-\x7e\x80-\xff]*)?")
_HEADER = re.compile(rb"(" + _TOKEN + rb"):[ \t]*((?:[^ \t](?:.*[^ \t])?)?)[ \t]*", re.DOTALL)
_HOST = re.compile(rb"(?:[A-Za-z0-9\-._~!$&'()*+,;=%]*|\[[0-9A-Fa-f:.]+\])(?::[0-9]{0,5})?")
_CHUNK_LINE = re.compile(
    rb"(?=[^\r\n]{1,%d}\r\n)([0-9A-Fa-f]{1,15})(?:;[\t\x20-\x7e\x80-\xff]*)?\r\n"
    % _CHUNK_LINE_LIMIT
)
_LENGTH = re.compile(rb"0|[1-9][0-9]{0,17}")  # to some readers a leading zero means octal
_BAD = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)|(?<!\r)\n")
_ABSOLUTE = re.compile(rb"https?://([^/?#]*)(?:[/?].*)?", re.IGNORECASE | re.DOTALL)
_FRAMING = frozenset({b"content-length", b"transfer-encoding", b"host"})
_NEVER_TRAILERS = frozenset(
    b"authorization cache-control connection content-encoding content-length content-range "
    b"content-type cookie expect host keep-alive max-forwards pragma proxy-authorization "
    b"proxy-connection range set-cookie te trailer transfer-encoding upgrade".split()
)


def _check_size(held: bytes, end: int, limit: int, fields: int) -> None:
    """Refuse a head, as far as it is here, by whatever comes first in it, and as soon as it can.

    :param end: where its blank line begins; negative if that is not here.
    """
    # What may be the beginning of the blank line is not counted yet.
    size = end if end >= 0 else len(held) - _blank_line_begun(held)
    seen = held[: min(end if end >= 0 else len(held), limit)]
    bad = _find_bad_octet(seen, cut=end < 0 or size > limit)
    if held.count(b"\r\n", 0, min(size, limit) + 2) >= fields + 2:
        one_too_many = len(b"\r\n".join(held.split(b"\r\n", fields + 2)[:-1]))
        if bad < 0 or one_too_many < bad:
            raise HttpError(f"the head has more than {fields} headers", 431)
    if bad >= 0:
        raise HttpError("a control character or a bare line end")
    if size > limit:
        line = held.find(b"\r\n", 0, limit)
        raise HttpError(f"the head has more than {limit} bytes", 414 if line < 0 else 431)


def _blank_line_begun(held: bytes) -> int:
    return next((n for n in (3, 2, 1) if held.endswith(b"\r\n\r\n"[:n])), 0)


def _check_octets(part: bytes, *, cut: bool) -> None:
    """Refuse control characters, and line ends other than CRLF, as soon as they are seen."""
    if _find_bad_octet(part, cut=cut) >= 0:
        raise HttpError("a control character or a bare line end")


def _find_bad_octet(part: bytes, *, cut: bool) -> int:
    """Where the first octet is that no head may have; negative for none."""
    if cut and part.endswith(b"\r"):
        part = part[:-1]  # its LF is beyond the cut
    found = _BAD.search(part)
    return found.start() if found else -1


def _headers(lines: list[bytes]) -> Headers:
    headers = []
    for line in lines:
        match = _HEADER.fullmatch(line)
        if match is None:
            raise HttpError("a header line is malformed or folded")
        headers.append((match[1].lower(), match[2]))
        if match[1].lower().replace(b"_", b"-") in _FRAMING and b"_" in match[1]:
            raise HttpError("a header that some take for one that says where the message ends")
    if len({value for name, value in headers if name == b"content-type"}) > 1:
        raise HttpError("two headers say what the body is")
    named = b",".join(value for name, value in headers if name == b"connection").lower()
    if not _FRAMING.isdisjoint(option.strip(b" \t") for option in named.split(b",")):
        raise HttpError("the Connection header would take another one away from the next reader")
    return headers


def _size(headers: Headers, *, chunkable: bool) -> int | None:
    """Content-Length; None for chunked; -1 without either."""
    lengths = [value for name, value in headers if name == b"content-length"]
    codings = [value for name, value in headers if name == b"transfer-encoding"]
    if len(lengths) + len(codings) > 1:
        raise HttpError("more than one header says where the message ends")
    if codings:
        if not chunkable or codings[0].lower() != b"chunked":
            raise HttpError("a transfer coding other than chunked")
        return None
    if lengths and not _LENGTH.fullmatch(lengths[0]):
        raise HttpError("the Content-Length is malformed")
    return int(lengths[0]) if lengths else -1


def _check_target(method: bytes, target: bytes, host: bytes | None) -> None:
    if method == b"CONNECT":
        raise HttpError("no tunnels here")
    if b"#" in target:
        raise HttpError("the request target has a fragment")
    if target.startswith(b"/") or (target == b"*" and method == b"OPTIONS"):
        return
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is None:
        raise HttpError("the request target is not a path")
    if not absolute[1] or (host is not None and absolute[1].lower() != host.lower()):
        raise HttpError("the request target names another host")


def _check_trailer(line: bytes) -> None:
    ((name, _),) = _headers([line])
    if name in _NEVER_TRAILERS:
        raise HttpError("a trailer that must not be one")
