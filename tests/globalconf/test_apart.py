"""Reading apart: kept for the next time, in a folder or in memory, and no worse for accidents."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

import msgspec
import pytest

from xgate.errors import Fault
from xgate.globalconf import apart
from xgate.globalconf.apart import forget_snapshots, read_apart
from xgate.globalconf.generate import write_shared
from xgate.globalconf.shared import SharedParameters


def no_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")


def the_only(folder: Path) -> Path:
    (path,) = folder.iterdir()
    return path


def test_it_is_read_once_and_found_afterwards(
    country: SharedParameters, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    octets = write_shared(country)
    first = read_apart(octets, tmp_path / "kept")
    assert stat.S_IMODE((tmp_path / "kept").stat().st_mode) == 0o700
    no_reading(monkeypatch)
    assert read_apart(octets, tmp_path / "kept").servers == first.servers == country.servers


@pytest.mark.parametrize("damage", ["cut", "changed", "of another file", "gone"])
def test_what_cannot_be_used_is_read_again(
    country: SharedParameters, tmp_path: Path, damage: str
) -> None:
    octets = write_shared(country)
    read_apart(octets, tmp_path)
    path = the_only(tmp_path)
    good = path.read_bytes()
    if damage == "cut":
        path.write_bytes(good[:-9])
    elif damage == "changed":
        path.write_bytes(good[:-9] + bytes(9))
    elif damage == "gone":
        path.unlink()
    else:
        other = msgspec.structs.replace(country, servers=())
        read_apart(write_shared(other), tmp_path / "other")
        path.write_bytes(the_only(tmp_path / "other").read_bytes())
        the_only(tmp_path / "other").unlink()
        (tmp_path / "other").rmdir()
    assert read_apart(octets, tmp_path).servers == country.servers
    assert the_only(tmp_path).read_bytes() == good


def test_without_a_folder_it_lies_in_memory(country: SharedParameters, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for folder in (None, tmp_path / "file" / "below"):
        assert read_apart(write_shared(country), folder).members == country.members


def test_a_refusal_is_the_readers_own(tmp_path: Path) -> None:
    with pytest.raises(Fault, match="shared parameters: the document is not well-formed"):
        read_apart(b"<conf>", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_process_that_dies_or_hangs_is_a_refusal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_reading(monkeypatch)
    with pytest.raises(Fault, match="ended with code 1"):
        read_apart(b"<conf/>", tmp_path)
    hanging = tmp_path / "hangs"
    hanging.write_text("#!/bin/sh\nexec sleep 600\n")
    hanging.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(hanging))
    monkeypatch.setattr(apart, "_PATIENCE", 0.2)
    with pytest.raises(Fault, match=r"were not read in 0\.2 s"):
        read_apart(b"<conf/>", tmp_path)


def test_what_nobody_uses_is_forgotten_and_stays_mapped(
    country: SharedParameters, tmp_path: Path
) -> None:
    old = read_apart(write_shared(country), tmp_path)
    new = read_apart(write_shared(msgspec.structs.replace(country, servers=())), tmp_path)
    (tmp_path / "something else").write_bytes(b"")
    forget_snapshots(tmp_path, [new.snapshot])
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == sorted([f"{new.snapshot.head.digest.hex()}.snapshot", "something else"])
    assert old.servers == country.servers
