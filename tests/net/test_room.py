"""Room on the disk: claimed before it is taken, watched, and clean after a crash."""

from __future__ import annotations

import errno
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from xgate.net.room import NoRoomError, Room, open_nameless

OpenFile = Callable[[Path, int, int], int]


def without_nameless_files(path: Path, flags: int, mode: int) -> int:
    """A file system that knows no nameless files."""
    assert flags & os.O_TMPFILE == os.O_TMPFILE
    raise OSError(errno.EOPNOTSUPP, "Operation not supported", str(path))


@pytest.mark.parametrize("open_fd", [os.open, without_nameless_files])
def test_a_file_has_no_name_and_is_for_us_alone(tmp_path: Path, open_fd: OpenFile) -> None:
    with open_nameless(tmp_path, open_fd) as file:
        status = os.fstat(file.fileno())
        assert (stat.S_IMODE(status.st_mode), status.st_nlink) == (0o600, 0)
        assert list(tmp_path.iterdir()) == []
        file.write(b"octets")
        file.seek(0)
        assert file.read() == b"octets"


@pytest.mark.parametrize("open_fd", [os.open, without_nameless_files])
def test_a_folder_that_is_not_there_is_named(tmp_path: Path, open_fd: OpenFile) -> None:
    with pytest.raises(OSError, match="missing"):
        open_nameless(tmp_path / "missing", open_fd)


def test_room_is_claimed_up_to_the_last_octet_and_given_back() -> None:
    room = Room(most=10)
    room.take(10)
    with pytest.raises(NoRoomError) as caught:
        room.take(1)
    assert caught.value.errno == errno.ENOSPC
    assert (caught.value.met, room.refused) == ("most", {"most": 1})
    room.give_back(4)
    room.take(4)
    assert room.taken == 10


def test_what_the_file_system_has_left_is_watched(tmp_path: Path) -> None:
    status = os.statvfs(tmp_path)
    room = Room(directory=tmp_path, spare=status.f_blocks * status.f_frsize + 1)
    room.take(1000)  # between two looks
    with pytest.raises(NoRoomError, match="no room"):
        room.take(8 << 20)
    assert room.taken == 1000
    with pytest.raises(NoRoomError, match="no room"):
        room.open()
    assert room.refused == {"spare": 2}


def test_a_sweep_takes_our_own_leftovers_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "xgate-spool-abc").write_bytes(b"left behind")
    (tmp_path / "other").write_bytes(b"not ours")
    (tmp_path / "xgate-spool-folder").mkdir()
    (tmp_path / "xgate-spool-link").symlink_to(tmp_path / "other")
    assert Room(directory=tmp_path).sweep() == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "other",
        "xgate-spool-folder",
        "xgate-spool-link",
    ]
    assert Room(directory=tmp_path).sweep() == 0


_HOLDS_A_BODY = """
import sys, time
from pathlib import Path
from xgate.net.body import Spool
from xgate.net.room import Room

spool = Spool(threshold=0, share=Room(directory=Path(sys.argv[1])).share())
spool.write(bytes(1 << 20))
print("held", flush=True)
time.sleep(60)
"""


def test_a_process_that_is_killed_leaves_no_file(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _HOLDS_A_BODY, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        links = [str(fd.readlink()) for fd in Path(f"/proc/{process.pid}/fd").iterdir()]
        assert any(link.startswith(str(tmp_path)) for link in links)
        process.send_signal(signal.SIGKILL)
    assert list(tmp_path.iterdir()) == []
