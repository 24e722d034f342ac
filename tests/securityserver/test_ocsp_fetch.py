"""Asking a peer for its OCSP responses: only for what is missing, answers by their position."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xgate.errors import Fault
from xgate.net.server import Exchange
from xgate.securityserver.ocsp_fetch import fetch_ocsp, read_ocsp_parts
from xgate.testing.pki import make_ca
from xgate.wire.fields import close_multipart, open_part

Serve = Callable[[Callable[[Exchange], Awaitable[None]]], Awaitable[int]]

CHAIN = [make_ca(name).certificate for name in ("leaf", "middle", "upper")]
TYPE = "multipart/related; boundary=b"


def body(*responses: bytes) -> bytes:
    opened = [
        open_part("b", "application/ocsp-response", (), first=number == 0) + response
        for number, response in enumerate(responses)
    ]
    return b"".join((*opened, close_multipart("b")))


def nothing_at_hand(_: str) -> bytes | None:
    return None


def peer(
    asked: list[str], octets: bytes, status: int = 200
) -> Callable[[Exchange], Awaitable[None]]:
    async def handle(exchange: Exchange) -> None:
        asked.append(exchange.target)
        await exchange.respond(status, [("Content-Type", TYPE)], octets)

    return handle


async def test_only_what_is_missing_is_asked_for_by_both_hashes(serve: Serve) -> None:
    asked: list[str] = []
    port = await serve(peer(asked, body(b"L", b"U")))
    at_hand = {CHAIN[1].sha1: b"M"}
    assert await fetch_ocsp(CHAIN, at_hand.get, "127.0.0.1", port) == [b"L", b"M", b"U"]
    leaf, _, upper = CHAIN
    by_sha1 = f"/?cert={leaf.sha1}&cert={upper.sha1}"
    by_sha256 = f"&cert_hash={leaf.sha256.hex()}&cert_hash={upper.sha256.hex()}"
    assert asked == [by_sha1 + by_sha256]


async def test_nothing_is_asked_when_all_is_at_hand() -> None:
    at_hand = dict.fromkeys((c.sha1 for c in CHAIN), b"x")
    assert await fetch_ocsp(CHAIN, at_hand.get, "127.0.0.1", 1) == [b"x"] * 3


@pytest.mark.parametrize(
    ("octets", "status", "said"),
    [
        (body(b"L"), 200, r"expected 3, but got 1"),
        (body(b"1", b"2", b"3", b"4"), 200, r"expected 3, but got 4"),
        (b"", 500, "status 500"),
    ],
)
async def test_a_peer_that_does_not_give_them_all_is_refused(
    serve: Serve, octets: bytes, status: int, said: str
) -> None:
    port = await serve(peer([], octets, status))
    with pytest.raises(Fault, match=said) as caught:
        await fetch_ocsp(CHAIN, nothing_at_hand, "127.0.0.1", port)
    assert caught.value.code == "internal_error"


async def test_a_peer_that_does_not_answer_is_refused() -> None:
    with pytest.raises(Fault, match="Could not get OCSP responses from server"):
        await fetch_ocsp(CHAIN, nothing_at_hand, "127.0.0.1", 1)


@given(st.lists(st.binary(max_size=50).filter(lambda b: b"--b" not in b), max_size=5))
def test_bodies_come_back_in_order(responses: list[bytes]) -> None:
    assert read_ocsp_parts(TYPE, body(*responses)) == responses


def test_another_content_type_is_refused() -> None:
    with pytest.raises(Fault, match="invalid_content_type"):
        read_ocsp_parts("text/plain", b"")
