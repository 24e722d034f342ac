"""C and its twin find the same in tables of any kind, and are led out of none."""

from __future__ import annotations

import mmap
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xgate._native import table as native
from xgate._native import twin_table as twin
from xgate._native.twin_table import BLOCK, write_table
from xgate.errors import Fault

KEYS = st.binary(max_size=6) | st.sampled_from([b"", b"a", b"ab", b"b", b"\0", b"\xff"])


def block_of(items: dict[bytes, bytes], before: bytes = b"") -> tuple[bytes, int]:
    """A block with these keys and values in a table, and where that begins."""
    return before + write_table(items, len(before)), len(before)


def met(keys: int) -> list[bytes]:
    """Different keys that all have one CRC: what is added to a key cancels out in its tail."""
    bits = {zlib.crc32(bytes(4)) ^ zlib.crc32((1 << bit).to_bytes(4)): bit for bit in range(32)}
    reduced: dict[int, tuple[int, int]] = {}  # by its highest bit: a sum of columns, and which
    for column, bit in bits.items():
        left, which = column, 1 << bit
        while left and left.bit_length() in reduced:
            other = reduced[left.bit_length()]
            left, which = left ^ other[0], which ^ other[1]
        reduced[left.bit_length()] = (left, which)

    def tail_of(head: bytes) -> bytes:
        left, which = zlib.crc32(head + bytes(4)) ^ 0x12345678, 0
        while left:
            other = reduced[left.bit_length()]
            left, which = left ^ other[0], which ^ other[1]
        return which.to_bytes(4)

    return [head + tail_of(head) for head in (b"%d" % number for number in range(keys))]


def said(table: twin.Table, key: bytes) -> object:
    """What a table answers, or how it refuses."""
    try:
        assert (key in table) == (table.find(key) is not None)
        return table.find(key)
    except Fault as fault:
        return fault.code


def agreed(octets: bytes, start: int, count: int, key: bytes) -> object:
    try:
        theirs = said(twin.Table(octets, start, count), key)
    except Fault as fault:
        with pytest.raises(Fault, match=fault.text):
            native.Table(octets, start, count)
        return fault.code
    assert said(native.Table(octets, start, count), key) == theirs
    return theirs


@settings(deadline=None)
@given(
    st.dictionaries(KEYS, st.binary(max_size=9), max_size=40),
    st.lists(KEYS, max_size=9),
    st.binary(max_size=5),
)
def test_what_was_written_is_found_and_nothing_else(
    items: dict[bytes, bytes], others: list[bytes], before: bytes
) -> None:
    octets, start = block_of(items, before)
    for key in (*items, *others):
        assert agreed(octets, start, len(items), key) == items.get(key)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5, 8, 9, 31, 32, 33, 1000])
def test_tables_of_every_size(count: int) -> None:
    items = {b"key %d" % number: b"%d" % number for number in range(count)}
    octets, start = block_of(items)
    for number in range(count + 50):
        key = b"key %d" % number
        assert agreed(octets, start, count, key) == items.get(key)


def test_keys_of_every_length() -> None:
    octets = bytes(number * 89 % 256 for number in range(300))
    items = {octets[:size]: octets[size:] for size in range(300)}
    block, start = block_of(items)
    for key, value in items.items():
        assert agreed(block, start, len(items), key) == value
        assert agreed(block, start, len(items), key + b"\0") == items.get(key + b"\0")


def test_keys_that_were_made_to_have_one_crc_are_told_apart() -> None:
    keys = met(300)
    assert len({zlib.crc32(key) for key in keys}) == 1
    items = {key: b"%d" % number for number, key in enumerate(keys[:200])}
    octets, start = block_of(items)
    for key in keys:
        assert agreed(octets, start, len(items), key) == items.get(key)


@settings(deadline=None, max_examples=300)
@given(
    st.dictionaries(KEYS, st.binary(max_size=9), min_size=1, max_size=12),
    st.lists(
        st.tuples(st.integers(0), st.integers(0, 80) | st.integers(0, 2**32 - 1)),
        min_size=1,
        max_size=4,
    ),
    st.lists(KEYS, max_size=4),
)
def test_damaged_numbers_lead_nowhere(
    items: dict[bytes, bytes], damage: list[tuple[int, int]], others: list[bytes]
) -> None:
    octets, start = block_of(items)
    spoilt = bytearray(octets)
    for place, number in damage:
        at = start + 4 * (place % ((len(octets) - start) // 4))
        spoilt[at : at + 4] = struct.pack("=I", number)
    for key in (*items, *others):
        agreed(bytes(spoilt), start, len(items), key)


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=120), st.integers(-2, 130), st.integers(-2, 9), KEYS)
def test_any_octets_as_a_table(octets: bytes, start: int, count: int, key: bytes) -> None:
    agreed(octets, start, count, key)


@pytest.mark.parametrize(
    ("number", "place"),
    [
        (0, 2**32 - 1),  # of the bucket
        (0, 29),  # which would end behind the block
        (1, 2**32 - 1),  # of the key, and so of how many there are
        (1, 3),
        (1, 15),
        (1, 12),
        (1, 32),
        (2, 2**32 - 1),  # of the value
        (2, 15),
        (3, 2**32 - 1),  # of its end
        (3, 18),
        (3, 25),
    ],
)
def test_a_place_that_cannot_be_is_a_refusal(number: int, place: int) -> None:
    octets, start = block_of({b"key": b"value"})
    places = [*struct.unpack_from("=4I", octets, start)]
    assert places == [4, 16, 19, len(octets)]
    places[number] = place
    spoilt = struct.pack("=4I", *places) + octets[16:]
    assert agreed(spoilt, start, 1, b"key") == "malformed_global_conf"


@pytest.mark.parametrize("beyond", [(21, 0), (-1, 0), (0, -2), (0, 2**31), (2**63, 0)])
def test_a_table_that_is_not_in_its_block_is_refused(beyond: tuple[int, int]) -> None:
    octets, start = block_of({b"key": b"value"})
    place = start + beyond[0], 1 + beyond[1]
    assert agreed(octets, *place, b"key") == "malformed_global_conf"


def test_a_block_that_is_too_large_is_refused() -> None:
    with mmap.mmap(-1, BLOCK + 1) as octets:
        for table in (twin.Table, native.Table):
            with pytest.raises(Fault, match="damaged"):
                table(octets, 0, 0)


def test_a_mapped_block_is_held_as_long_as_its_table() -> None:
    octets, start = block_of({b"key": b"value"})
    mapped = mmap.mmap(-1, len(octets))
    mapped.write(octets)
    table = native.Table(mapped, start, 1)
    with pytest.raises(BufferError):
        mapped.close()
    assert table.find(b"key") == b"value"


def test_many_threads_search_one_table() -> None:
    items = {b"key %d" % number: b"%d" % number for number in range(500)}
    octets, start = block_of(items)
    table = native.Table(octets, start, len(items))
    with ThreadPoolExecutor(4) as pool:
        found = pool.map(lambda _: {key: table.find(key) for key in items}, range(20))
        assert all(each == items for each in found)
