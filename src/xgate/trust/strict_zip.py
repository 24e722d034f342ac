"""Small zip files as a whole: containers, from octets to files and back.

The rule: reading is strict (``zip_reader``), sizes are summed up before anything is inflated, and
of two files no name is the same, whatever the case. What we write has no data descriptors: any
reader takes it, also one that streams. Sources: asic 1 and trap 12.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable
from datetime import UTC, datetime

from xgate.errors import Fault
from xgate.trust.zip_reader import ZipReader, safe_name
from xgate.trust.zip_records import DEFLATED, LOCAL_MAGIC, STORED, refuse

__all__ = ["read_zip", "write_zip"]

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
            info.compress_type = DEFLATED if number else STORED
            archive.writestr(info, content)
    return out.getvalue()
