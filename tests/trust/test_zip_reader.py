"""Zip files read piece by piece: others' forms of ZIP64, and tricks with it."""

from __future__ import annotations

import io
import struct
import zipfile
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xgate.errors import Fault
from xgate.trust.zip_reader import ZipReader, safe_name


class OneWay(io.BytesIO):
    def seek(self, offset: int, whence: int = 0) -> int:
        raise OSError(offset, whence)


def wide(content: bytes = b"content" * 9, *, streamed: bool = False, method: int = 8) -> bytes:
    """A file whose sizes stand in ZIP64 fields though they are small, as Python can write them."""
    out = OneWay() if streamed else io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        info = zipfile.ZipInfo("a")
        info.compress_type = method
        with archive.open(info, "w", force_zip64=True) as file:
            file.write(content)
    return out.getvalue()


def read(data: bytes) -> dict[str, bytes]:
    reader = ZipReader(io.BytesIO(data))
    files = {}
    for entry in reader.directory():
        files[safe_name(entry)] = b"".join(reader.content(entry))
    reader.finish()
    return files


def refused(data: bytes) -> str:
    with pytest.raises(Fault) as caught:
        read(data)
    assert caught.value.code == "invalid_zip"
    return caught.value.text


def widened(data: bytes) -> bytes:
    """The same file with a ZIP64 end before its end, as a huge one has."""
    end = data[-22:]
    _, _, _, _, count, size, start, _ = struct.unpack("<4s4H2LH", end)
    at = len(data) - 22
    record = struct.pack(
        "<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, size, start
    ) + struct.pack("<4sLQL", b"PK\6\7", 0, at, 1)
    return data[:-22] + record + end


@pytest.mark.parametrize("streamed", [False, True])
def test_zip64_sizes_are_read(streamed: bool) -> None:
    assert read(wide(streamed=streamed)) == {"a": b"content" * 9}


def test_a_large_file_comes_in_pieces() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", 8) as archive:
        archive.writestr("a", bytes(3 << 20))
    reader = ZipReader(out)
    (entry,) = reader.directory()
    pieces = list(reader.content(entry))
    assert max(map(len, pieces)) <= 1 << 18
    assert sum(map(len, pieces)) == 3 << 20


def test_a_zip64_end_is_read_when_it_is_true_and_refused_when_it_is_not() -> None:
    data = wide()
    assert read(widened(data)) == read(data)
    for place in (-42 + 4, -42 + 8, -42 + 16, -98 + 4, -98 + 24, -98 + 40, -98 + 48):
        changed = bytearray(widened(data))
        changed[place] ^= 1
        refused(bytes(changed))


def test_a_locator_that_some_readers_would_follow_is_not_overlooked() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        info = zipfile.ZipInfo("a")
        info.comment = struct.pack("<4sLQL", b"PK\6\7", 0, 0, 1)  # the last octets before the end
        archive.writestr(info, b"x")
    assert "end does not fit" in refused(out.getvalue())


def test_a_zip64_field_without_need_is_refused() -> None:
    data = wide()
    assert data[18:26] == b"\xff" * 8
    assert "extra field" in refused(data[:18] + data[46 - 8 : 46] + data[26:])


def test_a_file_may_be_passed_over_and_another_read_out_of_turn() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a", b"1")
        archive.writestr("b", b"2")
    reader = ZipReader(out)
    first, second = reader.directory()
    reader.begin_at(second)
    assert list(reader.content(second)) == [b"2"]
    reader.begin_at(first)
    reader.skip(first)
    reader.skip(second)
    reader.finish()
    with pytest.raises(Fault, match="between its files"):
        ZipReader(out).finish()


@given(st.booleans(), st.data())
@settings(max_examples=100, deadline=None)
def test_no_changed_octet_changes_what_is_read(streamed: bool, data: st.DataObject) -> None:
    sound = widened(wide(streamed=streamed))
    octets = bytearray(sound)
    octets[data.draw(st.integers(0, len(octets) - 1))] ^= data.draw(st.integers(1, 255))
    with suppress(Fault):
        assert read(bytes(octets)) == read(sound)


@given(st.binary(max_size=120), st.booleans())
@settings(max_examples=100, deadline=None)
def test_garbage_is_a_fault(data: bytes, ended: bool) -> None:
    with suppress(Fault):
        read(data + (b"PK\5\6" + bytes(18) if ended else b""))
