"""The room for bodies is made and clean before the first message, or the server does not start."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from xgate.net.body import Spool
from xgate.net.room import NoRoomError
from xgate.securityserver.section import SettingsError
from xgate.securityserver.settings import load_settings
from xgate.securityserver.spool_settings import SpoolSettings, limit_met, open_room


def test_the_folder_is_made_for_us_alone_and_swept(tmp_path: Path) -> None:
    settings = SpoolSettings(directory="run/spool")
    room = open_room(settings, tmp_path)
    assert room.directory == tmp_path / "run/spool"
    assert stat.S_IMODE(room.directory.stat().st_mode) == 0o700
    (room.directory / "xgate-spool-left").write_bytes(b"of a crash")
    open_room(settings, tmp_path)
    assert list(room.directory.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(SettingsError, match=r"\[spool\] directory: .*/file.*"):
        open_room(SpoolSettings(directory="file"), tmp_path)


def test_the_limits_are_those_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "xgate.toml"
    limits = "most-bytes = 5\nmessage-bytes = 4\nfree-bytes = 0\n"
    path.write_text(f'server = "XG/COM/1/SS"\n[spool]\ndirectory = "s"\n{limits}')
    room = open_room(load_settings(path).spool, tmp_path)
    with Spool(threshold=0, share=room.share()) as one:
        with pytest.raises(NoRoomError, match="more than 4 octets") as met:
            one.write(b"12345")
        assert limit_met(met.value, load_settings(path).spool) == "[spool] message-bytes = 4"
        one.write(b"1234")
        with Spool(threshold=0, share=room.share()) as other, pytest.raises(NoRoomError) as met:
            other.write(b"12")
    assert limit_met(met.value, load_settings(path).spool) == "[spool] most-bytes = 5"


@pytest.mark.parametrize("line", ["most-bytes = 0", "message-bytes = -1", "free-bytes = -1"])
def test_limits_that_mean_nothing_are_refused(tmp_path: Path, line: str) -> None:
    path = tmp_path / "xgate.toml"
    path.write_text(f'server = "XG/COM/1/SS"\n[spool]\n{line}\n')
    with pytest.raises(SettingsError, match="spool"):
        load_settings(path)
