"""The plain envelope: a file, anew, for this user and his group."""

from __future__ import annotations

from pathlib import Path

from xgate.messagelog.envelope import PlainEnvelope


def test_an_archive_is_written_as_it_is_over_an_old_one(tmp_path: Path) -> None:
    path = tmp_path / "draft"
    path.write_bytes(b"something longer that was left here")
    path.chmod(0o666)
    with PlainEnvelope().open(path, None) as file:
        file.write(b"archive")
    assert path.read_bytes() == b"archive"
    assert path.stat().st_mode & 0o137 == 0
    assert not PlainEnvelope.encrypted
