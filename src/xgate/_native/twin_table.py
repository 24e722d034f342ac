"""Tables of keys in a block of octets, in plain Python: their writer, and the oracle of ``table``.

The rule: the layout is that of ``csrc/table.c``. Nothing in a block is trusted: what leads out of
it is ``malformed_global_conf`` when it is come across, never an answer.
"""

from __future__ import annotations

import mmap
import sys
import zlib
from array import array
from collections.abc import Collection, Iterator, Mapping
from itertools import accumulate, chain
from typing import Final

from xgate.errors import Fault

__all__ = ["BLOCK", "Table", "write_table"]

BLOCK: Final = 2**30 - 1
"""How many octets a block may have."""

_NUMBER = 4
_PLACES = 2 * _NUMBER  # of a key and its value


class Table:
    """A table in a block of octets that never change.

    :param start: where it begins. :param count: of its keys.
    :raises Fault: ``malformed_global_conf``: it does not lie in the block, or that is too large.
    """

    def __init__(self, octets: bytes | mmap.mmap, start: int, count: int) -> None:
        bits = _bits_of(count)
        self.octets: Final = octets
        self._start: Final = start
        self._count: Final = count
        self._bits: Final = bits
        if start < 0 or count < 0 or not start + (_NUMBER << bits) <= len(octets) <= BLOCK:
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
        places = self._bucket(zlib.crc32(key) << self._bits >> 32)
        low, high = 0, len(places)
        while low < high:
            middle = (low + high) // 2
            found, value = self._key(places[middle])
            if found == key:
                return value
            if found < key:
                low = middle + 1
            else:
                high = middle
        return None

    def keys(self) -> Iterator[bytes]:
        """All keys, in no order of interest.

        :raises Fault: ``malformed_global_conf``: one is not in the block.
        """
        for bucket in range(1 << self._bits):
            for place in self._bucket(bucket):
                yield self._key(place)[0]

    def _bucket(self, number: int) -> range:
        """The places of the keys of a bucket."""
        places = self._number(self._start + _NUMBER * number)
        first = self._number(places)
        if first > len(self.octets) or first < places + _NUMBER:
            raise _damaged()
        if (first - places - _NUMBER) % _PLACES:
            raise _damaged()
        return range(places, first - _NUMBER, _PLACES)

    def _key(self, place: int) -> tuple[bytes, bytes]:
        """A key and its value."""
        start, value, end = (self._number(place + _NUMBER * after) for after in range(3))
        if not start <= value <= end <= len(self.octets):
            raise _damaged()
        return self.octets[start:value], self.octets[value:end]

    def _number(self, at: int) -> int:
        found = self.octets[at : at + _NUMBER]
        if len(found) < _NUMBER:
            raise _damaged()
        return int.from_bytes(found, sys.byteorder)


def write_table(items: Mapping[bytes, bytes], start: int) -> bytes:
    """A table of these keys and values, to be put into a block.

    :param start: where it will begin there.
    :raises OverflowError: its end is behind what four octets can say.
    """
    buckets = _fill_buckets(items)
    # All pieces in one go: a country has some hundred thousand.
    ordered = list(chain.from_iterable(buckets))
    pieces = list(chain.from_iterable(zip(ordered, map(items.__getitem__, ordered), strict=True)))
    sizes = list(map(len, pieces))
    octets = b"".join(pieces)
    counts = [2 * len(keys) for keys in buckets]
    steps: list[int] = []  # from where a bucket begins to each of its pieces and to its end
    first = 0
    for count in counts:
        steps.append(_NUMBER * (count + 1))
        steps += sizes[first : first + count]
        first += count
    places = array("I", accumulate(steps, initial=start + _NUMBER * len(buckets)))
    numbers = places.tobytes()
    directory = array("I")
    written: list[bytes] = []
    at = told = 0
    for count in counts:
        directory.append(places[at])
        begins, at = at + 1, at + 1 + count
        written.append(numbers[_NUMBER * begins : _NUMBER * (at + 1)])
        length = places[at] - places[begins]
        written.append(octets[told : told + length])
        told += length
    return directory.tobytes() + b"".join(written)


def _fill_buckets(keys: Collection[bytes]) -> list[list[bytes]]:
    bits = _bits_of(len(keys))
    buckets: list[list[bytes]] = [[] for _ in range(1 << bits)]
    for key, crc in zip(keys, map(zlib.crc32, keys), strict=True):
        buckets[crc >> (32 - bits)].append(key)
    for bucket in buckets:
        bucket.sort()
    return buckets


def _bits_of(count: int) -> int:
    return (max(0, count - 1) // 4).bit_length()


def _damaged() -> Fault:
    return Fault("malformed_global_conf", "a table of the configuration is damaged")
