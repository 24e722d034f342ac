"""Archives under examination: what is read out of which file, and what is said of it."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from xgate.cli.archive import ArchiveWalk, archive_rows, is_archive
from xgate.trust.linking import (
    LINKING_INFO,
    Chain,
    Heading,
    Link,
    linking_digest,
    write_heading,
    write_line,
)
from xgate.trust.zip_writer import ZipWriter

AT = datetime(2025, 6, 1, 12, tzinfo=UTC)
Files = Sequence[tuple[str, bytes]]
TWO = (("a.asice", b"one"), ("b.asice", b"two"))


def write_zip(path: Path, files: Files) -> Path:
    with path.open("wb") as out:
        writer = ZipWriter(out, io.BytesIO())
        for name, octets in files:
            writer.add(name, octets, AT)
        writer.finish()
    return path


def write_archive(path: Path, files: Files = TWO, previous: Link | None = None) -> Link:
    heading = Heading(previous, linking_digest("SHA-512"))
    chain = Chain(heading)
    lines = [write_line(chain.add(octets), name) for name, octets in files]
    write_zip(path, [*files, (LINKING_INFO, write_heading(heading) + b"".join(lines))])
    return Link(chain.last, path.name)


def test_containers_of_all_archives_come_in_one_stream(tmp_path: Path) -> None:
    first, second = tmp_path / "1.zip", tmp_path / "2.zip"
    link = write_archive(first)
    write_archive(second, [("c.asice", b"three")], link)
    walk = ArchiveWalk([first, second])
    assert walk.count() == 5  # with linkinginfo
    found = list(walk.containers())
    assert [(item.archive, item.name, item.octets) for item in found] == [
        (str(first), "a.asice", b"one"),
        (str(first), "b.asice", b"two"),
        (str(second), "c.asice", b"three"),
    ]
    assert found[0].place == 0 < found[1].place
    one, two = walk.verdicts(Counter({str(first): 2}), Counter({str(second): 1}))
    assert (one.sound, one.valid, one.continues, one.last_link) == (True, 2, None, link.digest)
    assert (two.sound, two.invalid, two.continues) == (True, 1, link)
    assert ("continues", "1.zip") in archive_rows(two)
    assert ("continues", "nothing: it is the first") in archive_rows(one)


def test_an_archive_that_breaks_off_stops_only_itself(tmp_path: Path) -> None:
    broken, sound = tmp_path / "1.zip", tmp_path / "2.zip"
    write_archive(broken)
    octets = bytearray(broken.read_bytes())
    octets[octets.index(b"two")] ^= 1
    broken.write_bytes(octets)
    write_archive(sound)
    walk = ArchiveWalk([broken, tmp_path / "gone.zip", sound])
    assert [item.name for item in walk.containers()] == ["a.asice", "a.asice", "b.asice"]
    bad, gone, good = walk.verdicts(Counter(), Counter())
    assert bad.reason is not None
    assert bad.reason.code == "archive_invalid_zip"
    assert gone.reason is not None
    assert gone.reason.code == "io_error"
    assert (bad.sound, gone.sound, good.sound) == (False, False, True)
    assert archive_rows(bad)[0] == ("code", "archive_invalid_zip")
    assert walk.count() == 6


def test_a_zip_of_containers_that_nothing_links(tmp_path: Path) -> None:
    bundle = write_zip(tmp_path / "download.zip", TWO)
    walk = ArchiveWalk([bundle])
    assert [item.octets for item in walk.containers()] == [b"one", b"two"]
    (verdict,) = walk.verdicts(Counter(), Counter())
    assert (verdict.kind, verdict.sound, verdict.last_link) == ("bundle", True, None)
    assert any(what == "chain" and "none" in text for what, text in archive_rows(verdict))


def test_an_archive_from_which_the_links_were_taken_is_no_mere_zip(tmp_path: Path) -> None:
    name = "mlog-20250601120000-20250601120000-0123456789abcdef.zip"
    walk = ArchiveWalk([write_zip(tmp_path / name, TWO)])
    assert list(walk.containers()) == []
    (fault,) = walk.refused.values()
    assert fault.code == "archive_linkinginfo_not_found"


def test_a_zip_without_containers_counts_only_if_somebody_named_it(tmp_path: Path) -> None:
    other = write_zip(tmp_path / "verificationconf.zip", [("instance-identifier", b"XG")])
    named, found = ArchiveWalk([other]), ArchiveWalk([other], lying_there=[other])
    for walk in (named, found):
        assert list(walk.containers()) == []
    assert [fault.code for fault in named.refused.values()] == ["archive_no_containers"]
    assert (found.refused, found.others) == ({}, [str(other)])
    assert found.verdicts(Counter(), Counter()) == []


def test_what_it_must_continue(tmp_path: Path) -> None:
    path = tmp_path / "1.zip"
    before = Link("ab" * 64, "0.zip")
    write_archive(path, previous=before)
    for previous, refused in ((before, False), (None, True), (Link("cd" * 64, "0.zip"), True)):
        walk = ArchiveWalk([path], previous)
        list(walk.containers())
        assert bool(walk.refused) is refused
        if refused:
            (fault,) = walk.refused.values()
            assert fault.code == "archive_previous_digest_mismatch"


def test_encrypted_ones_are_named_and_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "1.zip.gpg"
    path.write_bytes(b"?")
    walk = ArchiveWalk([path])
    assert (list(walk.containers()), walk.encrypted) == ([], [str(path)])


@pytest.mark.parametrize(
    ("name", "octets", "archive"),
    [
        ("a.zip", b"PK", True),
        ("a.zip.gpg", b"", True),
        ("a.asice", b"PK", False),
        ("a.gpg", b"", False),
        ("a", b"", False),
    ],
)
def test_what_is_looked_into_as_an_archive(
    tmp_path: Path, name: str, octets: bytes, archive: bool
) -> None:
    (tmp_path / name).write_bytes(octets)
    assert is_archive(tmp_path / name) is archive


def test_a_container_is_one_whatever_its_name(tmp_path: Path, batch: Callable[..., bytes]) -> None:
    (tmp_path / "renamed.zip").write_bytes(batch())
    assert not is_archive(tmp_path / "renamed.zip")
    assert is_archive(tmp_path / "gone.zip")
