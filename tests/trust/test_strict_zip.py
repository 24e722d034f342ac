"""Zip files: what an honest one gives, and that a tricky one is refused before it costs much."""

from __future__ import annotations

import io
import struct
import warnings
import zipfile
import zlib
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xgate.errors import Fault
from xgate.trust.strict_zip import read_zip, write_zip, write_zip_to

AT = datetime(2024, 12, 5, 13, 16, 34, tzinfo=UTC)
LIMIT = 1_000_000


class OneWay(io.BytesIO):
    """A stream that cannot go back: zipfile then writes data descriptors, as Java does."""

    def seek(self, offset: int, whence: int = 0) -> int:
        raise OSError(offset, whence)


def zipped(*files: tuple[str, bytes], streamed: bool = False, method: int = 8) -> bytes:
    out = OneWay() if streamed else io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(out, "w", method) as archive:
        warnings.simplefilter("ignore")  # zipfile minds equal names, we want them
        for name, content in files:
            info = zipfile.ZipInfo(name)  # in 1980: the same octets at any time of day
            info.compress_type = method
            archive.writestr(info, content)
    return out.getvalue()


def refused(data: bytes) -> str:
    with pytest.raises(Fault) as caught:
        read_zip(data, limit=LIMIT)
    assert caught.value.code == "asic_invalid_container"
    return caught.value.text


names = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=12)
contents = st.dictionaries(names, st.binary(max_size=200), min_size=1, max_size=5).filter(
    lambda files: len({name.casefold() for name in files}) == len(files)
)


@given(contents)
@settings(max_examples=50, deadline=None)
def test_what_was_written_is_read_by_us_and_by_others(files: dict[str, bytes]) -> None:
    data = write_zip(files.items(), at=AT, comment="mimetype=x")
    assert list(read_zip(data, limit=LIMIT).items()) == list(files.items())
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == files


@given(contents, st.booleans(), st.sampled_from([0, 8]))
@settings(max_examples=50, deadline=None)
def test_what_others_write_is_read(files: dict[str, bytes], streamed: bool, method: int) -> None:
    data = zipped(*files.items(), streamed=streamed, method=method)
    if streamed and method == 0:
        assert "behind it" in refused(data)
    else:
        assert read_zip(data, limit=LIMIT) == files


def test_a_reader_that_streams_finds_all_it_needs_in_front() -> None:
    data = write_zip([("mimetype", b"text"), ("a", b"b" * 99)], at=AT, comment="c")
    assert data[:30] == struct.pack(
        "<4s5H3L2H",
        b"PK\3\4",
        20,
        0,
        0,
        *struct.unpack_from("<2H", data, 10),
        zlib.crc32(b"text"),
        4,
        4,
        8,
        0,
    )
    assert data[30:42] == b"mimetypetext"
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.comment == b"c"
        assert [i.flag_bits | len(i.extra) for i in archive.infolist()] == [0, 0]
        assert [i.compress_type for i in archive.infolist()] == [0, 8]
        assert archive.infolist()[0].date_time == (2024, 12, 5, 13, 16, 34)


def test_the_same_files_give_the_same_octets() -> None:
    files = [("mimetype", b"text"), ("a", b"b")]
    assert write_zip(files, at=AT, comment="") == write_zip(files, at=AT, comment="")


@given(contents, st.integers(1, 50))
@settings(max_examples=50, deadline=None)
def test_files_that_come_in_pieces_give_the_same_octets(files: dict[str, bytes], size: int) -> None:
    out = io.BytesIO()
    cut = (
        (name, [content[place : place + size] for place in range(0, len(content), size)])
        for name, content in files.items()
    )
    write_zip_to(out, cut, at=AT, comment="c")
    assert out.getvalue() == write_zip(files.items(), at=AT, comment="c")


@pytest.mark.parametrize("data", [b"", b"P", b"no zip at all", b"PK\5\6" + b"\0" * 18])
def test_what_is_no_zip_is_an_empty_one(data: bytes) -> None:
    assert read_zip(data, limit=LIMIT) == {}


def test_folders_are_passed_over() -> None:
    assert read_zip(zipped(("META-INF/", b""), ("META-INF/x", b"y")), limit=LIMIT) == {
        "META-INF/x": b"y"
    }
    assert "folder" in refused(zipped(("META-INF/", b"hidden")))


@pytest.mark.parametrize("second", ["message.xml", "Message.XML"])
def test_two_files_of_one_name_are_refused(second: str) -> None:
    assert "twice" in refused(zipped(("message.xml", b"a"), (second, b"b")))


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "../x", "a/../../x", "a\\b", "c:x", "a\nb", "./x", "a/..", "."]
)
def test_a_name_that_leads_elsewhere_is_refused(name: str) -> None:
    assert "elsewhere" in refused(zipped((name, b"x")))


def test_a_bomb_is_refused_by_what_it_tells_and_stopped_if_it_lies() -> None:
    bomb = zipped(("bomb", b"\0" * (LIMIT + 1)))
    assert len(bomb) < 2000
    assert "larger" in refused(bomb)
    for told in (10, LIMIT):
        liar = bomb.replace(struct.pack("<L", LIMIT + 1), struct.pack("<L", told))
        assert "size that is told" in refused(liar)


def test_many_files_over_the_same_octets_are_refused() -> None:
    data = zipped(("a", b"x"), ("b", b"x"))
    first, second = struct.pack("<L", 0), struct.pack("<L", data.index(b"PK\3\4", 1))
    assert "follow each other" in refused(data.replace(second + b"b", first + b"b"))


@pytest.mark.parametrize(
    "changed",
    [
        lambda d: d.replace(b"a", b"z", 1),  # another name in front than in the directory
        lambda d: d.replace(b"\x08\0", b"\0\0", 1),  # stored in front, deflated in the directory
        lambda d: d.replace(b"PK\1\2", b"PK\1\3"),
        lambda d: d.replace(b"\1\0\1\0", b"\1\0\2\0"),  # count here and count in all
        lambda d: d.replace(b"\1\0\1\0", b"\2\0\2\0"),
        lambda d: d[:-1],
        lambda d: d + b"\0",
        lambda d: d[:-22],
        lambda d: d.replace(b"PK\1\2", b"PKPK\1\2"),  # a gap before the directory
    ],
)
def test_two_stories_in_one_file_are_refused(changed: object) -> None:
    data = zipped(("a", b"x" * 100))
    assert callable(changed)
    assert changed(data) != data
    refused(changed(data))


def test_an_encrypted_file_is_refused() -> None:
    data = bytearray(zipped(("a", b"x")))
    for magic, at in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        data[data.index(magic) + at] |= 1
    assert "encrypted" in refused(bytes(data))


def test_an_extra_field_that_gives_another_name_is_refused() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        info = zipfile.ZipInfo("other")
        info.extra = struct.pack("<HHBL", 0x7075, 16, 1, 0) + b"message.xml"
        archive.writestr(info, b"x")
    assert "extra field" in refused(out.getvalue())


def test_extra_fields_are_few() -> None:
    for fields, fine in ((256, True), (257, False)):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            info = zipfile.ZipInfo("a")
            info.extra = struct.pack("<2H", 0x9999, 0) * fields
            archive.writestr(info, b"x")
        if fine:
            assert read_zip(out.getvalue(), limit=10) == {"a": b"x"}
        else:
            assert "extra fields" in refused(out.getvalue())


def test_methods_other_than_deflate_are_refused() -> None:
    assert "method" in refused(zipped(("a", b"x"), method=zipfile.ZIP_BZIP2))


def test_damage_is_found() -> None:
    whole = zipped(("a", b"abc"), ("b", b"xyz"), method=0)
    assert "it is damaged ('b' at octet 34)" in refused(whole.replace(b"xyz", b"xzz"))


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_no_single_changed_octet_changes_what_is_read(data: st.DataObject) -> None:
    streamed = data.draw(st.booleans())
    files = {"mimetype": b"text", "message.xml": b"<a/>" * 9}
    octets = bytearray(zipped(*files.items(), streamed=streamed))
    octets[data.draw(st.integers(0, len(octets) - 1))] ^= data.draw(st.integers(1, 255))
    with suppress(Fault):
        read = read_zip(bytes(octets), limit=LIMIT)
        # A changed first magic makes it no zip at all; unused header fields may differ.
        assert read in ({}, files)


@given(st.binary(max_size=200))
@settings(max_examples=100, deadline=None)
def test_garbage_is_a_fault(data: bytes) -> None:
    with suppress(Fault):
        read_zip(b"PK\3\4" + data, limit=LIMIT)
