"""Containers into a folder or a zip: whole, or not there; nothing is written over by itself."""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from xgate.cli.log_export import export
from xgate.cli.output import Unusable
from xgate.errors import Fault
from xgate.messagelog.evidence import write_evidence
from xgate.messagelog.record import LoggedRecord
from xgate.messagelog.sqlite import SqliteStore

if TYPE_CHECKING:
    from tests.cli.conftest import Logged


@pytest.fixture
def records(logged: Logged) -> list[LoggedRecord]:
    with closing(SqliteStore(logged.path, read_only=True)) as store:
        return list(store.find())


def breaking(records: list[LoggedRecord]) -> Iterator[LoggedRecord]:
    yield records[0]
    raise Fault("logging_failed.database_error", "gone")


def test_a_folder_gets_a_file_for_each(records: list[LoggedRecord], tmp_path: Path) -> None:
    done = export(records, tmp_path / "a" / "b", replace=False)
    assert done.unstamped == (records[2].id,)
    files = sorted((tmp_path / "a" / "b").iterdir())
    assert len(files) == done.containers == 4
    assert sum(file.stat().st_size for file in files) == done.octets
    name, octets = write_evidence(records[0])
    assert (tmp_path / "a" / "b" / name).read_bytes() == octets
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in files)


def test_a_zip_holds_the_same_files(records: list[LoggedRecord], tmp_path: Path) -> None:
    done = export(records, tmp_path / "out.zip", replace=False)
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        assert len(archive.namelist()) == done.containers == 4
        name, octets = write_evidence(records[0])
        assert archive.read(name) == octets
    assert [path.name for path in tmp_path.iterdir()] == ["out.zip"]


@pytest.mark.parametrize("name", ["out.zip", "out"])
def test_nothing_is_written_over_unless_told_to(
    records: list[LoggedRecord], tmp_path: Path, name: str
) -> None:
    export(records[:1], tmp_path / name, replace=False)
    with pytest.raises(Unusable, match="say --replace"):
        export(records[:1], tmp_path / name, replace=False)
    assert export(records[:1], tmp_path / name, replace=True).containers == 1


def test_a_zip_that_fails_leaves_nothing(records: list[LoggedRecord], tmp_path: Path) -> None:
    with pytest.raises(Fault, match="gone"):
        export(breaking(records), tmp_path / "out.zip", replace=False)
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written_to(records: list[LoggedRecord], tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for target in (tmp_path / "file" / "x.zip", tmp_path / "file" / "x"):
        with pytest.raises(Unusable, match="Cannot write"):
            export(records, target, replace=False)


def test_nothing_to_export(tmp_path: Path) -> None:
    assert export([], tmp_path / "out.zip", replace=False).containers == 0
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        assert archive.namelist() == []
