"""Bodies in memory and beyond: the same octets come back, the file is private and goes away."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xgate.net.body import Spool
from xgate.net.errors import TooBigError


@settings(max_examples=60, deadline=None)
@given(
    pieces=st.lists(st.binary(max_size=50), max_size=12),
    threshold=st.integers(0, 200),
    size=st.integers(1, 64),
)
def test_what_was_written_is_read_however_often(
    pieces: list[bytes], threshold: int, size: int
) -> None:
    with Spool(limit=1000, threshold=threshold) as spool:
        for number, piece in enumerate(pieces):
            spool.write(memoryview(piece) if number % 2 else piece)
            assert b"".join(spool.chunks(size)) == b"".join(pieces[: number + 1])
        assert spool.size == sum(map(len, pieces))
        assert spool.read() == b"".join(pieces)
        assert all(0 < len(chunk) <= size for chunk in spool.chunks(size))


def test_more_than_the_limit_is_refused_and_nothing_of_it_kept() -> None:
    with Spool(limit=10, threshold=4) as spool:
        spool.write(b"12345678")
        with pytest.raises(TooBigError, match="10 octets"):
            spool.write(b"901")
        assert spool.read() == b"12345678"
        spool.write(b"90")
        assert spool.size == 10


def in_file(spool: Spool) -> bool:
    return spool._file is not None


def test_the_file_has_no_name_and_is_for_us_alone(tmp_path: Path) -> None:
    with Spool(limit=100, threshold=4, directory=tmp_path) as spool:
        spool.write(b"1234")
        assert not in_file(spool)
        spool.write(b"5")
        assert in_file(spool)
        assert spool._file is not None
        status = os.fstat(spool._file.fileno())
        assert stat.S_IMODE(status.st_mode) == 0o600
        assert status.st_nlink == 0
        assert list(tmp_path.iterdir()) == []
        assert spool.read() == b"12345"


def test_a_closed_spool_keeps_nothing() -> None:
    spool = Spool(limit=100, threshold=1)
    spool.write(b"secret")
    file = spool._file
    assert file is not None
    reader = spool.chunks(1)
    assert next(reader) == b"s"
    spool.close()
    spool.close()
    assert file.closed
    with pytest.raises(ValueError, match="closed"):
        next(reader)
    with pytest.raises(ValueError, match="closed"):
        spool.write(b"more")
    with pytest.raises(ValueError, match="closed"):
        spool.read()


def test_a_forgotten_spool_closes_its_file() -> None:
    spool = Spool(limit=100, threshold=0)
    spool.write(b"x")
    file = spool._file
    assert file is not None
    del spool
    assert file.closed
