"""Tables of keys in a block of octets, searched by ``csrc/table.c``: one crossing for a look-up.

The rule: the block is held as long as the table is, and nothing of it is copied but the value that
was asked for. ``twin_table`` says the same in plain Python, and writes what both read.
"""

from __future__ import annotations

import mmap
from typing import Final

from xgate._native import twin_table
from xgate._native._xg import ffi, lib
from xgate._native.check import check

__all__ = ["END", "START", "Table", "check_found", "find_place"]

START: Final[int] = lib.XG_TABLE_BLOCK
"""These bits of a place say where it starts,"""
END: Final = 30
"""and those from here on where it ends."""

find_place = lib.xg_table_find
"""Where the value of a key is, by ``Table.native``, the key and its octets; negative: nowhere.

For who asks so often that a call of ``Table.find`` counts; ``check_found`` tells why nowhere.
"""

_NOT_FOUND = -lib.XG_E_NOT_FOUND


class Table(twin_table.Table):
    """A table in a block of octets that never change.

    :param start: where it begins. :param count: of its keys.
    :raises Fault: ``malformed_global_conf``: it does not lie in the block, or that is too large.
    """

    def __init__(self, octets: bytes | mmap.mmap, start: int, count: int) -> None:
        super().__init__(octets, start, count)
        self._held = ffi.from_buffer("uint8_t[]", octets)  # as long as there is a pointer into it
        self.native: Final = ffi.new("xg_table *", ((self._held, len(self._held)), start, count))

    def __contains__(self, key: bytes) -> bool:
        """Whether there is this key.

        :raises Fault: ``malformed_global_conf``: the search was led out of the block.
        """
        place: int = find_place(self.native, key, len(key))
        if place < 0:
            check_found(place)
        return place >= 0

    def find(self, key: bytes) -> bytes | None:
        """The value of this key.

        :raises Fault: ``malformed_global_conf``: the search was led out of the block.
        """
        place: int = find_place(self.native, key, len(key))
        if place >= 0:
            return self.octets[place & START : place >> END]
        check_found(place)
        return None


def check_found(place: int) -> None:
    """Return if ``place`` says that there is no such key.

    :raises Fault: ``malformed_global_conf``: the search was led out of the block.
    """
    if place != _NOT_FOUND:
        check(-place, "malformed_global_conf", "table of the configuration")
