"""Which optional parts a central server publishes: one ``.ini`` file declares each.

The rule: a file without both keys declares nothing; what would take the place of another part, by
its content identifier or by its file's name, stops all publishing (globalconf 3.5).
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from xgate.errors import Fault
from xgate.globalconf.directory import PRIVATE_PARAMETERS, SHARED_PARAMETERS
from xgate.globalconf.ini import read_ini
from xgate.globalconf.source import PRIVATE_FILE, SHARED_FILE

__all__ = ["DeclaredPart", "read_declared_parts"]

_CODE = "malformed_optional_parts_conf"


class DeclaredPart(msgspec.Struct, frozen=True):
    """An optional part: its content identifier, and the name of the file that is published."""

    identifier: str
    file_name: str


def read_declared_parts(files: Mapping[str, bytes]) -> tuple[DeclaredPart, ...]:
    """The parts that the files of one folder declare, in the order of the files' names.

    :param files: by name; those that do not end in ``.ini`` are passed over.
    :raises Fault: ``malformed_optional_parts_conf``: a name is taken twice, or is not to be had.
    """
    identifiers = {PRIVATE_PARAMETERS, SHARED_PARAMETERS}
    file_names = {PRIVATE_FILE, SHARED_FILE}
    parts: list[DeclaredPart] = []
    for name in sorted(name for name in files if name.endswith(".ini")):
        values = read_ini(files[name], _CODE)
        part = DeclaredPart(_last(values, "content-identifier"), _last(values, "file-name"))
        if not part.identifier or not part.file_name:
            continue
        for what, value, taken in (
            ("content identifier", part.identifier, identifiers),
            ("file name", part.file_name, file_names),
        ):
            if value in taken:
                raise Fault(_CODE, f"{name}: the {what} '{value}' is taken already")
            taken.add(value)
        if not _is_plain(part.file_name):
            raise Fault(_CODE, f"{name}: '{part.file_name}' is not the name of a file")
        parts.append(part)
    return tuple(parts)


def _last(values: Mapping[str, list[str]], key: str) -> str:
    return values.get(key, [""])[-1]


def _is_plain(name: str) -> bool:
    return name.isprintable() and not set(name) & set("/\\") and name not in (".", "..")
