"""Write a zip file of any size from the first octet to the last, without going back.

The rule: what goes in comes out the same, to the octet, whatever libraries are installed: files are
put into DEFLATE's stored blocks of 65535 octets (level 0, as the reference's archives have them),
with all sizes in front and their time in UTC, in the format's own place and in a UT field.
Sources: APPNOTE.TXT 4.3, RFC 1951 3.2.4, asic 3.
"""

from __future__ import annotations

import io
import shutil
import struct
import zlib
from datetime import UTC, datetime
from typing import IO

from xgate.trust.zip_records import (
    DEFLATED,
    UTF8,
    Entry,
    dos_time,
    write_central,
    write_end,
    write_local,
)

__all__ = ["ZipWriter"]

_BLOCK = 0xFFFF
_PIECE = 1 << 18
_UT_SIZE, _UT_MODIFIED = 5, 1
_UT_MOST = 0x7FFFFFFF


class ZipWriter:
    """One zip file, being written."""

    def __init__(self, out: IO[bytes], directory: IO[bytes]) -> None:
        """:param out: where the file goes; only written to.
        :param directory: an empty file, for reading and writing: a place for the directory, which
            has its place behind the files. The caller closes both.
        """
        self._out = out
        self._directory = directory
        self._position = 0
        self._count = 0

    def add(self, name: str, content: bytes, at: datetime) -> None:
        """Add a file. :param at: aware; before 1980 or after 2107 there is only that year's."""
        self.add_file(name, io.BytesIO(content), len(content), zlib.crc32(content), at)

    def add_all_of(self, name: str, content: IO[bytes], at: datetime) -> int:
        """Add a file of which nothing is known yet; how many octets it has.

        :param content: all of it, from its beginning; seekable.
        """
        size = crc = 0
        content.seek(0)
        while piece := content.read(_PIECE):
            size += len(piece)
            crc = zlib.crc32(piece, crc)
        content.seek(0)
        self.add_file(name, content, size, crc, at)
        return size

    def add_file(self, name: str, content: IO[bytes], size: int, crc: int, at: datetime) -> None:
        """Add a file that is not held in memory.

        :param content: at its beginning. :param crc: CRC-32 of all of it.
        :raises ValueError: it is shorter than ``size``.
        """
        moment = at.astimezone(UTC)
        encoded = name.encode()
        packed = size + 5 * max(1, -(-size // _BLOCK))
        flags = 0 if name.isascii() else UTF8
        entry = Entry(encoded, flags, DEFLATED, crc, packed, size, self._position)
        time, extra = dos_time(moment), _ut_field(moment)
        self._write(write_local(entry, time, extra))
        self._write_blocks(content, size)
        self._directory.write(write_central(entry, time, extra))
        self._count += 1

    def finish(self) -> None:
        """Write the directory and the end; the caller flushes."""
        length = self._directory.tell()
        self._directory.seek(0)
        shutil.copyfileobj(self._directory, self._out)
        self._out.write(write_end(self._count, self._position, length))

    def _write_blocks(self, content: IO[bytes], size: int) -> None:
        left = size
        while True:
            length = min(left, _BLOCK)
            block = content.read(length)
            if len(block) != length:
                raise ValueError("a file is shorter than its size")
            left -= length
            self._write(struct.pack("<B2H", not left, length, length ^ 0xFFFF))
            self._write(block)
            if not left:
                return

    def _write(self, octets: bytes) -> None:
        self._out.write(octets)
        self._position += len(octets)


def _ut_field(at: datetime) -> bytes:
    """The time to the second; there is no such field once 32 bits have run out."""
    seconds = int(at.timestamp())
    if not 0 <= seconds <= _UT_MOST:
        return b""
    return struct.pack("<2sHBl", b"UT", _UT_SIZE, _UT_MODIFIED, seconds)
