"""The folder that archives go to."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from xgate.messagelog.target import FileTarget


@pytest.mark.parametrize("links", [True, False])
def test_a_file_is_put_whole_again_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    if not links:
        monkeypatch.setattr(os, "link", _cannot)
    source = tmp_path / "draft"
    target = FileTarget(tmp_path / "archive")
    for content in (b"one", b"one", b"two"):
        source.write_bytes(content) if not links else _anew(source, content)
        target.put(source, "mlog-1.zip")
        target.put(source, "mlog-1.zip")
        assert (tmp_path / "archive" / "mlog-1.zip").read_bytes() == content
        assert source.read_bytes() == content
    assert [path.name for path in (tmp_path / "archive").iterdir()] == ["mlog-1.zip"]
    assert (tmp_path / "archive").stat().st_mode & 0o777 == 0o700


def test_what_a_crash_has_left_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "tmp-mlog-put.tmp").write_bytes(b"half")
    (tmp_path / "draft").write_bytes(b"whole")
    FileTarget(tmp_path).put(tmp_path / "draft", "a.zip")
    assert (tmp_path / "a.zip").read_bytes() == b"whole"
    assert not (tmp_path / "tmp-mlog-put.tmp").exists()


@pytest.mark.parametrize("name", ["", ".", "..", ".hidden", "../a.zip", "b/a.zip", "/a.zip"])
def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "draft").write_bytes(b"x")
    with pytest.raises(ValueError, match="not the name of a file"):
        FileTarget(tmp_path / "archive").put(tmp_path / "draft", name)


def _anew(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)
    path.write_bytes(content)


def _cannot(*_: object) -> None:
    raise OSError("this file system has no links")
