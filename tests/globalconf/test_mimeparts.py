"""Raw parts: CRLF or LF, quoted or bare, closed or not; and never an octet more or less."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xgate.errors import Fault
from xgate.globalconf.mimeparts import read_part, read_value, split_parts


@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
def test_the_line_end_before_a_delimiter_belongs_to_it(end: bytes) -> None:
    lines = [b"--B", b"A: 1", b"", b"one", b"--B", b"two", b"", b"--B--", b"after"]
    assert split_parts(end.join(lines), "B", 9) == (end.join([b"A: 1", b"", b"one"]), b"two" + end)


def test_a_bare_delimiter_at_the_end_closes() -> None:
    # Central servers up to 7.2; their boundaries are base64.
    assert split_parts(b"--a+/=\none\n--a+/=", "a+/=", 9) == (b"one",)


def test_without_a_closing_delimiter_the_last_part_runs_to_the_end() -> None:
    assert split_parts(b"--B\none\n--B\ntwo\n", "B", 9) == (b"one", b"two\n")


def test_a_longer_word_is_no_delimiter() -> None:
    assert split_parts(b"--B\none\n--Bx\n--B--", "B", 9) == (b"one\n--Bx",)


def test_empty_parts() -> None:
    assert split_parts(b"--B\n--B\n\n--B--", "B", 9) == (b"", b"")


def test_nothing_may_stand_before_the_first_delimiter() -> None:
    assert split_parts(b"x\n--B\none\n--B--", "B", 9) == ()
    assert split_parts(b"", "B", 9) == ()


def test_there_is_an_end_to_parts() -> None:
    with pytest.raises(Fault, match="more than 2 parts"):
        split_parts(b"--B\n" * 4, "B", 2)


@pytest.mark.parametrize("boundary", ["", "x" * 101, "Õ"])
def test_a_boundary_is_a_short_ascii_word(boundary: str) -> None:
    with pytest.raises(Fault, match="boundary"):
        split_parts(b"--", boundary, 9)


def test_headers_and_body() -> None:
    part = read_part(b"Content-Type: a/b;\r\n\tc=d\r\nX:  y \r\n\r\n\r\nbody\r\n")
    assert part.headers == {"content-type": "a/b; c=d", "x": "y"}
    assert part.body == b"\r\nbody\r\n"
    assert read_part(b"A: 1\n").headers == {"a": "1"}
    assert read_part(b"\nbody").body == b"body"
    assert read_part(b"A: \xc3\xb5").headers == {"a": "õ"}
    assert read_part(b"A: \xf5").headers == {"a": "õ"}


@pytest.mark.parametrize(
    "octets",
    [
        b"no colon",
        b"A: 1\nA: 2",
        b" folded: first",
        b"A: \x00",
        b"A b: 1",
        b"A: " + b"x" * 9000,
        b"A: 1\n" * 2000 + b"\nbody",
    ],
)
def test_malformed_headers(octets: bytes) -> None:
    with pytest.raises(Fault, match="global_conf_parsing_downloaded_conf_directory_failure"):
        read_part(octets)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("A; instance='DEV'", "DEV"),
        ('A; instance="DEV"', "DEV"),
        ("A;instance=DEV", "DEV"),
        ("A; other=1; instance='D'E='V'", "D'E='V"),
        ('A; instance="a;b"; other=2', "a;b"),
        ("A; instance=''", ""),
        ("A; Instance=DEV", None),  # names keep their case
        ("A", None),
    ],
)
def test_parameters(text: str, value: str | None) -> None:
    assert read_value(text).base == "A"
    assert read_value(text).parameters.get("instance") == value


@pytest.mark.parametrize("text", ["A; b", "A; b =c", "A; b=1; b=2", "A; ;", 'A; "b"=c'])
def test_malformed_parameters(text: str) -> None:
    with pytest.raises(Fault):
        read_value(text)


@settings(deadline=None)
@given(
    st.lists(st.binary(max_size=30).filter(lambda part: b"--B" not in part), max_size=5),
    st.sampled_from([b"\r\n", b"\n"]),
)
def test_parts_come_back_as_they_were(parts: list[bytes], end: bytes) -> None:
    kept = [part.rstrip(b"\r") for part in parts]  # with LF, a CR would count to the line end
    body = b"".join(b"--B" + end + part + end for part in kept) + b"--B--" + end
    assert split_parts(body, "B", 9) == (tuple(kept) if kept else ())


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_garbage_gives_only_faults(octets: bytes) -> None:
    for octet in (b"", b"--B\n", b"A: b; c="):
        with suppress(Fault):
            part = read_part(octet + octets)
            split_parts(octet + octets, "B", 3)
            for value in part.headers.values():
                read_value(value)
