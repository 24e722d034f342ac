"""What a command writes is there whole, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from xgate.cli.in_place import in_place
from xgate.cli.output import Unusable


def test_a_file_is_there_when_it_is_whole_and_for_whom_it_is_meant(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with in_place(path, replace=False) as file:
        file.write(b"one")
        assert not path.exists()
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"one", 0o600)
    with in_place(path, replace=True, mode=0o644) as file:
        file.write(b"two")
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"two", 0o644)
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_there_stays_when_something_fails(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(Unusable, match="say --replace"), in_place(path, replace=False):
        pass
    with pytest.raises(ValueError, match="closed"), in_place(path, replace=True) as file:
        file.close()
    assert (path.read_bytes(), list(tmp_path.iterdir())) == (b"old", [path])
