"""Port 5577 as peers ask it: by position, from what is at hand, errors as 500 with a text."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import pytest

from xgate.net.fetch import Response, fetch
from xgate.net.server import Exchange
from xgate.securityserver.ocsp_fetch import read_ocsp_parts
from xgate.securityserver.ocsp_responder import answer_ocsp_query
from xgate.testing.pki import make_ca
from xgate.wire.fields import find_header

Serve = Callable[[Callable[[Exchange], Awaitable[None]]], Awaitable[int]]

ONE, TWO = (make_ca(name).certificate for name in ("one", "two"))
AT_HAND = {ONE.sha1: b"first", TWO.sha1: b"second"}


async def ask(serve: Serve, query: str, method: str = "GET") -> Response:
    async def find(hashes: Sequence[str]) -> list[bytes | None]:
        return [AT_HAND.get(sha1) for sha1 in hashes]

    async def handle(exchange: Exchange) -> None:
        await answer_ocsp_query(exchange, find, lambda: [ONE, TWO])

    return await fetch(f"http://127.0.0.1:{await serve(handle)}/{query}", method=method)


def parts(answer: Response) -> list[bytes]:
    return read_ocsp_parts(find_header(answer.headers, "content-type") or "", answer.body)


@pytest.mark.parametrize(
    "query",
    [
        f"?cert={TWO.sha1}&cert={ONE.sha1}",
        f"?cert_hash={TWO.sha256.hex()}&cert_hash={ONE.sha256.hex()}",
        # As newer clients ask: both lists; the first counts.
        f"?cert={TWO.sha1}&cert={ONE.sha1}&cert_hash={TWO.sha256.hex()}&cert_hash=x",
    ],
)
async def test_answers_stand_in_the_order_of_the_query(serve: Serve, query: str) -> None:
    answer = await ask(serve, query)
    assert answer.status == 200
    kind = find_header(answer.headers, "content-type") or ""
    assert kind.startswith('multipart/related; type="application/ocsp-response"; charset=UTF-8;')
    assert parts(answer) == [b"second", b"first"]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("", "Could not get cert hashes"),
        ("?cert=../../etc/passwd", "Could not get cert hashes"),
        ("?" + "&".join([f"cert={ONE.sha1}"] * 33), "Could not get cert hashes"),
        ("?" + "&".join([f"cert={ONE.sha1}"] * 140), "Could not get cert hashes"),
        (f"?cert={'0' * 40}", f"Could not find OCSP response for certificate {'0' * 40}"),
        (f"?cert={ONE.sha1}&cert={'0' * 40}", "Could not find OCSP response"),
        ("?cert_hash=" + "ab" * 200, "Could not find OCSP response"),
    ],
)
async def test_what_is_not_at_hand_is_an_error_with_a_text(
    serve: Serve, query: str, said: str
) -> None:
    answer = await ask(serve, query)
    assert answer.status == 500
    assert said in answer.body.decode()
    assert len(answer.body) < 200


async def test_a_heartbeat_is_answered_and_other_methods_are_not(serve: Serve) -> None:
    assert (await ask(serve, "", "HEAD")).status == 200
    assert (await ask(serve, f"?cert={ONE.sha1}", "POST")).status == 500
