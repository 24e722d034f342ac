"""A seal knows every part by name and digest, however the bytes came, and cannot be half made."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xgate.trust.seal import Part, Seal, Sealer, attachment_name, seal_of


def grown(parts: list[tuple[str, list[bytes]]]) -> Seal:
    sealer = Sealer()
    for name, pieces in parts:
        sealer.begin(name)
        for piece in pieces:
            sealer.update(piece)
        sealer.end()
    return sealer.seal()


def test_a_message_and_its_attachments_have_the_names_that_signatures_use() -> None:
    seal = seal_of(b"<a/>", [b"one", memoryview(b"two")])
    assert seal == Seal(
        (
            Part("/message.xml", hashlib.sha512(b"<a/>").digest()),
            Part("/attachment1", hashlib.sha512(b"one").digest()),
            Part("/attachment2", hashlib.sha512(b"two").digest()),
        )
    )


def test_an_empty_rest_body_is_an_attachment_all_the_same() -> None:
    (_, body) = seal_of(b"GET /", [b""]).parts
    assert body.digest.hex().startswith("cf83e1357eefb8bdf154")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.binary(max_size=50), max_size=5), min_size=1, max_size=5))
def test_a_seal_that_grew_equals_the_seal_of_the_whole(pieces: list[list[bytes]]) -> None:
    names = ["/message.xml", *map(attachment_name, range(1, len(pieces)))]
    message, *attachments = [b"".join(part) for part in pieces]
    assert grown(list(zip(names, pieces, strict=True))) == seal_of(message, attachments)


def test_one_octet_elsewhere_is_another_seal() -> None:
    assert seal_of(b"ab", [b"c"]) != seal_of(b"a", [b"bc"])
    assert seal_of(b"a", [b"b", b"c"]) != seal_of(b"a", [b"c", b"b"])


def test_calls_out_of_order_are_our_own_mistake() -> None:
    sealer = Sealer()
    with pytest.raises(ValueError, match="outside a part"):
        sealer.update(b"a")
    with pytest.raises(ValueError, match="no part to end"):
        sealer.end()
    with pytest.raises(ValueError, match="needs a part"):
        sealer.seal()
    sealer.begin("/message.xml")
    with pytest.raises(ValueError, match="may begin"):
        sealer.begin("/attachment1")
    with pytest.raises(ValueError, match="each complete"):
        sealer.seal()
    sealer.end()
    with pytest.raises(ValueError, match="may begin"):
        sealer.begin("/message.xml")
    with pytest.raises(ValueError, match="may begin"):
        sealer.begin("")
    assert [part.name for part in sealer.seal().parts] == ["/message.xml"]
