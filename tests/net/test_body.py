"""Bodies in memory and beyond: the same octets come back, the file is private and goes away."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xgate.net import room as room_module
from xgate.net.body import Lent, Spool
from xgate.net.errors import TooBigError
from xgate.net.room import NoRoomError, Room


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
        lent = spool.lend()
    assert len(lent) == sum(map(len, pieces))
    got = [lent] if isinstance(lent, bytes) else list(lent.pieces(size))
    assert b"".join(got) == b"".join(pieces)
    assert isinstance(lent, bytes) or all(0 < len(piece) <= size for piece in got)


def test_more_than_the_limit_is_refused_and_nothing_of_it_kept() -> None:
    with Spool(limit=10, threshold=4) as spool:
        spool.write(b"12345678")
        with pytest.raises(TooBigError, match="10 octets"):
            spool.write(b"901")
        assert spool.read() == b"12345678"
        spool.write(b"90")
        assert spool.size == 10


@settings(max_examples=60, deadline=None)
@given(
    octets=st.binary(max_size=300),
    cuts=st.lists(st.integers(1, 90), max_size=8),
    keep=st.integers(0, 320),
    most=st.integers(0, 320),
)
def test_only_the_beginning_is_kept_of_what_is_only_counted_from_there_on(
    octets: bytes, cuts: list[int], keep: int, most: int
) -> None:
    room = Room()
    with Spool(keep=keep, threshold=20, share=room.share()) as spool:
        rest = octets
        for cut in [*cuts, 300]:
            spool.write(rest[:cut])
            rest = rest[cut:]
        assert spool.size == len(octets)
        assert spool.read() == octets[:keep]
        assert spool.read(most) == octets[: min(keep, most)]
        assert room.taken in (0, min(keep, len(octets)))
    assert room.taken == 0


def test_what_finds_no_room_fails_alone_and_frees_what_it_had(tmp_path: Path) -> None:
    room = Room(directory=tmp_path, most=10)
    with Spool(threshold=2, share=room.share()) as first:
        first.write(b"123456")
        with Spool(threshold=2, share=room.share()) as second:
            second.write(b"1234")
            with pytest.raises(NoRoomError, match="no room for the body of a message now"):
                second.write(b"5")
            third = Spool(threshold=2, share=room.share())
            third.write(b"ab")
            assert third.read() == b"ab"
        assert room.taken == 6
        first.write(b"7890")
        assert first.read() == b"1234567890"


def test_all_bodies_of_a_message_share_what_one_may_have() -> None:
    share = Room(each=10).share()
    with Spool(share=share) as first, Spool(share=share) as second:
        first.write(b"123456")
        second.write(b"7890")
        with pytest.raises(NoRoomError, match="more than 10 octets") as caught:
            second.write(b"x")
    assert caught.value.strerror == "The bodies of the message have more than 10 octets"


def test_a_full_disk_is_named_for_our_log_and_not_for_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Path("/dev/full").open("r+b", 0) as full:
        monkeypatch.setattr(room_module, "open_nameless", lambda _: full)
        with Spool(threshold=1, share=Room(directory=tmp_path).share()) as spool:
            with pytest.raises(OSError, match=str(tmp_path)) as caught:
                spool.write(b"12345")
            assert caught.value.strerror == "No space left on device"


def in_file(spool: Spool) -> bool:
    return spool._file is not None


def test_the_file_has_no_name_and_is_for_us_alone(tmp_path: Path) -> None:
    share = Room(directory=tmp_path).share()
    with Spool(limit=100, threshold=4, share=share) as spool:
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


def test_what_is_lent_outlives_the_spool_and_no_more(tmp_path: Path) -> None:
    """Whoever reads it may do so after the message has been given up; then the file goes."""
    with Spool(threshold=4, share=Room(directory=tmp_path).share()) as spool:
        spool.write(b"0123456789")
        assert spool.lend(4) == b"0123"
        lent = spool.lend(7)
        spool.write(b"more")
        assert spool.read() == b"0123456789more"  # each reads at a place of its own
    assert isinstance(lent, Lent)
    assert len(lent) == 7
    assert [list(lent.pieces(3)) for _ in range(2)] == [[b"012", b"345", b"6"]] * 2
    handle = lent._descriptor
    del lent
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(handle)


def test_what_is_lent_and_has_become_shorter_is_told() -> None:
    with Spool(threshold=0) as spool:
        spool.write(b"0123456789")
        lent = spool.lend()
        assert isinstance(lent, Lent)
        assert spool._file is not None
        spool._file.truncate(5)
        with pytest.raises(OSError, match="lost its octets"):
            list(lent.pieces(3))


def test_a_forgotten_spool_closes_its_file() -> None:
    spool = Spool(limit=100, threshold=0)
    spool.write(b"x")
    file = spool._file
    assert file is not None
    del spool
    assert file.closed
