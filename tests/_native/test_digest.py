"""C and its twin digest alike, whatever the cut, the size or the kind of buffer."""

from __future__ import annotations

import gc
import hashlib
import resource
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xgate._native import digest, twin_digest

NAMES = sorted(digest.ALGORITHMS)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [0, 1, 63, 64, 111, 112, 127, 128, 129, 4096, 1_000_003])
def test_streams_around_the_block_sizes(name: str, size: int) -> None:
    data = bytes(i % 251 for i in range(min(size, 4096))) * (size // 4096 or 1)
    hasher, twin = digest.Hasher(name), twin_digest.Hasher(name)
    hasher.update(data)
    twin.update(data)
    assert hasher.digest() == twin.digest()


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(NAMES), st.lists(st.binary(max_size=300), max_size=12))
def test_where_a_stream_is_cut_does_not_matter(name: str, pieces: list[bytes]) -> None:
    hasher, twin = digest.Hasher(name), twin_digest.Hasher(name)
    for piece in pieces:
        hasher.update(piece)
        twin.update(piece)
        assert hasher.digest() == twin.digest()  # and asking does not end the stream
    assert digest.digest_parts(name, [b"".join(pieces)]) == [twin.digest()]


@settings(max_examples=50, deadline=None)
@given(st.sampled_from(NAMES), st.lists(st.binary(max_size=300), max_size=20))
def test_many_parts_in_one_crossing(name: str, parts: list[bytes]) -> None:
    assert digest.digest_parts(name, parts) == twin_digest.digest_parts(name, parts)


def test_every_kind_of_buffer() -> None:
    expected = hashlib.sha512(b"octets").digest()
    for data in (b"octets", bytearray(b"octets"), memoryview(b"-octets-")[1:-1]):
        hasher = digest.Hasher("SHA-512")
        hasher.update(data)
        assert hasher.digest() == expected
        assert digest.digest_parts("SHA-512", [data]) == [expected]


def test_octets_that_do_not_lie_together_are_refused() -> None:
    with pytest.raises((ValueError, BufferError), match="contiguous"):
        digest.Hasher("SHA-512").update(memoryview(b"octets")[::2])


@pytest.mark.parametrize("name", ["SHA-1", "MD5", "sha-256", "SHA-224", ""])
def test_other_digests_are_not_known(name: str) -> None:
    with pytest.raises(ValueError, match="digest"):
        digest.Hasher(name)
    with pytest.raises(ValueError, match="no such digest"):
        digest.digest_parts(name, [])


def test_streams_on_many_threads_do_not_meet() -> None:
    def stream(number: int) -> bytes:
        hasher = digest.Hasher("SHA-384")
        for _ in range(50):
            hasher.update(bytes([number]) * 1000)
        return hasher.digest()

    with ThreadPoolExecutor(4) as pool:
        digests = list(pool.map(stream, range(16)))
    assert digests == [hashlib.sha384(bytes([n]) * 50_000).digest() for n in range(16)]


def test_a_forgotten_hasher_gives_its_memory_back() -> None:
    def spend(count: int) -> int:
        for _ in range(count):
            digest.Hasher("SHA-512").update(b"x")
        gc.collect()
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # KiB

    before = spend(2_000)
    assert spend(20_000) - before < 4_000  # a leak would be about 20 MB
