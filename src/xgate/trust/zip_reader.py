"""Read a zip file of any size, file by file, so that nobody can read two things out of one.

The rule: the local headers from the first octet on, and the directory after them, tell one and the
same story without a gap, an overlap or a spare octet, so readers that stream and readers that seek
see the same files. Sizes are known before anything is inflated, and inflating stops at the size
that was told. A piece of a file is in memory at a time. Source: APPNOTE.TXT 4.3.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from xgate.errors import Fault
from xgate.trust.zip_records import (
    CENTRAL_SIZE,
    DEFLATED,
    DESCRIBED,
    LOCAL_SIZE,
    STORED,
    TAIL_SIZE,
    UTF8,
    Entry,
    central_tail_size,
    find_end,
    local_tail_size,
    read_central,
    read_local,
    refuse,
    write_descriptors,
)

__all__ = ["ZipReader", "safe_name"]

_PIECE = 1 << 18
_NAME_SHOWN = 200
_COMPRESSION_HINTS = 0x0006
# No name that could lead out of the folder somebody unpacks into, on any system.
_SAFE_NAME = re.compile(r"(?!/)(?!(.*/)?\.\.?(/|$))[^\\:\x00-\x1f\x7f]{1,500}")


class ZipReader:
    """One zip file, open for reading.

    Walk over ``directory()`` and for each entry either read ``content(entry)`` to its end or call
    ``skip(entry)``, in the order of their offsets; ``finish()`` then tells that nothing was left.
    """

    def __init__(self, file: BinaryIO) -> None:
        """:param file: seekable. :raises Fault: ``invalid_zip``."""
        self._file = file
        size = file.seek(0, 2)
        file.seek(max(0, size - TAIL_SIZE))
        self._end = find_end(file.read(), size)
        self._position = 0
        self._wide = False

    def begin_at(self, entry: Entry) -> None:
        """Go to a file out of turn; what comes before it is not looked at."""
        self._position = entry.offset

    @property
    def count(self) -> int:
        """How many entries the directory has."""
        return self._end.count

    def directory(self) -> Iterator[Entry]:
        """The entries in the directory's own order. :raises Fault: ``invalid_zip``."""
        position, block = self._end.start, b""
        for _ in range(self._end.count):
            if len(block) < CENTRAL_SIZE:
                block = self._directory_at(position, CENTRAL_SIZE)
            rest = central_tail_size(block[:CENTRAL_SIZE])
            if len(block) < CENTRAL_SIZE + rest:
                block = self._directory_at(position, CENTRAL_SIZE + rest)
            entry = read_central(block[:CENTRAL_SIZE], block[CENTRAL_SIZE : CENTRAL_SIZE + rest])
            position += CENTRAL_SIZE + rest
            block = block[CENTRAL_SIZE + rest :]
            yield entry
        if position != self._end.stop:
            refuse("its directory does not have the size that is told")

    def content(self, entry: Entry) -> Iterator[bytes]:
        """The octets of a file, in pieces. Nothing of it is proven before the last one.

        :raises Fault: ``invalid_zip``; which file, and the octet it begins at.
        """
        with _placed(entry):
            position = self._open(entry)
            packed = self._packed(position, entry)
            size, crc = 0, 0
            for piece in packed if entry.method == STORED else _inflated(packed, entry.size):
                size += len(piece)
                if size > entry.size:
                    refuse("a file does not have the size that is told")
                crc = zlib.crc32(piece, crc)
                yield piece
            if size != entry.size:
                refuse("a file does not have the size that is told")
            if crc != entry.crc:
                refuse("it is damaged")
            self._close(entry, position)

    def skip(self, entry: Entry) -> None:
        """Pass over a file: only what is told of it is checked. :raises Fault: ``invalid_zip``."""
        with _placed(entry):
            self._close(entry, self._open(entry))

    def finish(self) -> None:
        """Check that the files reach to the directory. :raises Fault: ``invalid_zip``."""
        if self._position != self._end.start:
            refuse("there is something between its files and its directory")

    def _directory_at(self, position: int, least: int) -> bytes:
        self._file.seek(position)
        block = self._file.read(min(max(least, 1 << 16), self._end.stop - position))
        if len(block) < least:
            refuse("its directory is cut off")
        return block

    def _open(self, entry: Entry) -> int:
        """Check the local header at the current position; where the packed octets begin."""
        safe_name(entry)
        if entry.offset != self._position:
            refuse("its files do not follow each other")
        self._file.seek(entry.offset)
        fixed = self._file.read(LOCAL_SIZE)
        tail = self._file.read(local_tail_size(fixed))
        local = read_local(fixed, tail)
        if (local.name, local.flags, local.method) != (entry.name, entry.flags, entry.method):
            refuse("its directory tells another thing than its files")
        told = (local.crc, local.packed, local.size)
        later = bool(entry.flags & DESCRIBED) and told == (0, 0, 0)
        if told != (entry.crc, entry.packed, entry.size) and not later:
            refuse("its directory tells other sizes than its files")
        # The descriptor behind a file has the width that its local header announces.
        self._wide = local.wide
        start = entry.offset + LOCAL_SIZE + len(tail)
        if start + entry.packed > self._end.start:
            refuse("a file does not have the size that is told")
        return start

    def _packed(self, position: int, entry: Entry) -> Iterator[bytes]:
        left = entry.packed
        while left:
            self._file.seek(position)
            piece = self._file.read(min(left, _PIECE))
            if not piece:
                refuse("it is cut off")
            position += len(piece)
            left -= len(piece)
            yield piece

    def _close(self, entry: Entry, start: int) -> None:
        self._position = start + entry.packed
        if not entry.flags & DESCRIBED:
            return
        told = Entry(b"", 0, 0, entry.crc, entry.packed, entry.size, wide=self._wide)
        forms = write_descriptors(told)
        self._file.seek(self._position)
        there = self._file.read(len(forms[0]))
        for form in forms:
            if there.startswith(form):
                self._position += len(form)
                return
        refuse("its directory tells other sizes than its files")


@contextmanager
def _placed(entry: Entry) -> Iterator[None]:
    """A file's refusals tell which file it is, and where it begins."""
    try:
        yield
    except Fault as fault:
        name = entry.name[:_NAME_SHOWN].decode("utf-8", "replace")
        raise Fault(fault.code, f"{fault.text} ({name!a} at octet {entry.offset})") from fault


def _inflated(packed: Iterator[bytes], size: int) -> Iterator[bytes]:
    """Inflate, but never more than one octet beyond ``size``."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    made = 0
    try:
        for block in packed:
            rest = block
            while rest and not inflater.eof:
                piece = inflater.decompress(rest, min(_PIECE, size + 1 - made))
                made += len(piece)
                rest = inflater.unconsumed_tail
                yield piece
                if made > size:
                    return
            if rest or inflater.unused_data:
                refuse("a file does not have the size that is told")
    except zlib.error as error:
        raise Fault("invalid_zip", "it is damaged") from error
    if not inflater.eof:
        refuse("a file does not have the size that is told")


def safe_name(entry: Entry) -> str:
    """A file's name, which is fit for any system, of a file that can be read at all.

    :raises Fault: ``invalid_zip``.
    """
    if entry.flags & ~(DESCRIBED | UTF8 | _COMPRESSION_HINTS):
        refuse("a file is encrypted or of an unknown kind")
    if entry.method not in (STORED, DEFLATED):
        refuse("a file is packed by a method other than deflate")
    # A reader that streams cannot know where such a file ends.
    if entry.method == STORED and entry.flags & DESCRIBED:
        refuse("a stored file's size is only told behind it")
    try:
        name = entry.name.decode("utf-8")
    except UnicodeDecodeError:
        refuse("a file's name is not UTF-8")
    if not _SAFE_NAME.fullmatch(name):
        refuse("a file's name leads elsewhere")
    return name
