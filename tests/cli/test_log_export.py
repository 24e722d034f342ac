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
from xgate.messagelog.record import Outline
from xgate.messagelog.sqlite import SqliteStore

if TYPE_CHECKING:
    from tests.cli.conftest import Logged


@pytest.fixture
def store(logged: Logged) -> Iterator[SqliteStore]:
    with closing(SqliteStore(logged.path, read_only=True)) as store:
        yield store


@pytest.fixture
def first(store: SqliteStore) -> tuple[str, bytes]:
    """What has to come of the first record."""
    return write_evidence(next(store.find()))


def breaking(store: SqliteStore) -> Iterator[Outline]:
    yield next(store.outlines())
    raise Fault("logging_failed.database_error", "gone")


def test_a_folder_gets_a_file_for_each(
    store: SqliteStore, first: tuple[str, bytes], tmp_path: Path
) -> None:
    done = export(store, store.outlines(), tmp_path / "a" / "b", replace=False)
    assert done.unstamped == (list(store.outlines())[2].id,)
    files = sorted((tmp_path / "a" / "b").iterdir())
    assert len(files) == done.containers == 4
    assert sum(file.stat().st_size for file in files) == done.octets
    name, octets = first
    assert (tmp_path / "a" / "b" / name).read_bytes() == octets
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in files)


def test_a_zip_holds_the_same_files(
    store: SqliteStore, first: tuple[str, bytes], tmp_path: Path
) -> None:
    done = export(store, store.outlines(), tmp_path / "out.zip", replace=False)
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        assert len(archive.namelist()) == done.containers == 4
        name, octets = first
        assert archive.read(name) == octets
    assert [path.name for path in tmp_path.iterdir()] == ["out.zip"]


@pytest.mark.parametrize("name", ["out.zip", "out"])
def test_nothing_is_written_over_unless_told_to(
    store: SqliteStore, tmp_path: Path, name: str
) -> None:
    export(store, store.outlines(limit=1), tmp_path / name, replace=False)
    with pytest.raises(Unusable, match="say --replace"):
        export(store, store.outlines(limit=1), tmp_path / name, replace=False)
    assert export(store, store.outlines(limit=1), tmp_path / name, replace=True).containers == 1


def test_a_zip_that_fails_leaves_nothing(store: SqliteStore, tmp_path: Path) -> None:
    with pytest.raises(Fault, match="gone"):
        export(store, breaking(store), tmp_path / "out.zip", replace=False)
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written_to(store: SqliteStore, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for target in (tmp_path / "file" / "x.zip", tmp_path / "file" / "x"):
        with pytest.raises(Unusable, match="Cannot write"):
            export(store, store.outlines(), target, replace=False)


def test_nothing_to_export(store: SqliteStore, tmp_path: Path) -> None:
    assert export(store, [], tmp_path / "out.zip", replace=False).containers == 0
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        assert archive.namelist() == []
