"""Content-Type values taken apart, as friends and others write them."""

from __future__ import annotations

import codecs

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xgate.errors import Fault
from xgate.wire.content_type import find_charset, read_content_type


@pytest.mark.parametrize(
    ("value", "base", "parameters"),
    [
        ("text/xml", "text/xml", {}),
        (" Text/XML ; Charset=UTF-8", "text/xml", {"charset": "UTF-8"}),
        ("multipart/mixed; boundary=a=b:c", "multipart/mixed", {"boundary": "a=b:c"}),
        (
            'multipart/mixed;boundary="a; b" ; x=1',
            "multipart/mixed",
            {"boundary": "a; b", "x": "1"},
        ),
        (r'a/b; c="\"q\\"', "a/b", {"c": '"q\\'}),
        ("a/b; nonsense; =; c = d ;;e=", "a/b", {"c": "d", "e": ""}),
        ('a/b; c="never closed', "a/b", {}),
        ("a/b; c=d; C=d", "a/b", {"c": "d"}),
        ("", "", {}),
    ],
)
def test_taken_apart(value: str, base: str, parameters: dict[str, str]) -> None:
    content_type = read_content_type(value)
    assert (content_type.base, content_type.parameters) == (base, parameters)


def test_two_boundaries_are_one_too_many() -> None:
    with pytest.raises(Fault, match="invalid_content_type"):
        read_content_type('multipart/mixed; boundary=a; boundary="b"')


def test_an_empty_boundary_is_none() -> None:
    assert read_content_type("multipart/mixed; boundary=").boundary is None
    assert read_content_type('multipart/mixed; boundary="b "').boundary == "b"


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("UTF-8", "utf-8"),
        ("utf8", "utf-8"),
        ("UTF-16LE", "utf-16-le"),
        ("ISO-8859-15", "iso8859-15"),
        ("latin1", "iso8859-1"),
        ("windows-1257", "cp1257"),
        ("US-ASCII", "ascii"),
        ("rot13", None),
        ("utf-7", None),
        ("iso-8859-12", None),
        ("", None),
    ],
)
def test_charsets(name: str, codec: str | None) -> None:
    assert find_charset(name) == codec
    if codec is not None:
        codecs.lookup(codec)


@given(st.text(alphabet='ab;="\\ /\t', max_size=40))
@settings(max_examples=100, deadline=None)
def test_garbage_meets_only_faults(value: str) -> None:
    try:
        content_type = read_content_type(value)
    except Fault:
        return
    assert ";" not in content_type.base
