"""The multipart reader: what is a delimiter, what a header may cost; cuts do not matter."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xgate.errors import Fault
from xgate.wire.fields import Headers, close_multipart, open_part
from xgate.wire.mime import (
    MimeLimits,
    MultipartEnd,
    MultipartReader,
    PartBegin,
    PartData,
    PartEnd,
)

Parts = list[tuple[Headers, bytes]]


def read(chunks: Iterable[bytes], boundary: str | None = "b") -> tuple[Parts, bool, str]:
    """The parts with their contents, whether the end was seen, and the code of the fault."""
    reader = MultipartReader(boundary)
    parts: Parts = []
    opened, code = False, ""
    events = []
    try:
        for chunk in chunks:
            events += reader.feed(chunk)
        events += reader.finish()
    except Fault as fault:
        code = fault.code
    for event in events:
        match event:
            case PartBegin(headers):
                assert not opened
                opened = True
                parts.append((headers, b""))
            case PartData(data):
                assert opened
                assert data
                parts[-1] = (parts[-1][0], parts[-1][1] + data)
            case PartEnd():
                assert opened
                opened = False
            case MultipartEnd():
                assert not opened
    assert code or not opened
    assert code or reader.ended == any(isinstance(event, MultipartEnd) for event in events)
    return parts, reader.ended, code


def contents(data: bytes, boundary: str = "b") -> list[bytes]:
    parts, _, code = read([data], boundary)
    assert code == ""
    return [content for _, content in parts]


def test_two_parts() -> None:
    data = b"--b\r\nA: 1\r\nB:2\r\n\r\nfirst\r\n--b\r\n\r\nsecond\r\n--b--\r\n"
    assert read([data]) == (
        [((("A", "1"), ("B", "2")), b"first"), ((), b"second")],
        True,
        "",
    )


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"preamble --b\r\n--bb\r\n--b\r\n\r\nx\r\n--b--", [b"x"]),
        (b"--b\n\nx\n--b\n\ny\n--b--\n", [b"x", b"y"]),
        (b"--b \t \r\n\r\nx\r\n--b-- \r\n", [b"x"]),
        (b"--b\r\n\r\nx\r\n--b--\r\nepilogue\r\n--b\r\n\r\ny\r\n--b--\r\n", [b"x"]),
        (
            b"--b\r\n\r\nx\r\n--bc\r\n--b-\r\n --b\r\n.--b\r\n--b--",
            [b"x\r\n--bc\r\n--b-\r\n --b\r\n.--b"],
        ),
        (b"--b\r\n\r\n\r\n--b--", [b""]),
        (b"--b\r\n\r\n--b--", [b""]),
        (b"--b\r\nA: 1\r\n--b\r\n--b--", [b"", b""]),
        (b"--b\r\n\r\n\r\n\r\n--b--", [b"\r\n"]),
        (b"--b\r\n\r\nx\r\r\n--b--", [b"x\r"]),
        (b"--b\r\n\r\nx\n\r\n--b--", [b"x\n"]),
        (b"--b--\r\n", []),
        (b"", []),
        (b"no delimiter at all", []),
    ],
)
def test_where_contents_begin_and_end(data: bytes, expected: list[bytes]) -> None:
    assert contents(data) == expected
    assert contents_of_single_octets(data) == expected


def contents_of_single_octets(data: bytes) -> list[bytes]:
    return [content for _, content in read([data[i : i + 1] for i in range(len(data))])[0]]


@pytest.mark.parametrize(
    ("cut", "expected"),
    [
        (b"--b\r\n\r\nx", [b"x"]),
        (b"--b\r\n\r\nx\r\n--", [b"x\r\n--"]),
        (b"--b\r\n\r\nx\r\n--b", [b"x"]),
        (b"--b\r\n\r\nx\r\n--b-", [b"x"]),
        (b"--b\r\n\r\nx\r\n--b\r\n", [b"x"]),
        (b"--b\r\n\r\nx\r\n--b\r\nA: ", [b"x"]),
        (b"--b\r\n\r\n", [b""]),
    ],
)
def test_a_cut_message_is_no_fault_but_not_ended(cut: bytes, expected: list[bytes]) -> None:
    parts, ended, code = read([cut])
    assert ([content for _, content in parts], ended, code) == (expected, False, "")


def test_headers_are_unfolded_and_nameless_ones_skipped() -> None:
    data = header(
        b" lost\r\nA :  x\r\n\ty \r\n",
        b"nonsense\r\n more\r\nb(: 1\r\nc d: 2\r\nE:\xe4:\n",
    )
    parts, _, code = read([data])
    assert (parts, code) == ([((("A", "x\ty"), ("b(", "1"), ("E", "ä:")), b"x")], "")


@pytest.mark.parametrize("value", [b"a\rb", b"a\0b", b"a\x7fb"])
def test_controls_in_a_header_are_refused(value: bytes) -> None:
    assert read([b"--b\r\nA: " + value + b"\r\n\r\n"])[2] == "mime_parsing_failed"


def header(*lines: bytes) -> bytes:
    return b"--b\r\n" + b"".join(lines) + b"\r\nx\r\n--b--"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (header(b"A:" + b"x" * 995 + b"\r\n"), ""),
        (header(b"A:" + b"x" * 996 + b"\r\n"), "mime_parsing_failed"),
        (header(b"A:" + b"x" * 997 + b"\n"), "mime_parsing_failed"),
        (header(b"A:x\r\n", *[b" " + b"x" * 995 + b"\r\n"] * 10), ""),
        (
            header(b"A:x\r\n", *[b" " + b"x" * 995 + b"\r\n"] * 10, b" 123456789012\r\n"),
            "internal_error",
        ),
        (header(*[b"A:x\r\n"] * 1000), ""),
        (header(*[b"A:x\r\n"] * 1001), "internal_error"),
        (header(*[b"A:" + b"x" * 900 + b"\r\n"] * 300), "internal_error"),
        (b"".join([header(*[b"A:" + b"x" * 900 + b"\r\n"] * 200)[:-2] + b"\r\n"] * 20), ""),
        (
            header(*[b"A:" + b"x" * 900 + b"\r\n"] * 200).replace(b"--b--", b"") * 25,
            "internal_error",
        ),
        (b"--b\r\n" + b"x" * 1000, "mime_parsing_failed"),
    ],
)
def test_what_a_header_may_cost(data: bytes, code: str) -> None:
    assert read([data])[2] == code


def test_the_code_of_excess_is_the_readers() -> None:
    reader = MultipartReader("b", MimeLimits(fields=1, excess="mime_parsing_failed"))
    with pytest.raises(Fault, match="mime_parsing_failed: Maximum header limit"):
        reader.feed(b"--b\r\nA:1\r\nB:2\r\nC:3\r\n")


@pytest.mark.parametrize("boundary", ["", "a\r\nb", "a\0", "b ", "x" * 201, "€"])
def test_boundaries_that_no_line_can_hold(boundary: str) -> None:
    with pytest.raises(Fault, match="invalid_content_type"):
        MultipartReader(boundary)


def test_a_fault_waits_for_the_events_before_it() -> None:
    reader = MultipartReader("b")
    events = reader.feed(b"--b\r\n\r\nx\r\n--b\r\n" + b"y" * 1000)
    assert events == [PartBegin(()), PartData(memoryview(b"x")), PartEnd()]
    with pytest.raises(Fault, match="line length"):
        reader.feed(b"z")
    with pytest.raises(Fault, match="line length"):
        reader.finish()


def test_one_entity_has_no_delimiters() -> None:
    parts, ended, _ = read([b"A: 1\r\n\r\nx\r\n--b--\r\n"], boundary=None)
    assert (parts, ended) == ([((("A", "1"),), b"x\r\n--b--\r\n")], False)
    assert read([b"A: 1\r\n"], boundary=None)[0] == []


def test_a_big_body_is_passed_on_in_views_and_hardly_held_back() -> None:
    reader = MultipartReader("b" * 30)
    reader.feed(b"--" + b"b" * 30 + b"\r\n\r\n")
    chunk = b"x\r\n--" + b"b" * 29 + bytes(2**16) + b"\r\n--" + b"b" * 30
    for _ in range(20):
        passed = sum(len(e.data) for e in reader.feed(chunk) if isinstance(e, PartData))
        assert len(chunk) - 34 <= passed <= len(chunk) + 34


def test_the_octets_fed_may_be_reused() -> None:
    reader = MultipartReader("b")
    buffer = bytearray(b"--b\r\n\r\nabc")
    events = reader.feed(memoryview(buffer))
    buffer[:] = bytes(len(buffer))
    assert events[-1] == PartData(memoryview(b"abc"))


pieces = st.sampled_from(
    [b"--b", b"--", b"-", b"b", b"\r\n", b"\n", b"\r", b" ", b":", b"A:1\r\n", b"x", b"\r\n\r\n"]
)
almost = st.lists(pieces, max_size=25).map(b"".join)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[a:b] for a, b in pairwise(edges)]


@given(almost, st.lists(st.integers(0, 200), max_size=8), st.sampled_from(["b", None]))
@settings(max_examples=100, deadline=None)
def test_any_cut_gives_the_same(data: bytes, places: list[int], boundary: str | None) -> None:
    whole = read([data], boundary)
    assert read(cut(data, places), boundary) == whole
    assert read([data[i : i + 1] for i in range(len(data))], boundary) == whole


fields = st.tuples(
    st.from_regex(r"[A-Za-z-]{1,20}", fullmatch=True).filter(lambda n: n.lower() != "content-type"),
    st.from_regex(r"([!-~\x80-\xff]([ -~]{0,20}[!-~])?)?", fullmatch=True),
)
parts = st.lists(st.tuples(st.lists(fields, max_size=3), almost), max_size=4)


@given(parts, st.lists(st.integers(0, 400), max_size=4))
@settings(max_examples=100, deadline=None)
def test_what_was_written_is_read(
    written: list[tuple[list[tuple[str, str]], bytes]], places: list[int]
) -> None:
    boundary = "xtopQ"
    data = b""
    for number, (headers, content) in enumerate(written):
        data += open_part(boundary, "a/b", headers, first=number == 0) + content
    data += close_multipart(boundary)
    found, ended, code = read(cut(data, places), boundary)
    assert (ended, code) == (True, "")
    assert found == [((("content-type", "a/b"), *headers), content) for headers, content in written]


@given(st.binary(max_size=200))
@settings(max_examples=100, deadline=None)
def test_any_octets_meet_only_faults(data: bytes) -> None:
    read([b"--b\r\n", data])
