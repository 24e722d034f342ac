"""Archives: the reference's own, sound ones of ours, and everything that may be wrong with one."""

from __future__ import annotations

import gc
import io
import tracemalloc
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xgate.errors import Fault
from xgate.globalconf.conf import GlobalConf, Instance
from xgate.globalconf.shared import read_shared
from xgate.trust.archive_read import ArchiveReader, verify_archive
from xgate.trust.linking import (
    LINKING_INFO,
    Chain,
    Heading,
    Link,
    linking_digest,
    write_heading,
    write_line,
)
from xgate.trust.proof import ContainerProof
from xgate.trust.zip_writer import ZipWriter

AT = datetime(2024, 12, 5, 13, 16, 34, tzinfo=UTC)
LAST = (
    "9011ab557706b5050584d6888af7b390e5350f4edad296bd7a582aa51732aac7"
    "f49a4ec44dd361027945ade0de8b8cf607fb7b7d11f17b0560d44b965c358eaa"
)
FILES = (("a-request-1.asice", b"one"), ("a-response-2.asice", b"two"), ("b-request-3.asice", b""))
Files = Sequence[tuple[str, bytes]]


def zipped(files: Files) -> io.BytesIO:
    out = io.BytesIO()
    writer = ZipWriter(out, io.BytesIO())
    for name, octets in files:
        writer.add(name, octets, AT)
    writer.finish()
    return out


def info_of(files: Files, previous: Link | None = None, algorithm: str = "SHA-512") -> bytes:
    heading = Heading(previous, linking_digest(algorithm))
    chain = Chain(heading)
    lines = [write_line(chain.add(octets), name) for name, octets in files]
    return write_heading(heading) + b"".join(lines)


def archive(files: Files = FILES, info: bytes | None = None) -> io.BytesIO:
    return zipped([*files, (LINKING_INFO, info_of(files) if info is None else info)])


def refused(file: io.BytesIO) -> Fault:
    with pytest.raises(Fault) as caught:
        list(ArchiveReader(file).containers())
    return caught.value


@given(
    st.lists(st.binary(max_size=50), min_size=1, max_size=5),
    st.sampled_from(["SHA-256", "SHA-384", "SHA-512"]),
    st.none() | st.just(Link("ab" * 64, "mlog before.zip")),
)
@settings(max_examples=50, deadline=None)
def test_what_was_archived_is_read(
    contents: list[bytes], algorithm: str, previous: Link | None
) -> None:
    files = [(f"{number}.asice", octets) for number, octets in enumerate(contents)]
    reader = ArchiveReader(archive(files, info_of(files, previous, algorithm)))
    assert (reader.heading.previous, reader.count) == (previous, len(files))
    assert list(reader.containers()) == files
    assert info_of(files, previous, algorithm).split()[-2] == reader.last.encode()


def test_nothing_but_linkinginfo_is_no_archive() -> None:
    assert refused(archive((), b"- - SHA-512\n")).code == "archive_no_containers"
    assert refused(zipped(FILES)).code == "archive_linkinginfo_not_found"
    for octets in (b"", b"no zip", b"PK\5\6" + bytes(18)):
        with pytest.raises(Fault):
            ArchiveReader(io.BytesIO(octets))


@pytest.mark.parametrize(
    ("files", "told", "named"),
    [
        (FILES[:2], FILES, "b-request-3"),  # one is missing at the end
        (FILES[1:], FILES, "a-request-1"),
        (FILES, FILES[:2], "b-request-3"),  # one is too many
        ((FILES[0], FILES[2], FILES[1]), FILES, "a-response-2"),  # another order
    ],
)
def test_names_that_differ_are_told(files: Files, told: Files, named: str) -> None:
    fault = refused(archive(files, info_of(told)))
    assert fault.code == "archive_file_names_differ"
    assert named in fault.text


def test_a_changed_container_is_told_with_its_place() -> None:
    changed = [FILES[0], ("a-response-2.asice", b"TWO"), FILES[2]]
    fault = refused(archive(changed, info_of(FILES)))
    assert fault.code == "archive_digest_mismatch"
    place = archive(changed).getvalue().index(b"PK\3\4", 4)
    assert f"'a-response-2.asice' (at octet {place} " in fault.text


def test_the_previous_link_is_part_of_the_chain() -> None:
    told = info_of(FILES, Link("ab", "x.zip")).replace(b"ab x.zip", b"ac x.zip")
    assert refused(archive(FILES, told)).code == "archive_digest_mismatch"


@pytest.mark.parametrize(
    ("files", "cause"),
    [
        ([*FILES, ("A-REQUEST-1.asice", b"x")], "twice"),
        ([*FILES, (LINKING_INFO, b"")], "twice"),
        ([*FILES, ("../x.asice", b"x")], "elsewhere"),
    ],
)
def test_tricks_with_names_are_refused(files: Files, cause: str) -> None:
    fault = refused(archive(files))
    assert fault.code == "archive_invalid_zip"
    assert cause in fault.text


def test_a_container_that_is_too_large_is_not_inflated() -> None:
    file = archive([("a.asice", bytes(1000))])
    with pytest.raises(Fault, match="larger than 999 bytes"):
        list(ArchiveReader(file, limit=999).containers())


def test_linkinginfo_may_be_long_and_is_not_kept(tmp_path: Path) -> None:
    files = [(f"{number:0>200}.asice", bytes(3000)) for number in range(1500)]
    (tmp_path / "a.zip").write_bytes(archive(files).getvalue())
    peaks = []
    for _ in range(3):  # threads of others may take memory meanwhile, and never give us any
        gc.collect()
        with (tmp_path / "a.zip").open("rb") as file:
            reader = ArchiveReader(file)
            tracemalloc.start()
            assert sum(1 for _ in reader.containers()) == 1500
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    assert min(peaks) < 2_000_000  # the file has 5.5 million octets


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_no_changed_octet_changes_a_container(data: st.DataObject) -> None:
    octets = bytearray(archive().getvalue())
    octets[data.draw(st.integers(0, len(octets) - 1))] ^= data.draw(st.integers(1, 255))
    with suppress(Fault):
        assert tuple(ArchiveReader(io.BytesIO(octets)).containers()) == FILES


def trust_of(golden: Path) -> GlobalConf:
    tree = golden / "globalconf-signed" / "v3-2024-04" / "V3"
    shared = read_shared(next(tree.glob("*/shared-params.xml")).read_bytes())
    return GlobalConf("CS", {"CS": Instance("CS", shared=shared, version=3)})


@pytest.mark.reference
def test_the_reference_s_archive_is_proven_whole(golden: Path) -> None:
    trust = trust_of(golden)
    proofs: list[ContainerProof | Fault] = []
    path = golden / "archive" / "message-archive-0.zip"
    with path.open("rb") as file:
        found = verify_archive(trust, file, path.name, lambda _, proof: proofs.append(proof))
    assert (found.previous, found.last, found.algorithm) == (None, LAST, "SHA-512")
    assert (found.containers, found.invalid) == (1, 0)
    (proof,) = proofs
    assert isinstance(proof, ContainerProof)
    assert proof.kind == "batch"
    assert proof.timestamp.gen_time == datetime(2023, 10, 23, 12, 13, 27, tzinfo=UTC)


@pytest.mark.reference
def test_an_archive_of_2015_is_followed_though_its_container_proves_nothing(golden: Path) -> None:
    trust = trust_of(golden)
    told: dict[str, object] = {}
    with (golden / "archive" / "mlog-WITH_LINKINGINFO.zip").open("rb") as file:
        found = verify_archive(trust, file, "old.zip", told.__setitem__)
    assert (found.containers, found.invalid, found.algorithm) == (1, 1, "SHA-256")
    (fault,) = told.values()
    assert isinstance(fault, Fault)
    assert fault.code == "mlog.tsp_certificate_not_found"  # of another country


@pytest.mark.reference
@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("mlog-NO_ASIC_CONTAINERS.zip", "archive_no_containers"),
        ("mlog-EXCESSIVE_FILES_IN_LINKINGINFO.zip", "archive_file_names_differ"),
    ],
)
def test_the_reference_s_broken_archives_are_refused(golden: Path, name: str, code: str) -> None:
    assert refused(io.BytesIO((golden / "archive" / name).read_bytes())).code == code
