"""The signer's door: one signer to a socket, nobody in whom the kernel does not vouch for."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from xgate.errors import Fault
from xgate.net.errors import ConnectError
from xgate.signer.ask import ask_signer
from xgate.signer.door import check_visitor, open_door, user_ids
from xgate.signer.protocol import Login

AS_NOBODY = """import os, socket, sys
os.setgid(65534); os.setuid(65534)
with socket.socket(socket.AF_UNIX) as sock:
    sock.connect(sys.argv[1])
    sock.recv(1)
"""
LISTEN_AS_NOBODY = """import os, socket, sys
os.setgid(65534); os.setuid(65534)
with socket.socket(socket.AF_UNIX) as listener:
    listener.bind(sys.argv[1])
    listener.listen()
    print("ready", flush=True)
    print(listener.accept()[0].recv(100))
"""


@pytest.fixture
def way() -> Iterator[Path]:
    """A folder that other users can come to, which none of pytest's is."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)


def test_a_door_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    door = open_door(tmp_path / "deep" / "run" / "signer.sock")
    try:
        assert stat.S_IMODE(door.path.stat().st_mode) == 0o600
        assert stat.S_IMODE(door.path.parent.stat().st_mode) == 0o700
    finally:
        door.close()
    assert not door.path.exists()
    door.close()


def test_what_a_dead_signer_left_is_cleared_away(tmp_path: Path) -> None:
    path = tmp_path / "signer.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(os.fspath(path))
    door = open_door(path)
    try:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(os.fspath(path))
    finally:
        door.close()


def test_a_second_signer_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "signer.sock"
    door = open_door(path)
    try:
        with pytest.raises(ConnectError, match="another signer is at work"):
            open_door(path)
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(os.fspath(path))
    finally:
        door.close()


def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "signer.sock"
    path.write_text("precious")
    with pytest.raises(ConnectError, match="is no socket"):
        open_door(path)
    assert path.read_text() == "precious"
    path.unlink()
    open_door(path).close()


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    path = tmp_path / "signer.sock"
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConnectError, match="is no socket"):
        open_door(path)


def test_a_folder_that_others_can_change_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.raises(ConnectError, match="chmod go-w"):
        open_door(folder / "signer.sock")


def test_a_path_that_is_too_long_for_a_socket_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConnectError, match=r"107 octets; name a shorter one in \[keys\] signer"):
        open_door(tmp_path / ("x" * 108))


def test_our_own_user_may_pass() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    with ours, theirs:
        assert check_visitor(ours, frozenset())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_another_user_may_pass_if_it_is_named(way: Path) -> None:
    door = open_door(way / "signer.sock", shared=True)
    door.listener.setblocking(True)
    program = [sys.executable, "-c", AS_NOBODY, os.fspath(door.path)]
    try:
        with subprocess.Popen(program) as visitor:
            sock, _ = door.listener.accept()
            with sock:
                assert not check_visitor(sock, frozenset({65534}))
                with pytest.raises(Fault, match=rf"Process {visitor.pid} of user 65534 may not"):
                    check_visitor(sock, frozenset({1}))
    finally:
        door.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_a_signer_of_somebody_else_is_told_nothing(way: Path) -> None:
    path = way / "signer.sock"
    way.chmod(0o777)
    with subprocess.Popen(
        [sys.executable, "-c", LISTEN_AS_NOBODY, os.fspath(path)], stdout=subprocess.PIPE
    ) as impostor:
        assert impostor.stdout is not None
        impostor.stdout.readline()
        with pytest.raises(Fault, match=rf"is process {impostor.pid} of user 65534"):
            ask_signer(path, Login(1, "0", "Secret1234"))
        said, _ = impostor.communicate(timeout=20)
    assert said == b"b''\n"


def test_users_have_names_or_numbers() -> None:
    assert user_ids(["root", "65534"]) == {0, 65534}
    with pytest.raises(Fault, match="no user 'nobody-of-that-name'"):
        user_ids(["nobody-of-that-name"])
