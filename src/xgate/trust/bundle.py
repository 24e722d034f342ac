"""A zip of containers that are no archive: what a server hands out for a query id, or an export.

The rule: as for an archive, but nothing links the containers, so nothing tells whether one is
missing; one is in memory at a time. Other files in it, and folders, are passed over.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from xgate.errors import Fault
from xgate.trust.zip_reader import ZipReader, safe_name
from xgate.trust.zip_records import Entry, refuse

__all__ = ["read_bundle"]

_SUFFIX = ".asice"
_MOST_OCTETS = 256 << 20  # one container, as trust.asic has it
_MOST_FILES = 1 << 20


def read_bundle(file: BinaryIO, *, limit: int = _MOST_OCTETS) -> Iterator[tuple[str, int, bytes]]:
    """Name, place (the octet of the zip at which it begins) and octets of each container.

    :param file: seekable, and not used elsewhere meanwhile.
    :param limit: the largest container, in octets.
    :raises Fault: ``archive_invalid_zip``, ``archive_no_containers``.
    """
    found = False
    try:
        reader = ZipReader(file)
        for entry, name in _named(reader):
            if not name.endswith(_SUFFIX):
                reader.skip(entry)
                continue
            if max(entry.size, entry.packed) > limit:
                refuse(f"'{name}' is larger than {limit} bytes")
            found = True
            yield name, entry.offset, b"".join(reader.content(entry))
        reader.finish()
    except Fault as fault:
        if fault.code != "invalid_zip":
            raise
        cause = f"The file is not a sound zip file: {fault.text}"
        raise Fault("archive_invalid_zip", cause) from fault
    if not found:
        raise Fault("archive_no_containers", f"There is no {_SUFFIX} file in it")


def _named(reader: ZipReader) -> Iterator[tuple[Entry, str]]:
    """The files and their names, each of which is there once, whatever the case."""
    if reader.count > _MOST_FILES:
        refuse("it has too many files")
    seen: set[str] = set()
    for entry in reader.directory():
        name = safe_name(entry)
        if name.casefold() in seen:
            refuse(f"'{name}' is in it twice")
        seen.add(name.casefold())
        yield entry, name
