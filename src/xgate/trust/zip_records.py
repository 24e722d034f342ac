"""The records that a zip file is made of, as octets: headers, directory entries, the end.

The rule: a size or an offset stands in exactly one place. What does not fit into 32 bits (16 for
counts) stands in the ZIP64 field, and then, and only then, its usual place is filled with ones.
Other extra fields may be there unless they could give a file another name.
Sources: APPNOTE.TXT 4.3 and 4.5.
"""

from __future__ import annotations

import struct
from datetime import datetime
from typing import NoReturn

import msgspec

from xgate.errors import Fault

__all__ = [
    "CENTRAL_SIZE",
    "DEFLATED",
    "DESCRIBED",
    "END_SIZE",
    "LOCAL_MAGIC",
    "LOCAL_SIZE",
    "STORED",
    "TAIL_SIZE",
    "UTF8",
    "End",
    "Entry",
    "central_tail_size",
    "dos_time",
    "find_end",
    "local_tail_size",
    "read_central",
    "read_local",
    "refuse",
    "write_central",
    "write_descriptors",
    "write_end",
    "write_local",
]

_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR = struct.Struct("<4sLQL")
_EXTRA = struct.Struct("<2H")
LOCAL_MAGIC = b"PK\x03\x04"
"""What a zip file with anything in it begins with."""
_CENTRAL_MAGIC, _END_MAGIC, _DESCRIPTOR_MAGIC = b"PK\x01\x02", b"PK\x05\x06", b"PK\x07\x08"
_END64_MAGIC, _LOCATOR_MAGIC = b"PK\x06\x06", b"PK\x06\x07"
LOCAL_SIZE, CENTRAL_SIZE, END_SIZE = _LOCAL.size, _CENTRAL.size, _END.size
"""Octets of the fixed parts."""
TAIL_SIZE = _END64.size + _LOCATOR.size + _END.size + 0xFFFF
"""The most octets that the end of a zip file can take."""
STORED, DEFLATED = 0, 8
"""Methods."""
DESCRIBED, UTF8 = 0x0008, 0x0800
"""Flags: the sizes follow the file; the name is UTF-8."""
_FULL16, _FULL32 = 0xFFFF, 0xFFFFFFFF
_ZIP64, _UNICODE_NAME = 0x0001, 0x7075
_MOST_EXTRA = 1024  # octets; every field costs a copy of those behind it
_VERSION, _VERSION64 = 20, 45


class Entry(msgspec.Struct, frozen=True):
    """What the directory or a local header tells of one file; ``offset`` is of its local header.

    ``wide``: its sizes stand in a ZIP64 field.
    """

    name: bytes
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    offset: int = 0
    wide: bool = False


class End(msgspec.Struct, frozen=True):
    """Where the directory begins and ends, and how many entries it has."""

    count: int
    start: int
    stop: int


def refuse(cause: str) -> NoReturn:
    """Refuse the file. :raises Fault: ``invalid_zip``; whoever knows what it holds renames it."""
    raise Fault("invalid_zip", cause)


def find_end(tail: bytes, size: int) -> End:
    """Read the end of a zip file.

    :param tail: its last octets, all of it or at least ``TAIL_SIZE``. :param size: of the file.
    :raises Fault: ``invalid_zip``.
    """
    place = tail.rfind(_END_MAGIC, max(0, len(tail) - _END.size - 0xFFFF))
    if place < 0 or len(tail) - place < _END.size:
        refuse("it has no end, as if it was cut off")
    _, disk, first_disk, here, count, length, start, comment = _END.unpack_from(tail, place)
    if place + _END.size + comment != len(tail):
        refuse("something follows its end")
    told = (disk, first_disk, here, count, length, start)
    stop = size - len(tail) + place
    # Some readers follow a locator wherever it stands, so one that is there must be true.
    if place >= _LOCATOR.size and tail.startswith(_LOCATOR_MAGIC, place - _LOCATOR.size):
        told, stop = _wide_end(tail, place, stop, told)
    disk, first_disk, here, count, length, start = told
    if disk or first_disk or here != count or start + length != stop:
        refuse("its end does not fit the rest")
    return End(count, start, stop)


def _wide_end(
    tail: bytes, place: int, stop: int, narrow: tuple[int, ...]
) -> tuple[tuple[int, int, int, int, int, int], int]:
    at = place - _LOCATOR.size - _END64.size
    if at < 0 or not tail.startswith(_END64_MAGIC, at):
        refuse("its end does not fit the rest")
    _, disk_of_end, where, disks = _LOCATOR.unpack_from(tail, place - _LOCATOR.size)
    _, rest, _, _, *wide = _END64.unpack_from(tail, at)
    stop -= place - at
    if disk_of_end or disks != 1 or where != stop or rest != _END64.size - 12:
        refuse("its end does not fit the rest")
    disk, first_disk, here, count, length, start = wide
    fulls = (_FULL16, _FULL16, _FULL16, _FULL16, _FULL32, _FULL32)
    if any(n not in (w, full) for n, w, full in zip(narrow, wide, fulls, strict=True)):
        refuse("its end does not fit the rest")
    return (disk, first_disk, here, count, length, start), stop


def central_tail_size(fixed: bytes) -> int:
    """How many octets of name, extra fields and comment follow an entry's fixed part."""
    if not fixed.startswith(_CENTRAL_MAGIC):
        refuse("its directory is cut off")
    return sum(_CENTRAL.unpack(fixed)[10:13])


def read_central(fixed: bytes, tail: bytes) -> Entry:
    """An entry of the directory. :raises Fault: ``invalid_zip``."""
    _, _, _, flags, method, _, _, crc, packed, size, *rest = _CENTRAL.unpack(fixed)
    name_size, extra_size, _, disk, _, _, offset = rest
    if disk:
        refuse("it spans several disks")
    told = [size, packed, offset]
    wide = [index for index, value in enumerate(told) if value == _FULL32]
    extra = _wide_sizes(tail[name_size : name_size + extra_size])
    if len(extra) != len(wide):
        refuse("an extra field tells another thing than its files")
    for index, value in zip(wide, extra, strict=True):
        told[index] = value
    size, packed, offset = told
    is_wide = bool(wide) and wide != [2]
    return Entry(tail[:name_size], flags, method, crc, packed, size, offset, is_wide)


def local_tail_size(fixed: bytes) -> int:
    """How many octets of name and extra fields follow a local header's fixed part."""
    if len(fixed) < _LOCAL.size or not fixed.startswith(LOCAL_MAGIC):
        refuse("its files do not follow each other")
    return sum(_LOCAL.unpack(fixed)[9:11])


def read_local(fixed: bytes, tail: bytes) -> Entry:
    """A local header; its offset is unknown here. :raises Fault: ``invalid_zip``."""
    _, _, flags, method, _, _, crc, packed, size, name_size, _ = _LOCAL.unpack(fixed)
    extra = _wide_sizes(tail[name_size:])
    if extra:
        if len(extra) != 2 or (packed, size) != (_FULL32, _FULL32):
            refuse("an extra field tells another thing than its files")
        size, packed = extra
    elif _FULL32 in (packed, size):
        refuse("a file's size is not told")
    return Entry(tail[:name_size], flags, method, crc, packed, size, wide=bool(extra))


def _wide_sizes(extra: bytes) -> tuple[int, ...]:
    """The numbers of the ZIP64 field; nothing may say that a name is another one."""
    found: tuple[int, ...] | None = None
    if len(extra) > _MOST_EXTRA:
        refuse("a file has more extra fields than any that is known")
    while extra:
        if len(extra) < _EXTRA.size:
            refuse("an extra field is cut off")
        kind, size = _EXTRA.unpack_from(extra)
        value, extra = extra[_EXTRA.size : _EXTRA.size + size], extra[_EXTRA.size + size :]
        if kind == _UNICODE_NAME or len(value) != size:
            refuse("an extra field tells another thing than its files")
        if kind == _ZIP64:
            if found is not None or not size or size % 8:
                refuse("an extra field tells another thing than its files")
            found = struct.unpack(f"<{size // 8}Q", value)
    return found or ()


def write_descriptors(entry: Entry) -> tuple[bytes, ...]:
    """The forms that a data descriptor of this file may have, the longest first."""
    wide = entry.wide or max(entry.packed, entry.size) >= _FULL32
    numbers = struct.pack("<L2Q" if wide else "<3L", entry.crc, entry.packed, entry.size)
    return (_DESCRIPTOR_MAGIC + numbers, numbers)


def write_local(entry: Entry, dos_time: int, extra: bytes) -> bytes:
    """A local header with all sizes in it.

    :param dos_time: date and time as the format has them, 32 bits. :param extra: further fields.
    """
    packed, size = entry.packed, entry.size
    wide = max(packed, size) >= _FULL32
    if wide:
        extra = _EXTRA.pack(_ZIP64, 16) + struct.pack("<2Q", size, packed) + extra
        packed = size = _FULL32
    fixed = _LOCAL.pack(
        LOCAL_MAGIC,
        _VERSION64 if wide else _VERSION,
        entry.flags,
        entry.method,
        dos_time & _FULL16,
        dos_time >> 16,
        entry.crc,
        packed,
        size,
        len(entry.name),
        len(extra),
    )
    return fixed + entry.name + extra


def write_central(entry: Entry, dos_time: int, extra: bytes) -> bytes:
    """The directory's entry for the same file."""
    told = [entry.size, entry.packed, entry.offset]
    if max(told[:2]) >= _FULL32:
        wide, told[:2] = told[:2], [_FULL32, _FULL32]
    else:
        wide = []
    if told[2] >= _FULL32:
        wide, told[2] = [*wide, told[2]], _FULL32
    if wide:
        extra = _EXTRA.pack(_ZIP64, 8 * len(wide)) + struct.pack(f"<{len(wide)}Q", *wide) + extra
    version = _VERSION64 if wide else _VERSION
    fixed = _CENTRAL.pack(
        _CENTRAL_MAGIC,
        version,
        version,
        entry.flags,
        entry.method,
        dos_time & _FULL16,
        dos_time >> 16,
        entry.crc,
        told[1],
        told[0],
        len(entry.name),
        len(extra),
        0,
        0,
        0,
        0,
        told[2],
    )
    return fixed + entry.name + extra


def dos_time(at: datetime) -> int:
    """Date and time as headers have them, in steps of two seconds.

    :param at: in UTC; before 1980 or after 2107 only the years of these count.
    """
    year = min(max(at.year, 1980), 2107)
    date = (year - 1980) << 9 | at.month << 5 | at.day
    return date << 16 | at.hour << 11 | at.minute << 5 | at.second // 2


def write_end(count: int, start: int, length: int, comment: bytes = b"") -> bytes:
    """The end of a zip file whose directory of ``length`` octets begins at ``start``."""
    wide = b""
    if count >= _FULL16 or max(start, length) >= _FULL32:
        numbers = (_VERSION64, _VERSION64, 0, 0, count, count, length, start)
        wide = _END64.pack(_END64_MAGIC, _END64.size - 12, *numbers)
        wide += _LOCATOR.pack(_LOCATOR_MAGIC, 0, start + length, 1)
    short = min(count, _FULL16)
    end = _END.pack(
        *(_END_MAGIC, 0, 0, short, short),
        *(min(length, _FULL32), min(start, _FULL32), len(comment)),
    )
    return wide + end + comment
