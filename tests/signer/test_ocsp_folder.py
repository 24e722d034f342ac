"""OCSP responses over a restart: the reference's files, written whole, read with suspicion."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest

from xgate.signer.ocsp_folder import read_ocsp_folder, write_ocsp_folder
from xgate.testing.authority import NOW, Authority
from xgate.testing.pki import issue_auth
from xgate.trust.certificate import Certificate
from xgate.trust.ocsp import OcspResponse

AUTHORITY = Authority()
ONE, TWO, THREE = (issue_auth(AUTHORITY.ca, f"ss{n}").certificate for n in range(3))
RESPONSES = {c.sha1: AUTHORITY.vouch(c) for c in (ONE, TWO, THREE)}


def always(_: OcspResponse) -> bool:
    return True


def write(folder: Path, *certificates: Certificate) -> None:
    """One after the other, a second apart."""
    for number, certificate in enumerate(certificates):
        write_ocsp_folder(folder, {certificate.sha1: RESPONSES[certificate.sha1]})
        os.utime(folder / f"{certificate.sha1}.ocsp", (number, number))


def test_what_was_written_is_found_again_the_oldest_first(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "ocsp"
    write(folder, TWO, ONE, THREE)
    found = read_ocsp_folder(folder, 10, always)
    assert list(found.responses.items()) == [(c.sha1, RESPONSES[c.sha1]) for c in (TWO, ONE, THREE)]
    assert (found.damaged, found.dropped) == ((), 0)
    assert folder.stat().st_mode & 0o007 == 0


def test_the_files_are_named_as_the_references(tmp_path: Path) -> None:
    write(tmp_path, ONE)
    (file,) = tmp_path.iterdir()
    assert file.name == f"{ONE.sha1}.ocsp"
    assert file.read_bytes() == RESPONSES[ONE.sha1]


def test_what_is_gone_from_the_cache_is_gone_from_the_folder(tmp_path: Path) -> None:
    write(tmp_path, ONE, TWO)
    write_ocsp_folder(tmp_path, {ONE.sha1: None, THREE.sha1: None})
    assert list(read_ocsp_folder(tmp_path, 10, always).responses) == [TWO.sha1]


def test_a_folder_that_is_not_there_is_empty_and_one_that_is_none_is_an_error(
    tmp_path: Path,
) -> None:
    assert read_ocsp_folder(tmp_path / "nowhere", 10, always).responses == {}
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError, match="Not a directory"):
        read_ocsp_folder(tmp_path / "file", 10, always)
    with pytest.raises(OSError, match="exists"):
        write_ocsp_folder(tmp_path / "file", {})


def test_what_is_stale_is_deleted(tmp_path: Path) -> None:
    write(tmp_path, ONE, TWO)
    old = AUTHORITY.vouch(TWO, at=NOW - timedelta(days=1))
    write_ocsp_folder(tmp_path, {TWO.sha1: old})
    found = read_ocsp_folder(tmp_path, 10, lambda response: response.this_update == NOW)
    assert (list(found.responses), found.dropped) == ([ONE.sha1], 1)
    assert [file.name for file in tmp_path.iterdir()] == [f"{ONE.sha1}.ocsp"]


def test_of_too_many_the_newest_are_kept(tmp_path: Path) -> None:
    write(tmp_path, ONE, TWO, THREE)
    found = read_ocsp_folder(tmp_path, 2, always)
    assert (list(found.responses), found.dropped) == ([TWO.sha1, THREE.sha1], 1)
    assert not (tmp_path / f"{ONE.sha1}.ocsp").exists()


@pytest.mark.parametrize("octets", [b"", b"garbage", RESPONSES[TWO.sha1][:-1], b"0" * 70_000])
def test_what_is_no_response_is_passed_over_and_named(tmp_path: Path, octets: bytes) -> None:
    write(tmp_path, ONE)
    bad = tmp_path / f"{TWO.sha1}.ocsp"
    bad.write_bytes(octets)
    found = read_ocsp_folder(tmp_path, 10, always)
    assert (list(found.responses), found.damaged) == ([ONE.sha1], (bad.name,))
    assert bad.read_bytes() == octets


def test_other_files_are_nobodys_business_but_what_a_crash_left_is_cleared(tmp_path: Path) -> None:
    write(tmp_path, ONE)
    left = tmp_path / f"{TWO.sha1}.ocsp.new"
    left.write_bytes(b"half a resp")
    (tmp_path / "README").write_text("keep me")
    (tmp_path / f"{TWO.sha1.upper()}.ocsp").write_bytes(b"another's")
    outside = tmp_path.parent / "outside"
    outside.write_bytes(RESPONSES[TWO.sha1])
    (tmp_path / f"{TWO.sha1}.ocsp").symlink_to(outside)
    found = read_ocsp_folder(tmp_path, 10, always)
    assert (list(found.responses), found.damaged, found.dropped) == ([ONE.sha1], (), 0)
    assert not left.exists()
    assert len(list(tmp_path.iterdir())) == 4
    assert outside.exists()


@pytest.mark.reference
def test_a_response_of_the_reference_is_taken_as_it_lies(golden: Path, tmp_path: Path) -> None:
    der = (golden / "ocsp/test.ocsp").read_bytes()
    (tmp_path / f"{ONE.sha1}.ocsp").write_bytes(der)
    assert read_ocsp_folder(tmp_path, 10, always).responses == {ONE.sha1: der}
