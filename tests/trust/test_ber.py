from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xgate.trust import der
from xgate.trust.ber import to_der
from xgate.trust.der import DerError

quickly = settings(max_examples=100, deadline=None)

leaves = st.binary(max_size=40).map(lambda content: der.encode(der.OCTET_STRING, content))
trees = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=4).map(lambda p: der.encode(der.SEQUENCE, *p))
)


def indefinite(encoded: bytes) -> bytes:
    """The same value, every length indefinite that can be."""
    element = der.read(encoded)
    if element.tag != der.SEQUENCE:
        return encoded
    inner = b"".join(indefinite(part.raw) for part in der.Cursor(element.content))
    return bytes((element.tag, 0x80)) + inner + b"\0\0"


@given(trees)
@quickly
def test_der_stays_and_indefinite_lengths_become_definite(tree: bytes) -> None:
    assert to_der(tree, 10_000) == tree
    assert to_der(indefinite(tree), 10_000) == tree


def test_an_octet_string_in_pieces_becomes_whole() -> None:
    pieces = b"\x24\x80\x04\x02ab\x04\x81\x01c\x00\x00"
    assert to_der(pieces, 100) == b"\x04\x03abc"


@given(st.binary(max_size=200))
@quickly
def test_garbage_is_refused_or_becomes_der(data: bytes) -> None:
    try:
        made = to_der(data, 200)
    except DerError:
        return
    der.read(made)
    assert to_der(made, 400) == made


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"\x30\x80" * 100, "deeply"),
        (b"\x30\x80\x04\x01a", "ends"),
        (b"\x04\x80ab\x00\x00", "primitive"),
        (b"\x24\x80\x02\x01a\x00\x00", "something else"),
        (b"\x30\x84\xff\xff\xff\xff", "ends"),
        (b"\x30\x85\x01\x01\x01\x01\x01", "too long"),
        (b"\x05\x00\x05\x00", "unexpected"),
        (bytes(1001), "too long"),
    ],
)
def test_what_cannot_be_meant_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(DerError, match=why):
        to_der(data, 1000)


@pytest.mark.reference
def test_a_token_of_2012_becomes_der(golden: Path) -> None:
    token = (golden / "timestamps/valid").read_bytes()
    assert token[:2] == b"\x30\x80"
    made = to_der(token, 10_000)
    assert der.read(made).raw == made
    assert token[15 : 15 + 536] in made
