"""Tables of keys in a block of octets, in plain Python: their writer, and the oracle of ``table``.

The rule: the layout is that of ``csrc/table.c``. Nothing in a block is trusted: what leads out of
it is ``malformed_global_conf`` when it is come across, never an answer.
"""

from __future__ import annotations

import mmap
import struct
import sys
import zlib
from array import array
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Final

from xgate.errors import Fault

__all__ = ["BLOCK", "Table", "write_table"]

BLOCK: Final = 2**30 - 1
"""How many octets a block may have."""

_entry = struct.Struct("=IIII")


class Table:
    """A table in a block of octets that never change.

    :param start: where it begins. :param count: of its keys.
    :raises Fault: ``malformed_global_conf``: it does not lie in the block, or that is too large.
    """

    def __init__(self, octets: bytes | mmap.mmap, start: int, count: int) -> None:
        bits = _bits_of(count)
        directory = start + _entry.size * count
        self.octets: Final = octets
        self._start: Final = start
        self._count: Final = count
        self._bits: Final = bits
        self._directory: Final = directory
        if start < 0 or count < 0 or not directory + 4 * ((1 << bits) + 1) <= len(octets) <= BLOCK:
            raise _damaged()

    def __len__(self) -> int:
        return self._count

    def __contains__(self, key: bytes) -> bool:
        """Whether there is this key.

        :raises Fault: ``malformed_global_conf``: the search was led out of the block.
        """
        return self.find(key) is not None

    def find(self, key: bytes) -> bytes | None:
        """The value of this key.

        :raises Fault: ``malformed_global_conf``: the search was led out of the block.
        """
        crc = zlib.crc32(key)
        bucket = crc << self._bits >> 32
        low, high = self._first(bucket), self._first(bucket + 1)
        if not low <= high <= self._count:
            raise _damaged()
        while low < high:
            middle = (low + high) // 2
            its_crc, start, behind, end = self._entry(middle)
            found = its_crc, self.octets[start:behind]
            if found == (crc, key):
                return self.octets[behind:end]
            if found < (crc, key):
                low = middle + 1
            else:
                high = middle
        return None

    def keys(self) -> Iterator[bytes]:
        """All keys, in the order in which they lie in the block.

        :raises Fault: ``malformed_global_conf``: one is not in the block.
        """
        places = sorted(self._entry(number)[1:3] for number in range(self._count))
        return (self.octets[start:end] for start, end in places)

    def _first(self, bucket: int) -> int:
        at = self._directory + 4 * bucket
        return int.from_bytes(self.octets[at : at + 4], sys.byteorder)

    def _entry(self, number: int) -> tuple[int, int, int, int]:
        """The CRC of a key, where it begins, where its value does, where that ends."""
        at = self._start + _entry.size * number
        crc, start, key, value = _entry.unpack_from(self.octets, at)
        end = start + key + value
        if end > len(self.octets):
            raise _damaged()
        return crc, start, start + key, end


def write_table(keys: Sequence[bytes], starts: Sequence[int], values: Sequence[int]) -> bytes:
    """A table of these keys, no two of them the same.

    :param starts: where each lies in the block, with its value behind it.
    :param values: how many octets each of these has.
    :raises struct.error: one lies further away than an entry can say.
    """
    crcs = list(map(zlib.crc32, keys))
    # Sorted twice, and stable: pairs would take four times as long.
    order = sorted(range(len(keys)), key=keys.__getitem__)
    order.sort(key=crcs.__getitem__)
    entries = list(map(_entry.pack, crcs, starts, map(len, keys), values))
    bits = _bits_of(len(keys))
    sizes = [0] * (1 << bits)
    for crc in crcs:
        sizes[crc << bits >> 32] += 1
    directory = array("I", accumulate(sizes, initial=0))
    return b"".join((*map(entries.__getitem__, order), directory))


def _bits_of(count: int) -> int:
    return (max(0, count - 1) // 4).bit_length()


def _damaged() -> Fault:
    return Fault("malformed_global_conf", "a table of the configuration is damaged")
