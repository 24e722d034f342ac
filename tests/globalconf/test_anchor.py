"""Anchors: every one of the reference's loads, and a broken one says so."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xgate.errors import Fault
from xgate.globalconf.anchor import Anchor, AnchorSource, anchor_hash, read_anchor
from xgate.globalconf.generate import write_anchor


@pytest.mark.reference
def test_the_reference_anchors_load(golden: Path) -> None:
    dev = read_anchor((golden / "env-dev-v6/configuration-anchor.xml").read_bytes())
    assert dev.instance == "DEV"
    assert [s.url for s in dev.sources] == ["http://cs/internalconf", "https://cs/internalconf"]
    assert [len(s.certificates) for s in dev.sources] == [1, 1]
    assert dev.generated_at == datetime(2025, 11, 5, 22, 10, 45, 770000, tzinfo=UTC)
    other = read_anchor((golden / "globalconf/configuration-anchor1.xml").read_bytes())
    assert [len(s.certificates) for s in other.sources] == [2, 1, 1]
    assert other.generated_at is None
    assert other != dev


@pytest.mark.reference
@pytest.mark.parametrize(
    ("name", "instance"),
    [
        ("globalconf-signed/v2-2023-06/configuration-anchor.xml", "CS"),
        ("globalconf-signed/v3-2023-11-13/configuration-anchor.xml", "CS"),
        ("globalconf-signed/v3-2024-04/configuration-anchor.xml", "CS"),
        ("globalconf-signed/v4-2024-05/configuration-anchor.xml", "DEV"),
        ("globalconf-signed/anchors/external-configuration-anchor.xml", "CS"),
        ("trusted-anchor/trusted-anchor.xml", "CS0"),
        ("configuration-proxy/PROXY1/anchor.xml", None),
    ],
)
def test_every_anchor_names_its_instance(golden: Path, name: str, instance: str | None) -> None:
    anchor = read_anchor((golden / name).read_bytes())
    assert instance in (None, anchor.instance)
    assert anchor.sources


@pytest.mark.reference
def test_the_hash_for_the_eye(golden: Path) -> None:
    vector = json.loads((golden / "vectors.json").read_text())["anchor_hash"]
    assert anchor_hash((golden / vector["file"]).read_bytes()) == vector["value"]


@pytest.mark.reference
def test_an_anchor_without_instance_is_malformed(golden: Path) -> None:
    with pytest.raises(Fault, match=r"malformed_anchor.*instanceIdentifier"):
        read_anchor((golden / "trusted-anchor/trusted-anchor-invalid-1.xml").read_bytes())


@pytest.mark.reference
def test_ours_is_octet_for_octet_theirs(golden: Path) -> None:
    data = (golden / "env-dev-v6/configuration-anchor.xml").read_bytes()
    assert write_anchor(read_anchor(data)) == data


def test_an_anchor_needs_sources_and_certificates() -> None:
    for sources in ((), (AnchorSource("http://cs/internalconf", ()),)):
        with pytest.raises(Fault, match="malformed_anchor"):
            write_anchor(Anchor("XX", sources))
    bare = write_anchor(Anchor("XX", (AnchorSource("http://cs/c", (b"x",)),)))
    cut = bare.replace(b"<verificationCert>eA==</verificationCert>", b"")
    assert cut != bare
    with pytest.raises(Fault, match="malformed_anchor"):
        read_anchor(cut)


def test_a_huge_anchor_is_not_parsed() -> None:
    with pytest.raises(Fault, match="too large"):
        read_anchor(b" " * 2_000_000)


_words = st.text(min_size=1).filter(lambda text: text == text.strip())
_sources = st.builds(
    AnchorSource, _words, st.lists(st.binary(min_size=1), min_size=1, max_size=3).map(tuple)
)
_moments = st.datetimes(datetime(2000, 1, 1), timezones=st.just(UTC)).map(
    lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000)
)


@settings(deadline=None)
@given(
    st.builds(
        Anchor,
        _words,
        st.lists(_sources, min_size=1, max_size=3).map(tuple),
        st.none() | _moments,
    )
)
def test_what_is_written_is_read(anchor: Anchor) -> None:
    try:
        data = write_anchor(anchor)
    except Fault:
        return  # a text that XML cannot carry
    assert read_anchor(data) == anchor


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_garbage_is_malformed(data: bytes) -> None:
    with pytest.raises(Fault, match="malformed_anchor"):
        read_anchor(data)
