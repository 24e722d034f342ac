"""The answer to a peer: whole or nothing before it begins, a fault as its last part after."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from xgate.errors import Fault
from xgate.net.fetch import Response, fetch
from xgate.net.server import Exchange
from xgate.securityserver.reply import Reply
from xgate.trust.verify import Evidence
from xgate.wire.faults import read_soap_fault
from xgate.wire.fields import find_header
from xgate.wire.transport import (
    REST_RESPONSE,
    Event,
    FaultPart,
    Head,
    MessageReader,
    Signature,
    TransportHead,
    read_response_head,
)

Serve = Callable[[Callable[[Exchange], Awaitable[None]]], Awaitable[int]]

FAULT = Fault("server.serverproxy.io_error", "cut", detail="uuid")


async def ask(serve: Serve, act: object, *, keep_alive: bool = False) -> Response:
    async def handle(exchange: Exchange) -> None:
        await act(Reply(exchange, "b" * 30, keep_alive=keep_alive))  # type: ignore[operator]  # ours

    return await fetch(f"http://127.0.0.1:{await serve(handle)}/", method="POST", body=b"x")


def parts(answer: Response) -> list[Event]:
    head = read_response_head(answer.status, answer.reason, answer.headers, protocol="REST")
    assert isinstance(head, TransportHead)
    reader = MessageReader(head.boundary, sender="server", protocol="REST")
    return [*reader.feed(answer.body), *reader.finish()]


async def test_a_whole_answer_ends_with_its_signature(serve: Serve) -> None:
    async def act(reply: Reply) -> None:
        await reply.begin("REST", "")
        await reply.head(REST_RESPONSE, (), b"200\r\nOK\r\n")
        await reply.finish(Evidence(b"signature"))

    answer = await ask(serve, act)
    assert answer.status == 200
    assert ("x-hash-algorithm", "SHA-512") in answer.headers  # in exactly this case
    head, signature = parts(answer)
    assert isinstance(head, Head)
    assert signature == Signature(b"signature")


async def test_a_fault_before_the_beginning_is_the_whole_answer(serve: Serve) -> None:
    async def act(reply: Reply) -> None:
        await reply.fail(FAULT)

    answer = await ask(serve, act)
    assert (answer.status, find_header(answer.headers, "content-type")) == (
        200,
        "text/xml;charset=utf-8",
    )
    assert read_soap_fault(answer.body).code == FAULT.code


@pytest.mark.parametrize("with_head", [False, True])
async def test_a_fault_after_it_is_the_last_part(serve: Serve, with_head: bool) -> None:
    async def act(reply: Reply) -> None:
        await reply.begin("REST", "")
        if with_head:
            await reply.head(REST_RESPONSE, (), b"200\r\nOK\r\n")
        await reply.fail(FAULT)

    *_, last = parts(await ask(serve, act))
    assert isinstance(last, FaultPart)
    assert (last.fault.code, last.fault.detail) == (FAULT.code, "uuid")


async def test_the_connection_is_closed_unless_it_may_be_kept(serve: Serve) -> None:
    async def act(reply: Reply) -> None:
        await reply.fail(FAULT)

    closing = await ask(serve, act)
    assert find_header(closing.headers, "connection") == "close"
