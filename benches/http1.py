"""Just enough HTTP/1.1 for a load generator and a service that must cost next to nothing.

The rule: it reads what our own servers and their clients write, and refuses anything else; no
header means anything to it but the two that say where a message ends.
"""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["Message", "take_message"]

_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)\r\n", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked\r\n", re.IGNORECASE)


class Message(NamedTuple):
    """One message: its head without the blank line, its body, and the octets it took in all."""

    head: bytes
    body: bytes
    size: int

    @property
    def status(self) -> int:
        """The status of a response."""
        return int(self.head[9:12])


def take_message(octets: bytes | bytearray) -> Message | None:
    """The message that ``octets`` begin with; None: there is more to come.

    :raises ValueError: its end cannot be found.
    """
    end = octets.find(b"\r\n\r\n")
    if end < 0:
        return None
    head, start = bytes(octets[: end + 2]), end + 4
    if _CHUNKED.search(head):
        return _take_chunked(octets, head, start)
    length = _LENGTH.search(head)
    if length is None and head.startswith(b"HTTP/"):
        raise ValueError("the answer has no length")
    size = start + (int(length[1]) if length else 0)
    return Message(head, bytes(octets[start:size]), size) if len(octets) >= size else None


def _take_chunked(octets: bytes | bytearray, head: bytes, at: int) -> Message | None:
    chunks: list[bytes] = []
    while (line := octets.find(b"\r\n", at)) >= 0:
        length = int(octets[at:line], 16)
        start, at = line + 2, line + 2 + length + 2
        if len(octets) < at:
            return None
        if octets[at - 2 : at] != b"\r\n":
            raise ValueError("a chunk does not end where it says")
        if length == 0:
            return Message(head, b"".join(chunks), at)
        chunks.append(bytes(octets[start : at - 2]))
    return None
