"""What root writes beside a server's files is the server's, and nobody else's is given away."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from xgate.cli.in_place import in_place
from xgate.globalconf.disk import write_disk
from xgate.globalconf.generate import write_shared
from xgate.globalconf.source import SHARED_FILE, StoredPart, assemble
from xgate.owner import find_owner, make_folder, open_or_make
from xgate.serverconf.sqlite_store import SqliteConfigurationStore
from xgate.signer.entries import KeyEntry
from xgate.signer.store import KeyStore, change_store, write_store
from xgate.testing.authority import Authority
from xgate.testing.conf import approve

SERVICE = (65534, 65534)
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a server that runs as a user of its own."""
    tmp_path.chmod(0o755)
    place = tmp_path / "server"
    place.mkdir()
    if os.geteuid() == 0:
        os.chown(place, *SERVICE)
    return place


def owner(path: Path) -> tuple[int, int]:
    found = path.lstat()
    return found.st_uid, found.st_gid


def change_keys(folder: Path) -> None:
    change_store(folder / "deep" / "keys.xgate", lambda _: KeyStore((KeyEntry("K", "", None),)))


def keep_configuration(folder: Path) -> None:
    shared = StoredPart("XG", SHARED_FILE, write_shared(approve(Authority()), 2))
    write_disk(folder / "globalconf", assemble("XG", [shared]))


def apply(folder: Path) -> None:
    SqliteConfigurationStore(folder / "data" / "conf.sqlite")


def write_certificate(folder: Path) -> None:
    with in_place(folder / "tls.crt", replace=True, for_server=True) as file:
        file.write(b"a certificate")


WRITERS: list[Callable[[Path], None]] = [
    change_keys,
    lambda folder: write_store(folder / "keys.xgate", "a PIN", []),
    keep_configuration,
    apply,
    write_certificate,
]


@as_root
@pytest.mark.parametrize("write", WRITERS)
def test_all_that_root_writes_is_its_folders_owners(
    write: Callable[[Path], None], folder: Path
) -> None:
    write(folder)
    made = list(folder.rglob("*"))
    assert made
    assert {owner(path) for path in made} == {SERVICE}


@as_root
def test_a_file_that_is_replaced_keeps_its_owner_whoevers_folder_it_is_in(tmp_path: Path) -> None:
    write_store(tmp_path / "keys.xgate", "a PIN", [])
    assert owner(tmp_path / "keys.xgate") == owner(tmp_path)
    os.chown(tmp_path / "keys.xgate", *SERVICE)
    change_store(tmp_path / "keys.xgate", lambda _: KeyStore((KeyEntry("K", "", None),)))
    assert owner(tmp_path / "keys.xgate") == SERVICE
    assert stat.S_IMODE((tmp_path / "keys.xgate").stat().st_mode) == 0o600


@as_root
def test_what_was_there_is_given_to_nobody(folder: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("root's own")
    (folder / "hard").hardlink_to(secret)
    (folder / "soft").symlink_to(secret)
    os.chown(folder / "soft", *SERVICE, follow_symlinks=False)
    os.close(open_or_make(folder / "hard", SERVICE, 0o600))
    with pytest.raises(OSError, match="symbolic"):
        open_or_make(folder / "soft", SERVICE, 0o600)
    assert owner(secret) == (0, 0)
    assert secret.read_text() == "root's own"


@as_root
def test_a_link_in_the_place_of_what_is_written_first_leads_nowhere(
    folder: Path, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("root's own")
    keep_configuration(folder)
    shared = folder / "globalconf" / "XG" / SHARED_FILE
    shared.with_name(f".{SHARED_FILE}.new").symlink_to(secret)
    shared.unlink()
    keep_configuration(folder)
    assert (owner(shared), owner(secret)) == (SERVICE, (0, 0))
    assert secret.read_text() == "root's own"


def test_a_folder_is_made_with_all_above_it_and_found_as_it_is(folder: Path) -> None:
    make_folder(folder / "a" / "b", 0o700)
    assert stat.S_IMODE((folder / "a" / "b").stat().st_mode) == 0o700
    (folder / "a" / "b").chmod(0o711)
    make_folder(folder / "a" / "b", 0o700)
    assert stat.S_IMODE((folder / "a" / "b").stat().st_mode) == 0o711
    (folder / "file").touch()
    with pytest.raises(FileExistsError):
        make_folder(folder / "file")


def test_only_root_asks_whose_a_file_is_to_be(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = find_owner(folder / "new")
    assert found == (owner(folder) if os.geteuid() == 0 else None)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert find_owner(folder / "new") is None
