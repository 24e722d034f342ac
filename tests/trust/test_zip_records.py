"""A zip file's records: what is written is read back, small and beyond 32 bits."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xgate.errors import Fault
from xgate.trust.zip_records import (
    CENTRAL_SIZE,
    LOCAL_SIZE,
    End,
    Entry,
    central_tail_size,
    find_end,
    local_tail_size,
    read_central,
    read_local,
    write_central,
    write_descriptors,
    write_end,
    write_local,
)

sizes = st.one_of(st.integers(0, 9), st.integers(2**32 - 3, 2**32 + 3), st.just(2**60))
extras = st.sampled_from([b"", b"UT\5\0\1abcd"])


@given(sizes, sizes, sizes, extras)
@settings(max_examples=100, deadline=None)
def test_headers_are_read_back(packed: int, size: int, offset: int, extra: bytes) -> None:
    entry = Entry(b"name", 0x800, 8, 0xFFFFFFFF, packed, size, offset)
    wide = max(packed, size) >= 0xFFFFFFFF
    octets = write_central(entry, 0, extra)
    head, tail = octets[:CENTRAL_SIZE], octets[CENTRAL_SIZE:]
    assert central_tail_size(head) == len(tail)
    told = Entry(b"name", 0x800, 8, 0xFFFFFFFF, packed, size, offset, wide)
    assert read_central(head, tail) == told
    octets = write_local(entry, 0, extra)
    head, tail = octets[:LOCAL_SIZE], octets[LOCAL_SIZE:]
    assert local_tail_size(head) == len(tail)
    assert read_local(head, tail) == Entry(b"name", 0x800, 8, 0xFFFFFFFF, packed, size, 0, wide)
    assert [len(form) for form in write_descriptors(told)] == ([24, 20] if wide else [16, 12])


@given(st.one_of(sizes, st.integers(65530, 65540)), sizes, sizes)
@settings(max_examples=100, deadline=None)
def test_ends_are_read_back(count: int, start: int, length: int) -> None:
    end = write_end(count, start, length)
    assert find_end(end, start + length + len(end)) == End(count, start, start + length)
    with pytest.raises(Fault, match="does not fit"):
        find_end(end, start + length + len(end) + 1)
