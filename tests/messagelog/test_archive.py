"""One archive: its octets, its end, and that everybody can open it."""

from __future__ import annotations

import io
import random
import shutil
import subprocess
import zipfile
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import IO

import msgspec
import pytest

from xgate.algorithms import SHA512
from xgate.errors import Fault
from xgate.ids import ClientId
from xgate.messagelog.archive import (
    Contain,
    Grouping,
    Rotation,
    Written,
    group_of,
    write_archive,
)
from xgate.messagelog.evidence import write_evidence
from xgate.messagelog.record import LoggedRecord, Outline, Record, Stamp, outline_of
from xgate.testing.authority import NOW
from xgate.trust.archive_read import ArchiveReader
from xgate.trust.linking import LINKING_INFO, Heading, Link

APP = ClientId("XG", "COM", "777", "app")
OTHER = ClientId("XG", "COM", "777")
STAMP = Stamp(b"token", b"<result/>", b"<chain/>")
ALL = Rotation()
Make = Callable[..., Record]


def logged(make: Make, count: int, **more: object) -> list[LoggedRecord]:
    return [
        LoggedRecord(n, make(n, time=NOW + timedelta(seconds=n), **more), STAMP)
        for n in range(1, count + 1)
    ]


def written(
    records: Sequence[LoggedRecord],
    folder: Path,
    *,
    rotation: Rotation = ALL,
    grouping: Grouping = "none",
    previous: Link | None = None,
) -> tuple[Written, bytes]:
    out = io.BytesIO()
    heading = Heading(previous, SHA512)
    outlines = map(outline_of, records)
    contain = contain_of(records)
    done = write_archive(outlines, contain, out, heading, grouping, rotation, folder=folder)
    return done, out.getvalue()


def contain_of(records: Sequence[LoggedRecord]) -> Contain:
    """Of a log that holds these records."""
    by_number = {logged.id: logged for logged in records}

    def contain(outline: Outline, out: IO[bytes]) -> str:
        name, octets = write_evidence(by_number[outline.id])
        out.write(octets)
        return name

    return contain


def test_an_archive_tells_what_it_holds(unsigned: Make, tmp_path: Path) -> None:
    records = logged(unsigned, 3)
    records.reverse()  # another owner may have come between: times need not ascend
    previous = Link("ab" * 64, "mlog-before.zip")
    done, octets = written(records, tmp_path, previous=previous)
    assert done.numbers == (3, 2, 1)
    assert (done.first, done.last) == (records[2].record.time, records[0].record.time)
    reader = ArchiveReader(io.BytesIO(octets))
    assert reader.heading == Heading(previous, SHA512)
    assert [name for name, _ in reader.containers()] == [
        "query+3-request-3.asice",
        "query+2-request-2.asice",
        "query+1-request-1.asice",
    ]
    assert reader.last == done.digest


def test_the_same_records_give_the_same_octets(unsigned: Make, tmp_path: Path) -> None:
    records = logged(unsigned, 3)
    assert written(records, tmp_path) == written(records, tmp_path)


@pytest.mark.parametrize("program", [["unzip", "-tqq"], ["bsdtar", "-tf"]])
def test_others_open_it_and_the_containers_in_it(
    unsigned: Make, tmp_path: Path, program: list[str]
) -> None:
    if shutil.which(program[0]) is None:
        pytest.skip(f"{program[0]} is not installed")
    _, octets = written(logged(unsigned, 2, attachments=(b"body",)), tmp_path)
    path = tmp_path / "a.zip"
    path.write_bytes(octets)
    subprocess.run([*program, path], check=True, capture_output=True)
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert archive.namelist()[-1] == LINKING_INFO
        archive.extractall(tmp_path)
        times = [info.date_time[:5] for info in archive.infolist()]
    assert times == [(NOW + timedelta(seconds=s)).timetuple()[:5] for s in (1, 2, 2)]
    for container in tmp_path.glob("*.asice"):
        subprocess.run([*program, container], check=True, capture_output=True)
        with zipfile.ZipFile(container) as asice:
            first = asice.infolist()[0]
            assert (first.filename, first.compress_type) == ("mimetype", zipfile.ZIP_STORED)
            assert "attachment1" in asice.namelist()


def test_a_container_of_any_size_goes_in_whole(unsigned: Make, tmp_path: Path) -> None:
    """Also one that has to wait in a file."""
    body = random.Random(1).randbytes(3 << 20)
    records = [*logged(unsigned, 1), *logged(unsigned, 2, attachments=(body,))[1:]]
    done, octets = written(records, tmp_path)
    reader = ArchiveReader(io.BytesIO(octets))
    found = dict(reader.containers())
    assert found == dict(map(write_evidence, records))
    assert reader.last == done.digest
    assert list(tmp_path.iterdir()) == []


def test_what_the_log_refuses_is_no_fault_of_the_record(unsigned: Make, tmp_path: Path) -> None:
    def contain(outline: Outline, out: IO[bytes]) -> str:
        raise Fault("logging_failed.database_error", "gone")

    outlines = map(outline_of, logged(unsigned, 1))
    heading = Heading(None, SHA512)
    with pytest.raises(Fault) as caught:
        write_archive(outlines, contain, io.BytesIO(), heading, "none", ALL, folder=tmp_path)
    assert caught.value.code == "logging_failed.database_error"


def test_it_ends_with_the_container_that_makes_it_too_large(unsigned: Make, tmp_path: Path) -> None:
    records = logged(unsigned, 4)
    one, _ = written(records, tmp_path, rotation=Rotation(octets=1))
    assert one.numbers == (1,)
    _, octets = written(records[:2], tmp_path)
    with zipfile.ZipFile(io.BytesIO(octets)) as archive:
        two = sum(info.file_size for info in archive.infolist() if ".asice" in info.filename)
    assert written(records, tmp_path, rotation=Rotation(octets=two))[0].numbers == (1, 2, 3)
    assert written(records, tmp_path, rotation=Rotation(octets=two - 1))[0].numbers == (1, 2)


def test_it_ends_with_its_number_of_records_and_before_one_that_is_late(
    unsigned: Make, tmp_path: Path
) -> None:
    records = logged(unsigned, 4)
    assert written(records, tmp_path, rotation=Rotation(records=2))[0].numbers == (1, 2)
    assert written(records, tmp_path, rotation=Rotation(seconds=2))[0].numbers == (1, 2, 3)
    assert written(records, tmp_path, rotation=Rotation(seconds=0.5))[0].numbers == (1,)


@pytest.mark.parametrize(
    ("grouping", "numbers"), [("none", (1, 2, 3)), ("member", (1, 2, 3)), ("subsystem", (1, 2))]
)
def test_it_ends_before_another_group(
    unsigned: Make, tmp_path: Path, grouping: Grouping, numbers: tuple[int, ...]
) -> None:
    one, two, three = logged(unsigned, 3)
    three = LoggedRecord(3, msgspec.structs.replace(three.record, owner=OTHER), STAMP)
    assert written([one, two, three], tmp_path, grouping=grouping)[0].numbers == numbers


def test_a_group_is_named_by_its_client() -> None:
    assert [group_of(APP, g) for g in ("none", "member", "subsystem")] == [
        None,
        "XG/COM/777",
        "XG/COM/777/app",
    ]


def test_a_record_that_gives_no_container_is_named(unsigned: Make, tmp_path: Path) -> None:
    bad = LoggedRecord(7, unsigned(7), None)
    with pytest.raises(Fault, match="Record 7 ") as caught:
        written([bad], tmp_path)
    assert caught.value.code == "archive_invalid_record"


def test_work_can_be_given_up_between_two_containers(unsigned: Make, tmp_path: Path) -> None:
    def give_up() -> None:
        raise KeyboardInterrupt

    records = logged(unsigned, 2)
    with pytest.raises(KeyboardInterrupt):
        write_archive(
            map(outline_of, records),
            contain_of(records),
            io.BytesIO(),
            Heading(None, SHA512),
            "none",
            ALL,
            folder=tmp_path,
            between=give_up,
        )
    assert list(tmp_path.iterdir()) == []
