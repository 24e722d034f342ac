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
    assert zlib.crc32(b"") >> 31 == zlib.crc32(b"c") >> 31 == 0
    assert zlib.crc32(b"a") >> 31 == zlib.crc32(b"bb") >> 31 == zlib.crc32(b"d") >> 31 == 1
    table = write_table({b"d": b"", b"bb": b"1", b"": b"22", b"a": b"333", b"c": b""}, 1000)
    directory = struct.pack("=2I", 1008, 1031)  # from five keys on there are two buckets
    lower = struct.pack("=5I", 1028, 1028, 1030, 1031, 1031) + b"22c"
    upper = struct.pack("=7I", 1059, 1060, 1063, 1065, 1066, 1067, 1067) + b"a333bb1d"
    assert table == directory + lower + upper


@pytest.mark.parametrize("items", [{}, {b"": b""}])
def test_small_tables(items: dict[bytes, bytes]) -> None:
    places = (4, 16, 16, 16) if items else (4, 8)
    assert write_table(items, 0) == struct.pack(f"={len(places)}I", *places)
    table = Table(write_table(items, 0), 0, len(items))
    assert list(table.keys()) == list(items)
    assert (b"" in table) == bool(items)


@given(st.dictionaries(st.binary(max_size=6), st.binary(max_size=6), max_size=40))
def test_what_was_written_is_found_and_told(items: dict[bytes, bytes]) -> None:
    found = Table(b"before" + write_table(items, 6) + b"behind", 6, len(items))
    assert sorted(found.keys()) == sorted(items)
    assert len(found) == len(items)
    assert [found.find(key) for key in items] == list(items.values())
    assert all(key in found for key in items)
    assert b"seven octets or more" not in found


def test_a_key_outside_of_the_block_is_not_told() -> None:
    table = write_table({b"key": b"value"}, 1)
    with pytest.raises(Fault, match="damaged"):
        list(Table(table, 0, 1).keys())
    with pytest.raises(Fault, match="damaged"):
        Table(table, 0, 1).find(b"key")


def test_more_than_a_block_can_hold_is_not_written() -> None:
    with pytest.raises(OverflowError):
        write_table({b"key": b""}, 2**32 - 19)
