"""A REST part as lines: one way to write it, a strict way to read it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xgate.errors import Fault
from xgate.wire.rest_head import (
    HEAD_LIMIT,
    Head,
    check_header,
    is_skipped,
    read_head,
    write_head,
)

names = st.text("ABCabcxyz019-_.!", min_size=1, max_size=12).filter(
    lambda name: not is_skipped(name)
)
values = st.text(st.characters(min_codepoint=0x20, exclude_characters="\x7f", codec="utf-8"))
heads = st.builds(
    Head,
    st.sampled_from(["GET", "200"]),
    st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E)),
    st.lists(st.tuples(names, values), max_size=6).map(tuple),
)


def test_the_written_form() -> None:
    octets = write_head("POST", "/r1/x", [("X-Road-Client", "a/b/c"), ("Empty", ""), ("A", "ö")])
    assert octets == b"POST\r\n/r1/x\r\nX-Road-Client:a/b/c\r\nEmpty:\r\nA:\xc3\xb6\r\n"


@settings(max_examples=100, deadline=None)
@given(heads)
def test_written_and_read_again(head: Head) -> None:
    assert read_head(write_head(head.first, head.second, head.headers)) == head


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_lines_may_end_in_three_ways_and_the_last_not_at_all(end: bytes) -> None:
    octets = end.join([b"200", b"", b"A:1", b"a:  2 "])
    expected = Head("200", "", (("A", "1"), ("a", "  2 ")))
    assert read_head(octets) == read_head(octets + end) == expected


def test_no_other_character_ends_a_line() -> None:
    octets = "200\r\nOK\r\nA:x\u0085y\u2028z\r\n".encode()
    assert read_head(octets).headers == (("A", "x\u0085y\u2028z"),)


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        (b"", "REST message is incomplete"),
        (b"GET", "REST message is incomplete"),
        (b"GET\r\n", "REST message is incomplete"),
        (b"GET\r\n/\r\n\r\n", "Invalid header"),
        (b"GET\r\n/\r\nA:1\r\n\r\nbody", "Invalid header"),
        (b"GET\r\n/\r\nA\r\n", "Invalid header"),
        (b"GET\r\n/\r\n:1\r\n", "Invalid header: "),
        (b"GET\r\n/\r\nA :1\r\n", "Invalid header: A "),
        (b"GET\r\n/\r\nA\x00:1\r\n", "Invalid header: A?"),
        (b"GET\r\n/\r\nA:\x00\r\n", "Invalid header: A"),
        (b"GET\r\n/\r\nA:\x7f\r\n", "Invalid header: A"),
        (b"GET\r\n/\r\n\xc3\xb6:1\r\n", "Invalid header: ö"),
        (b"GET\r\n/\r\nHost:x\r\n", "Invalid header: Host"),
        (b"GET\r\n/\r\nContent_Length:5\r\n", "Invalid header: Content_Length"),
        (b"GET\r\n/\r\ntransfer_encoding:chunked\r\n", "Invalid header: transfer_encoding"),
        (b"GET\r\n/\r\ncontent-Length:0\r\n", "Invalid header: content-Length"),
        (b"GET\r\n/\r\nA:\xff\r\n", "REST message is not UTF-8"),
        (b"GET\r\n/\r\nA:\xed\xa0\x80\r\n", "REST message is not UTF-8"),
        (b"GET\r\n/\r\nA:" + bytes(HEAD_LIMIT), "REST message is larger than 65536 bytes"),
    ],
)
def test_what_is_refused(octets: bytes, text: str) -> None:
    with pytest.raises(Fault) as refusal:
        read_head(octets)
    assert (refusal.value.code, refusal.value.text) == ("internal_error", text)


def test_what_can_not_be_written() -> None:
    with pytest.raises(Fault, match="larger"):
        write_head("GET", "/", [("A", "x" * HEAD_LIMIT)])
    with pytest.raises(Fault, match="not Unicode"):
        write_head("GET", "/", [("A", "\ud800")])
    for name, value in (("A", "x\r\nB:y"), ("A\n", ""), ("", ""), ("A:", "")):
        with pytest.raises(Fault, match="Invalid header"):
            check_header(name, value)
    check_header("A", "tab\tand \x80\xff")


@pytest.mark.parametrize(
    "name",
    [
        "Transfer-Encoding",
        "keep-alive",
        "Proxy-Authenticate",
        "proxy-authorization",
        "TE",
        "trailer",
        "Upgrade",
        "Connection",
        "User-Agent",
        "Host",
        "content-length",
        "Server",
        "Expect",
    ],
)
def test_headers_of_one_connection_are_skipped(name: str) -> None:
    assert is_skipped(name)


@pytest.mark.parametrize("name", ["Date", "Content-Encoding", "Accept-Encoding", "Via", "Cookie"])
def test_headers_of_the_message_are_not(name: str) -> None:
    assert not is_skipped(name)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=80) | st.binary(max_size=40).map(lambda tail: b"GET\r\n/\r\nA:" + tail))
def test_garbage_is_read_or_refused(octets: bytes) -> None:
    code = "internal_error"
    try:
        read_head(octets)
    except Fault as fault:
        code = fault.code
    assert code == "internal_error"
