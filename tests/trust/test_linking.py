"""The chain through containers and archives: its text, its links, and what breaks it."""

from __future__ import annotations

import hashlib
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xgate.errors import Fault
from xgate.trust.linking import (
    Chain,
    Heading,
    Link,
    check_previous,
    linking_digest,
    read_heading,
    read_line,
    split_lines,
    write_heading,
    write_line,
)

SHA256 = linking_digest("SHA-256")
names = st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), min_size=1, max_size=60)
digests = st.sampled_from(["SHA-256", "SHA-384", "SHA-512"]).map(linking_digest)
hexes = st.binary(min_size=64, max_size=64).map(bytes.hex)


def code_of(refused: pytest.ExceptionInfo[Fault]) -> str:
    return refused.value.code


def test_links_hash_hex_text() -> None:
    chain = Chain(Heading(None, SHA256))
    own = hashlib.sha256(b"container").hexdigest()
    first = hashlib.sha256(own.encode()).hexdigest()
    assert chain.add(b"container") == first == chain.last
    assert chain.add(b"container") == hashlib.sha256((first + own).encode()).hexdigest()
    following = Chain(Heading(Link(first, "one.zip"), SHA256))
    assert following.add(b"container") == chain.last


@given(digests, st.none() | st.builds(Link, hexes, names.filter(lambda name: name != "-")))
@settings(max_examples=100, deadline=None)
def test_a_heading_is_read_back(digest: object, previous: Link | None) -> None:
    heading = Heading(previous, digest)  # type: ignore[arg-type]
    (line,) = split_lines([write_heading(heading)])
    assert read_heading(line) == heading


@given(hexes, names)
@settings(max_examples=100, deadline=None)
def test_a_line_is_read_back(digest: str, name: str) -> None:
    (line,) = split_lines([write_line(digest, name)])
    assert read_line(line, linking_digest("SHA-512")) == (digest, name)


@given(st.lists(st.binary(max_size=20).filter(lambda b: not set(b) & set(b"\r\n"))), st.data())
@settings(max_examples=100, deadline=None)
def test_lines_do_not_depend_on_the_pieces(lines: list[bytes], data: st.DataObject) -> None:
    octets = b"".join(line + b"\n" for line in lines)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(octets)), max_size=5)))
    pieces = [octets[a:b] for a, b in zip([0, *cuts], [*cuts, len(octets)], strict=True)]
    assert list(split_lines(pieces)) == lines


def test_a_last_line_may_lack_its_end_and_none_may_be_endless() -> None:
    assert list(split_lines([b"a\r\nb"])) == [b"a", b"b"]
    with pytest.raises(Fault, match="too long"):
        list(split_lines([b"x" * 999] * 3))


@pytest.mark.parametrize("name", ["SHA-1", "SHA-224", "sha-512", "MD5", ""])
def test_weak_and_unknown_digests_are_refused(name: str) -> None:
    with pytest.raises(Fault) as caught:
        read_heading(f"- - {name}".encode())
    assert code_of(caught) == "archive_digest_not_supported"


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"- SHA-512",
        b"-  SHA-512",
        b"ab - SHA-512",
        b"- a.zip SHA-512",
        b"xy a.zip SHA-512",
        b"abc a.zip SHA-512",
        b"ab a\0.zip SHA-512",
        b"ab \xff.zip SHA-512",
    ],
)
def test_a_heading_that_tells_no_link_is_refused(line: bytes) -> None:
    with pytest.raises(Fault) as caught:
        read_heading(line)
    assert code_of(caught) == "archive_invalid_linkinginfo"


@pytest.mark.parametrize("line", [b"", b"ab c", b"0" * 64, b"0" * 64 + b" ", b"g" * 64 + b" c"])
def test_a_line_that_links_nothing_is_refused(line: bytes) -> None:
    with pytest.raises(Fault) as caught:
        read_line(line, SHA256)
    assert code_of(caught) == "archive_invalid_linkinginfo"


def test_what_is_continued_counts_by_its_digest() -> None:
    heading = Heading(Link("ab", "one.zip"), SHA256)
    check_previous(heading, Link("AB", "renamed.zip"))
    check_previous(Heading(None, SHA256), None)
    for before in (None, Link("ac", "one.zip")):
        with pytest.raises(Fault, match=r"continues 'one\.zip'") as caught:
            check_previous(heading, before)
        assert code_of(caught) == "archive_previous_digest_mismatch"


@given(st.binary(max_size=150))
@settings(max_examples=100, deadline=None)
def test_garbage_is_a_fault(data: bytes) -> None:
    with suppress(Fault):
        read_heading(data)
    with suppress(Fault):
        read_line(data, SHA256)
