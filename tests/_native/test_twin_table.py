"""The oracle itself: what was written is found, by a layout that is drawn by hand once."""

from __future__ import annotations

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xgate._native.twin_table import Table, write_table
from xgate.errors import Fault


def test_the_layout_by_hand() -> None:
    a, b = zlib.crc32(b"a"), zlib.crc32(b"bb")
    assert b < a
    entries = struct.pack("=8I", b, 12, 2, 1, a, 10, 1, 0)
    directory = struct.pack("=2I", 0, 2)  # up to four keys are one bucket
    assert write_table([b"a", b"bb"], [10, 12], [0, 1]) == entries + directory


def test_buckets_are_by_the_upper_bits() -> None:
    keys = [b"%d" % number for number in range(9)]  # four buckets
    crcs = sorted(map(zlib.crc32, keys))
    table = write_table(keys, [0] * 9, [0] * 9)
    first = struct.unpack("=5I", table[9 * 16 :])
    assert first == tuple(sum(crc >> 30 < bucket for crc in crcs) for bucket in range(5))


@given(st.dictionaries(st.binary(max_size=6), st.binary(max_size=6), max_size=40))
def test_keys_are_told_in_the_order_of_the_block(items: dict[bytes, bytes]) -> None:
    octets, starts = bytearray(), []
    for key, value in items.items():
        starts.append(len(octets) + 1)
        octets += b"-" + key + value
    table = write_table(list(items), starts, list(map(len, items.values())))
    found = Table(bytes(octets) + table, len(octets), len(items))
    assert list(found.keys()) == list(items)
    assert len(found) == len(items)
    assert [found.find(key) for key in items] == list(items.values())
    assert all(key in found for key in items)
    assert b"seven octets or more" not in found


def test_a_key_outside_of_the_block_is_not_told() -> None:
    table = write_table([b"key"], [1000], [0])
    with pytest.raises(Fault, match="damaged"):
        list(Table(table, 0, 1).keys())
    with pytest.raises(Fault, match="damaged"):
        Table(table, 0, 1).find(b"key")


def test_more_than_a_block_can_hold_is_not_written() -> None:
    with pytest.raises(struct.error):
        write_table([b"key"], [2**32], [0])
