"""The demo's services, called as any HTTP client would."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

import pytest
import trio

from xgate.clock import SystemClock
from xgate.net.fetch import Response, fetch
from xgate.net.listen import listen_on, serve_listeners
from xgate.net.server import Exchange, ServerLimits, serve_connection
from xgate.sandbox.messages import multipart_related, soap_request
from xgate.sandbox.places import CONSUMER, PROVIDER
from xgate.sandbox.services import serve_people, serve_random

Call = Callable[..., Awaitable[Response]]


def caller(nursery: trio.Nursery, service: Callable[[Exchange], Awaitable[None]]) -> Call:
    async def call(path: str, body: bytes = b"", kind: str = "") -> Response:
        listeners = await listen_on("127.0.0.1", 0)
        port = listeners[0].getsockname()[1]
        serve = partial(
            serve_connection, handler=service, limits=ServerLimits(), clock=SystemClock()
        )
        await nursery.start(partial(serve_listeners, listeners, serve))
        headers = [("Content-Type", kind)] if kind else []
        url = f"http://127.0.0.1:{port}{path}"
        return await fetch(url, method="POST" if body else "GET", headers=headers, body=body)

    return call


async def test_people_are_told_by_number_and_nobody_else(nursery: trio.Nursery) -> None:
    call = caller(nursery, serve_people)
    answer = await call("/people/2")
    assert (answer.status, answer.body) == (200, b'{"id":"2","name":"Kalev"}')
    assert (await call("/people/999")).status == 404


async def test_echo_gives_body_and_type_back(nursery: trio.Nursery) -> None:
    answer = await caller(nursery, serve_people)("/echo", b"\0\1", "image/png")
    assert answer.body == b"\0\1"
    assert dict(answer.headers)["Content-Type"] == "image/png"


@pytest.mark.parametrize("attachments", [0, 2])
async def test_a_random_number_comes_with_the_header_it_was_asked_with(
    nursery: trio.Nursery, attachments: int
) -> None:
    envelope = soap_request(CONSUMER, PROVIDER, "getRandom", "q1")
    kind, body = "text/xml", envelope
    if attachments:
        kind, body = multipart_related(envelope, [("text/plain", b"a")] * attachments)
    answer = await caller(nursery, serve_random)("/soap", body, kind)
    assert answer.status == 200
    assert b"<xrd:id>q1</xrd:id>" in answer.body
    assert f"<attachments>{attachments}</attachments>".encode() in answer.body


async def test_what_is_no_request_is_an_error_of_the_service(nursery: trio.Nursery) -> None:
    answer = await caller(nursery, serve_random)("/soap", b"<a/>", "text/xml")
    assert answer.status == 500
