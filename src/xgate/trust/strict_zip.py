"""Small zip files: containers, from octets to files and back.

The rule: reading is strict (``zip_reader``), sizes are summed up before anything is inflated, and
of two files no name is the same, whatever the case. What we write has no data descriptors: any
reader takes it, also one that streams. Sources: asic 1 and trap 12.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import IO

import msgspec

from xgate.errors import Fault
from xgate.trust.zip_reader import ZipReader, safe_name
from xgate.trust.zip_records import (
    DEFLATED,
    LOCAL_MAGIC,
    STORED,
    UTF8,
    Entry,
    dos_time,
    refuse,
    write_central,
    write_end,
    write_local,
)

__all__ = ["read_zip", "write_zip", "write_zip_to"]

_ENTRY_LIMIT = 10_000


def read_zip(data: bytes, *, limit: int) -> dict[str, bytes]:
    """The files of a zip by name, in the order they are stored; folders are left out.

    What does not begin like a zip is an empty one, as the reference has it.

    :param limit: the largest sum of the files' sizes, in octets.
    :raises Fault: ``asic_invalid_container``, with the cause.
    """
    if not data.startswith(LOCAL_MAGIC):
        return {}
    try:
        return _read(ZipReader(io.BytesIO(data)), limit)
    except Fault as fault:
        cause = f"The container is not a sound zip file: {fault.text}"
        raise Fault("asic_invalid_container", cause) from fault


def _read(reader: ZipReader, limit: int) -> dict[str, bytes]:
    if reader.count > _ENTRY_LIMIT:
        refuse("it has too many files")
    entries = sorted(reader.directory(), key=lambda entry: entry.offset)
    if sum(entry.size for entry in entries) > limit:
        refuse(f"its files are larger than {limit} bytes together")
    files: dict[str, bytes] = {}
    seen: set[str] = set()
    for entry in entries:
        name = safe_name(entry)
        if name.casefold() in seen:
            refuse(f"'{name}' is in it twice")
        seen.add(name.casefold())
        content = b"".join(reader.content(entry))
        if not name.endswith("/"):
            files[name] = content
        elif content:
            refuse(f"the folder '{name}' has a content")
    reader.finish()
    return files


def write_zip(files: Iterable[tuple[str, bytes]], *, at: datetime, comment: str) -> bytes:
    """A zip of these files, in memory; as ``write_zip_to``."""
    out = io.BytesIO()
    write_zip_to(out, ((name, (content,)) for name, content in files), at=at, comment=comment)
    return out.getvalue()


def write_zip_to(
    out: IO[bytes], files: Iterable[tuple[str, Iterable[bytes]]], *, at: datetime, comment: str
) -> None:
    """A zip of these files: the first one stored, the others deflated, all sizes in front.

    The same input gives the same octets. A piece of a file is in memory at a time.

    :param out: empty, and seekable: what comes in front of a file is known behind it.
    :param at: aware; becomes every file's time, in UTC (a zip counts from 1980).
    :raises ValueError: a time before 1980 or after 2107.
    """
    moment = at.astimezone(UTC)
    if not 1980 <= moment.year <= 2107:
        raise ValueError(f"a zip file cannot tell the year {moment.year}")
    time = dos_time(moment)
    directory = [
        write_central(_write_file(out, name, pieces, time, deflate=number > 0), time, b"")
        for number, (name, pieces) in enumerate(files)
    ]
    position, length = out.tell(), sum(map(len, directory))
    out.writelines(directory)
    out.write(write_end(len(directory), position, length, comment.encode("ascii")))


def _write_file(
    out: IO[bytes], name: str, pieces: Iterable[bytes], time: int, *, deflate: bool
) -> Entry:
    flags = 0 if name.isascii() else UTF8
    method = DEFLATED if deflate else STORED
    entry = Entry(name.encode(), flags, method, 0, 0, 0, out.tell())
    out.write(write_local(entry, time, b""))
    begin, crc, size = out.tell(), 0, 0
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    for piece in pieces:
        crc = zlib.crc32(piece, crc)
        size += len(piece)
        out.write(packer.compress(piece) if deflate else piece)
    if deflate:
        out.write(packer.flush())
    end = out.tell()
    entry = msgspec.structs.replace(entry, crc=crc, packed=end - begin, size=size)
    header = write_local(entry, time, b"")
    if len(header) != begin - entry.offset:
        raise ValueError("a file of 4 GiB or more has no place here")
    out.seek(entry.offset)
    out.write(header)
    out.seek(end)
    return entry
