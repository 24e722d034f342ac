"""Blocks of octets: whole or refused, and every key found whatever the bucket."""

from __future__ import annotations

import hashlib
import os
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xgate.errors import Fault
from xgate.globalconf.shared import SharedParameters
from xgate.globalconf.snapshot import MAGIC, Snapshot, key_of
from xgate.globalconf.snapshot_writer import write_snapshot


def mapped(block: bytes) -> Snapshot:
    descriptor = os.memfd_create("test", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, block)
        return Snapshot(descriptor)
    finally:
        os.close(descriptor)


def test_a_block_gives_the_file_it_was_made_from(country: SharedParameters) -> None:
    snapshot = mapped(write_snapshot(country, b"<conf/>" * 100))
    assert snapshot.source() == b"<conf/>" * 100
    assert b"".join(snapshot.pieces()) == b"<conf/>" * 100
    assert snapshot.head.size == 700
    assert snapshot.head.sha512 == hashlib.sha512(b"<conf/>" * 100).digest()


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 300_000), st.randoms(use_true_random=False))
def test_whatever_its_size_in_one_piece_or_several(
    country: SharedParameters, size: int, random: Random
) -> None:
    octets = random.randbytes(size)
    snapshot = mapped(write_snapshot(country, octets))
    assert snapshot.source() == b"".join(snapshot.pieces()) == octets


def test_blocks_are_equal_by_the_file_they_were_made_from(country: SharedParameters) -> None:
    one, same = (mapped(write_snapshot(country, b"a file")) for _ in range(2))
    other = mapped(write_snapshot(country, b"a fine"))
    assert one == same == b"a file"
    assert hash(one) == hash(same)
    assert one != other
    assert b"a fine" != one != b"another"


@pytest.mark.parametrize("size", [0, 1, 47, 48, -1])
def test_a_cut_block_is_refused(country: SharedParameters, size: int) -> None:
    with pytest.raises(Fault, match="damaged or not ours"):
        mapped(write_snapshot(country, b"a file")[:size])


def test_another_layout_is_refused(country: SharedParameters) -> None:
    block = write_snapshot(country, b"a file")
    with pytest.raises(Fault, match="damaged or not ours"):
        mapped(b"xgate-0" + MAGIC[-1:] + block[len(MAGIC) :])


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_one_changed_octet_is_refused(country: SharedParameters, data: st.DataObject) -> None:
    block = bytearray(write_snapshot(country, b"a file"))
    at = data.draw(st.integers(0, len(block) - 1))
    block[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(Fault, match="damaged or not ours"):
        mapped(bytes(block))


@given(st.lists(st.lists(st.none() | st.text(max_size=3), max_size=4).map(tuple), max_size=9))
def test_different_parts_have_different_keys(found: list[tuple[str | None, ...]]) -> None:
    assert len(set(map(key_of, found))) == len(set(found))


def test_lists_and_tables_are_found_by_name(country: SharedParameters) -> None:
    snapshot = mapped(write_snapshot(country, b"a file"))
    assert len(snapshot.records("members")) == len(country.members) > 0
    for member in country.members:
        key = key_of((country.instance, member.member_class.code, member.code, None))
        assert key in snapshot.table("names")
    with pytest.raises(KeyError):
        snapshot.table("nothing")
