"""What waits in the outbox survives; what never was finished is swept away."""

from __future__ import annotations

from pathlib import Path

import pytest

from xgate.errors import Fault
from xgate.messagelog.outbox import Outbox, Pending
from xgate.trust.linking import Link

PENDING = Pending("XG/COM/1", Link("aa", "before.zip"), Link("bb", "this.zip"), (1, 5), 7)


def test_what_waits_is_found_by_the_next_process(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "a" / "outbox")
    assert outbox.find() is None
    outbox.draft.write_bytes(b"archive")
    outbox.keep(PENDING)
    again = Outbox(tmp_path / "a" / "outbox")
    assert again.find() == PENDING
    assert again.archive.read_bytes() == b"archive"
    again.clear()
    assert Outbox(tmp_path / "a" / "outbox").find() is None
    assert list((tmp_path / "a" / "outbox").iterdir()) == []


def test_what_was_not_finished_is_swept_away(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path)
    for name in ("tmp-mlog-draft.tmp", "tmp-mlog-ready.tmp", "tmp-mlog-x1y2"):
        (tmp_path / name).write_bytes(b"half")
    (tmp_path / "pending.tmp").write_bytes(b"{")
    (tmp_path / "other").write_bytes(b"not ours")
    assert outbox.find() is None
    assert {path.name for path in tmp_path.iterdir()} == {"other", "pending.tmp"}


@pytest.mark.parametrize("damage", [b"", b"{}", b"no json", b"\xff"])
def test_an_unreadable_note_is_none(tmp_path: Path, damage: bytes) -> None:
    outbox = Outbox(tmp_path)
    outbox.draft.write_bytes(b"archive")
    outbox.keep(PENDING)
    (tmp_path / "pending.json").write_bytes(damage)
    assert outbox.find() is None
    assert not outbox.archive.exists()


@pytest.mark.parametrize("size", [0, 6, 8, None])
def test_a_note_without_its_whole_archive_is_none(tmp_path: Path, size: int | None) -> None:
    outbox = Outbox(tmp_path)
    outbox.draft.write_bytes(b"archive")
    outbox.keep(PENDING)
    if size is None:
        outbox.archive.unlink()
    else:
        outbox.archive.write_bytes(bytes(size))
    assert outbox.find() is None
    assert not (tmp_path / "pending.json").exists()


def test_two_processes_do_not_use_one_outbox(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path)
    with outbox.alone(), pytest.raises(Fault) as caught, Outbox(tmp_path).alone():
        pass
    assert caught.value.code == "archive_outbox_in_use"
    with Outbox(tmp_path).alone():
        pass
