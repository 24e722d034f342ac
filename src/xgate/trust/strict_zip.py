"""Read and write zip files so that nobody can read two different things out of one.

The rule: the local headers from the first octet on, and the central directory after them, tell one
and the same story without a gap, an overlap or a spare octet, so readers that stream and readers
that seek see the same files. Sizes are summed up before anything is inflated, and inflating stops
at the size that was told. What we write has no data descriptors: any reader takes it, also one
that streams. Sources: APPNOTE.TXT 4.3; asic 1 and trap 12.
"""

from __future__ import annotations

import io
import re
import struct
import zipfile
import zlib
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NoReturn

import msgspec

from xgate.errors import Fault

__all__ = ["read_zip", "write_zip"]

_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_LOCAL_MAGIC, _CENTRAL_MAGIC, _END_MAGIC = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
_DESCRIPTOR = struct.Struct("<4s3L")
_DESCRIPTOR_MAGIC = b"PK\x07\x08"
_EXTRA = struct.Struct("<2H")
_TELLING_EXTRAS = (0x0001, 0x7075)  # sizes beyond 4 GiB; a name in Unicode
_STORED, _DEFLATED = 0, 8
_ENCRYPTED, _DESCRIBED, _UTF8 = 0x0001, 0x0008, 0x0800
_COMPRESSION_HINTS = 0x0006
_ENTRY_LIMIT = 10_000
# No name that could lead out of the folder somebody unpacks into, on any system.
_SAFE_NAME = re.compile(r"(?!/)(?!(.*/)?\.\.?(/|$))[^\\:\x00-\x1f\x7f]{1,500}")


class _Entry(msgspec.Struct, frozen=True):
    name: bytes
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    offset: int


def read_zip(data: bytes, *, limit: int) -> dict[str, bytes]:
    """The files of a zip by name, in the order they are stored; folders are left out.

    What does not begin like a zip is an empty one, as the reference has it.

    :param limit: the largest sum of the files' sizes, in octets.
    :raises Fault: ``asic_invalid_container``, with the cause.
    """
    if not data.startswith(_LOCAL_MAGIC):
        return {}
    entries, end = _directory(data)
    if sum(entry.size for entry in entries) > limit:
        _refuse(f"its files are larger than {limit} bytes together")
    files: dict[str, bytes] = {}
    seen: set[str] = set()
    position = 0
    for entry in entries:
        name = _checked_name(entry)
        if name.casefold() in seen:
            _refuse(f"'{name}' is in it twice")
        seen.add(name.casefold())
        content, position = _read(data, entry, position)
        if not name.endswith("/"):
            files[name] = content
        elif content:
            _refuse(f"the folder '{name}' has a content")
    if position != end:
        _refuse("there is something between its files and its directory")
    return files


def write_zip(files: Iterable[tuple[str, bytes]], *, at: datetime, comment: str) -> bytes:
    """A zip of these files: the first one stored, the others deflated, all sizes in front.

    The same input gives the same octets.

    :param at: aware; becomes every file's time, in UTC (a zip counts from 1980).
    :raises ValueError: a time before 1980 or after 2107.
    """
    moment = at.astimezone(UTC)
    stamp = (moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.comment = comment.encode("ascii")
        for number, (name, content) in enumerate(files):
            info = zipfile.ZipInfo(name, stamp)
            info.compress_type = _DEFLATED if number else _STORED
            archive.writestr(info, content)
    return out.getvalue()


def _directory(data: bytes) -> tuple[list[_Entry], int]:
    """What the central directory tells, in the order of the local headers, and where it begins."""
    place = data.rfind(_END_MAGIC, max(0, len(data) - _END.size - 0xFFFF))
    if place < 0 or len(data) - place < _END.size:
        _refuse("it has no end, as if it was cut off")
    _, disk, first_disk, here, count, size, start, comment = _END.unpack_from(data, place)
    if place + _END.size + comment != len(data):
        _refuse("something follows its end")
    if disk or first_disk or here != count or start + size != place:
        _refuse("its end does not fit the rest")
    if count > _ENTRY_LIMIT:
        _refuse("it has too many files")
    entries = []
    position = start
    for _ in range(count):
        entry, position = _central_entry(data, position, place)
        entries.append(entry)
    if position != place:
        _refuse("its directory does not have the size that is told")
    return sorted(entries, key=lambda entry: entry.offset), start


def _central_entry(data: bytes, position: int, end: int) -> tuple[_Entry, int]:
    if position + _CENTRAL.size > end:
        _refuse("its directory is cut off")
    magic, _, _, flags, method, _, _, crc, packed, size, *rest = _CENTRAL.unpack_from(
        data, position
    )
    name_size, extra_size, comment_size, disk, _, _, offset = rest
    name_at = position + _CENTRAL.size
    position = name_at + name_size + extra_size + comment_size
    if magic != _CENTRAL_MAGIC or position > end:
        _refuse("its directory is cut off")
    if disk or 0xFFFFFFFF in (packed, size, offset):
        _refuse("several disks and files beyond 4 GiB are not supported")
    name = data[name_at : name_at + name_size]
    _check_extra(data[name_at + name_size : position - comment_size])
    return _Entry(name, flags, method, crc, packed, size, offset), position


def _read(data: bytes, entry: _Entry, position: int) -> tuple[bytes, int]:
    """The content of the file that begins at ``position``, and where the next one begins."""
    if entry.offset != position or position + _LOCAL.size > len(data):
        _refuse("its files do not follow each other")
    magic, _, flags, method, _, _, crc, packed, size, name_size, extra_size = _LOCAL.unpack_from(
        data, position
    )
    start = position + _LOCAL.size + name_size + extra_size
    name = data[position + _LOCAL.size : position + _LOCAL.size + name_size]
    if (magic, name, flags, method) != (_LOCAL_MAGIC, entry.name, entry.flags, entry.method):
        _refuse("its directory tells another thing than its files")
    _check_extra(data[start - extra_size : start])
    described = bool(flags & _DESCRIBED)
    told = (entry.crc, entry.packed, entry.size)
    if (crc, packed, size) != told and not (described and (crc, packed, size) == (0, 0, 0)):
        _refuse("its directory tells other sizes than its files")
    end = start + entry.packed
    content = _unpacked(data[start:end], entry)
    return content, _after_descriptor(data, end, told) if described else end


def _unpacked(packed: bytes, entry: _Entry) -> bytes:
    if entry.method == _STORED:
        content = packed
    else:
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            content = inflater.decompress(packed, entry.size + 1)
        except zlib.error as error:
            raise Fault("asic_invalid_container", f"{_CAUSE}: it is damaged") from error
        if not inflater.eof or inflater.unused_data:
            _refuse("a file does not have the size that is told")
    if len(content) != entry.size or len(packed) != entry.packed:
        _refuse("a file does not have the size that is told")
    if zlib.crc32(content) != entry.crc:
        _refuse("it is damaged")
    return content


def _after_descriptor(data: bytes, position: int, told: tuple[int, int, int]) -> int:
    """Where the data descriptor ends, which has a signature or not, and tells the same again."""
    expected = _DESCRIPTOR.pack(_DESCRIPTOR_MAGIC, *told)
    form = expected if data.startswith(_DESCRIPTOR_MAGIC, position) else expected[4:]
    if not data.startswith(form, position):
        _refuse("its directory tells other sizes than its files")
    return position + len(form)


def _check_extra(extra: bytes) -> None:
    """Extra fields must not say that a size or a name is another one."""
    while extra:
        if len(extra) < _EXTRA.size:
            _refuse("an extra field is cut off")
        kind, size = _EXTRA.unpack_from(extra)
        if kind in _TELLING_EXTRAS or _EXTRA.size + size > len(extra):
            _refuse("an extra field tells another thing than its files")
        extra = extra[_EXTRA.size + size :]


def _checked_name(entry: _Entry) -> str:
    if entry.flags & ~(_DESCRIBED | _UTF8 | _COMPRESSION_HINTS):
        _refuse("a file is encrypted or of an unknown kind")
    if entry.method not in (_STORED, _DEFLATED):
        _refuse("a file is packed by a method other than deflate")
    # A reader that streams cannot know where such a file ends.
    if entry.method == _STORED and entry.flags & _DESCRIBED:
        _refuse("a stored file's size is only told behind it")
    try:
        name = entry.name.decode("utf-8")
    except UnicodeDecodeError:
        _refuse("a file's name is not UTF-8")
    if not _SAFE_NAME.fullmatch(name):
        _refuse("a file's name leads elsewhere")
    return name


_CAUSE = "The container is not a sound zip file"


def _refuse(cause: str) -> NoReturn:
    raise Fault("asic_invalid_container", f"{_CAUSE}: {cause}")
