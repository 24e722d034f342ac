"""Header fields of parts: found in any case, written on one line each."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xgate.errors import Fault
from xgate.wire.fields import close_multipart, find_header, open_part, without_content_type
from xgate.wire.mime import MultipartReader, PartBegin

FIELDS = (("Content-ID", "<a>"), ("CONTENT-type", "a/b"), ("content-id", "<b>"))


def test_names_have_no_case_and_the_last_counts() -> None:
    assert find_header(FIELDS, "content-id") == "<b>"
    assert find_header(FIELDS, "x") is None


def test_all_but_the_content_type() -> None:
    assert without_content_type(FIELDS) == (FIELDS[0], FIELDS[2])


def test_a_part_opens_after_a_line_end_unless_it_is_the_first() -> None:
    assert open_part("b", "a/b", first=True) == b"--b\r\ncontent-type: a/b\r\n\r\n"
    assert (
        open_part("b", "a/b", [("X", "\xe4")], first=False, blank=False)
        == b"\r\n--b\r\ncontent-type:a/b\r\nX: \xe4\r\n\r\n"
    )
    assert close_multipart("b") == b"\r\n--b--\r\n"


@pytest.mark.parametrize("text", ["a\r\nb", "a\rb", "a\nb", "a\0b", "€", "\x7f"])
def test_no_field_breaks_out_of_its_line(text: str) -> None:
    for arguments in ((text, "a/b"), ("b", text)):
        with pytest.raises(Fault, match="mime_parsing_failed"):
            open_part(*arguments, first=True)
    for field in ((text, "x"), ("x", text)):
        with pytest.raises(Fault, match="mime_parsing_failed"):
            open_part("b", "a/b", [field], first=True)


@settings(max_examples=200, deadline=None)
@given(
    kind=st.text(max_size=20),
    fields=st.lists(st.tuples(st.text(max_size=9), st.text(max_size=20)), max_size=4),
)
def test_whatever_is_written_into_a_header_is_read_as_one_field_or_refused(
    kind: str, fields: list[tuple[str, str]]
) -> None:
    try:
        octets = open_part("b", kind, fields, first=True)
    except Fault:
        assert any(ord(c) < 32 or ord(c) > 126 for c in kind + "".join(map("".join, fields)))
        return
    begins, *_ = MultipartReader("b").feed(octets + b"x")
    assert isinstance(begins, PartBegin)
    assert begins.headers[0] == ("content-type", kind.strip(" \t"))
    assert len(begins.headers) <= 1 + len(fields)
