"""The twin hashes as hashlib does, and takes only the digests that seals and chains are made of."""

from __future__ import annotations

import hashlib

import pytest

from xgate._native.twin_digest import Hasher, digest_parts


def test_a_stream_in_pieces_has_the_digest_of_the_whole() -> None:
    hasher = Hasher("SHA-512")
    hasher.update(b"ab")
    hasher.update(memoryview(b"c"))
    assert hasher.digest() == hashlib.sha512(b"abc").digest()


def test_each_part_has_its_own_digest() -> None:
    assert digest_parts("SHA-256", [b"a", b""]) == [
        hashlib.sha256(b"a").digest(),
        hashlib.sha256(b"").digest(),
    ]


@pytest.mark.parametrize("name", ["SHA-1", "MD5", "sha-256", "SHA-224", ""])
def test_other_digests_are_not_known(name: str) -> None:
    with pytest.raises(ValueError, match="no such digest"):
        Hasher(name)
    with pytest.raises(ValueError, match="no such digest"):
        digest_parts(name, [])
