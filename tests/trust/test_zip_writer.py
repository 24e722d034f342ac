"""Zip files written in one go: the same octets always, and readable by everyone, also huge ones."""

from __future__ import annotations

import io
import subprocess
import zipfile
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xgate.trust.strict_zip import read_zip
from xgate.trust.zip_reader import ZipReader
from xgate.trust.zip_writer import ZipWriter

AT = datetime(2023, 10, 23, 12, 12, 55, tzinfo=UTC)


def written(*files: tuple[str, bytes], at: datetime = AT) -> bytes:
    out = io.BytesIO()
    writer = ZipWriter(out, io.BytesIO())
    for name, content in files:
        writer.add(name, content, at)
    writer.finish()
    return out.getvalue()


@given(st.dictionaries(st.from_regex("[a-zé0-9]{1,9}", fullmatch=True), st.binary(), min_size=1))
@settings(max_examples=60, deadline=None)
def test_what_is_written_is_read_by_us_and_by_others(files: dict[str, bytes]) -> None:
    data = written(*files.items())
    assert read_zip(data, limit=1 << 20) == files
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == files


@pytest.mark.parametrize("size", [0, 1, 65534, 65535, 65536, 131070, 200_000])
def test_blocks_are_filled_and_the_last_is_marked(size: int) -> None:
    content = bytes(range(256)) * (size // 256 + 1)
    data = written(("a", content[:size]))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        (info,) = archive.infolist()
        assert (info.file_size, info.compress_size) == (size, size + 5 * max(1, -(-size // 65535)))
        assert archive.read("a") == content[:size]
        assert info.compress_type == zipfile.ZIP_DEFLATED
        assert info.flag_bits == 0


@pytest.mark.parametrize("size", [0, 1, 65535, 600_000])
def test_a_file_of_which_nothing_is_known_is_read_for_it(size: int) -> None:
    content = (bytes(range(256)) * (size // 256 + 1))[:size]
    out, file = io.BytesIO(), io.BytesIO(content)
    writer = ZipWriter(out, io.BytesIO())
    file.seek(0, 2)  # as it was written
    assert writer.add_all_of("a", file, AT) == size
    writer.finish()
    assert out.getvalue() == written(("a", content))


def test_the_time_is_in_utc_and_to_the_second() -> None:
    local = AT.astimezone(timezone(timedelta(hours=3)))
    data = written(("a", b""), at=local)
    assert data == written(("a", b""), at=AT)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        (info,) = archive.infolist()
        assert info.date_time == (2023, 10, 23, 12, 12, 54)
        assert info.extra == b"UT\x05\x00\x01" + int(AT.timestamp()).to_bytes(4, "little")


@pytest.mark.parametrize(("year", "kept"), [(1900, 1980), (2040, 2040), (2200, 2107)])
def test_a_time_that_does_not_fit_stops_nothing(year: int, kept: int) -> None:
    data = written(("a", b"b"), at=datetime(year, 5, 6, tzinfo=UTC))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.infolist()[0].date_time[:3] == (kept, 5, 6)
        assert archive.infolist()[0].extra == b""


def test_a_file_that_is_shorter_than_told_is_not_written() -> None:
    with pytest.raises(ValueError, match="shorter"):
        ZipWriter(io.BytesIO(), io.BytesIO()).add_file("a", io.BytesIO(b"x"), 2, 0, AT)


def test_more_files_than_16_bits_count(tmp_path: Path) -> None:
    path = tmp_path / "many.zip"
    with path.open("wb") as out, (tmp_path / "dir").open("w+b") as directory:
        writer = ZipWriter(out, directory)
        for number in range(65_537):
            writer.add(f"{number}", b"", AT)
        writer.finish()
    with path.open("rb") as file:
        reader = ZipReader(file)
        assert reader.count == 65_537
        for entry in reader.directory():
            reader.skip(entry)
        reader.finish()
    with zipfile.ZipFile(path) as archive:
        assert len(archive.namelist()) == 65_537
    subprocess.run(["unzip", "-qt", path, "65536"], check=True, capture_output=True)


class Holes(io.FileIO):
    """A file that keeps large blocks of zeros as holes: huge, and without taking room."""

    def write(self, data: bytes) -> int:  # type: ignore[override]  # only bytes come here
        if len(data) < 1000:
            return super().write(data)
        self.seek(len(data), 1)
        return len(data)


class Zeros(io.BytesIO):
    """A content that never ends."""

    block = bytes(65535)

    def read(self, size: int | None = -1) -> bytes:
        return self.block if size == 65535 else bytes(size or 0)


def test_files_and_offsets_beyond_4_gib(tmp_path: Path) -> None:
    path = tmp_path / "huge.zip"
    size = (4 << 30) + 5
    with Holes(path, "w") as out:
        writer = ZipWriter(out, io.BytesIO())
        writer.add_file("huge", Zeros(), size, 0x1234, AT)
        writer.add("small", b"content", AT)
        writer.finish()
    with path.open("rb") as file:
        reader = ZipReader(file)
        huge, small = reader.directory()
        assert (huge.size, huge.wide, small.offset > 4 << 30) == (size, True, True)
        reader.skip(huge)
        assert b"".join(reader.content(small)) == b"content"
        reader.finish()
    with zipfile.ZipFile(path) as archive:
        assert archive.getinfo("huge").file_size == size
        assert archive.read("small") == b"content"
    path.unlink()  # it takes no room, but not everybody who copies it would know
