"""Zips of containers that are no archive: read one by one, and refused where a zip is not sound."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xgate.errors import Fault
from xgate.trust.bundle import read_bundle
from xgate.trust.zip_writer import ZipWriter

AT = datetime(2025, 6, 1, tzinfo=UTC)
Files = Sequence[tuple[str, bytes]]


def zipped(files: Files) -> io.BytesIO:
    out = io.BytesIO()
    writer = ZipWriter(out, io.BytesIO())
    for name, octets in files:
        writer.add(name, octets, AT)
    writer.finish()
    return out


def refused(octets: io.BytesIO) -> Fault:
    with pytest.raises(Fault) as caught:
        list(read_bundle(octets))
    return caught.value


def test_containers_with_their_places_and_nothing_else() -> None:
    bundle = zipped([("a.asice", b"one"), ("notes.txt", b"?"), ("in/b.asice", b"two")])
    found = list(read_bundle(bundle))
    assert [(name, octets) for name, _, octets in found] == [
        ("a.asice", b"one"),
        ("in/b.asice", b"two"),
    ]
    for _, place, _ in found:
        assert bundle.getvalue()[place:].startswith(b"PK\x03\x04")


def test_what_another_program_has_made() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.asice", b"x" * 10_000)
    assert [octets for _, _, octets in read_bundle(out)] == [b"x" * 10_000]


def test_one_that_is_too_large_is_refused_before_it_is_read() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.asice", b"\0" * 1_000_000)
    with pytest.raises(Fault, match="larger than 1000 bytes"):
        next(read_bundle(out, limit=1000))


def test_two_of_one_name() -> None:
    assert "is in it twice" in refused(zipped([("a.asice", b"1"), ("A.asice", b"2")])).text


@pytest.mark.parametrize("name", ["../a.asice", "/a.asice", "c:\\a.asice"])
def test_a_name_that_leads_elsewhere(name: str) -> None:
    assert refused(zipped([(name, b"1")])).code == "archive_invalid_zip"


def test_no_container_at_all() -> None:
    assert refused(zipped([("notes.txt", b"1")])).code == "archive_no_containers"
    assert refused(zipped([])).code == "archive_no_containers"


@given(st.binary(max_size=300))
@settings(max_examples=100, deadline=None)
def test_garbage_is_refused(octets: bytes) -> None:
    assert refused(io.BytesIO(octets)).code.startswith("archive_")


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_a_changed_octet_changes_nothing_that_is_believed(data: st.DataObject) -> None:
    files = [("a.asice", b"one" * 50), ("b.asice", b"two")]
    octets = bytearray(zipped(files).getvalue())
    place = data.draw(st.integers(0, len(octets) - 1))
    octets[place] ^= data.draw(st.integers(1, 255))
    try:
        found = [octets for _, _, octets in read_bundle(io.BytesIO(bytes(octets)))]
    except Fault:
        return
    assert set(found) <= {b"one" * 50, b"two"}
