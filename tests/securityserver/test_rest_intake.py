"""A REST request coming in: the head is made once, the body follows if there is any of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import pytest

from xgate.errors import Fault
from xgate.net.errors import ClosedError
from xgate.net.fetch import Response, fetch
from xgate.net.server import Exchange
from xgate.sandbox.places import CONSUMER, PROVIDER
from xgate.securityserver.receive import Received
from xgate.securityserver.rest_intake import RestIntake, take_rest
from xgate.securityserver.send import PartEvent
from xgate.wire.fields import find_header
from xgate.wire.parts import Head, PartBegin, PartData, PartEnd
from xgate.wire.rest import write_rest_response
from xgate.wire.transport import REST_BODY, REST_RESPONSE

Serve = Callable[[Callable[[Exchange], Awaitable[None]]], Awaitable[int]]
Act = Callable[[Exchange, RestIntake], Awaitable[None]]


async def call(serve: Serve, act: Act, method: str = "POST", body: bytes = b"") -> Response:
    async def handle(exchange: Exchange) -> None:
        await act(exchange, take_rest(exchange, "XG"))

    url = f"http://127.0.0.1:{await serve(handle)}/r1/{PROVIDER.url}/people/x?y=z"
    headers = [("X-Road-Client", CONSUMER.url), ("Content-Type", "text/plain")]
    return await fetch(url, method=method, headers=headers, body=body)


@pytest.mark.parametrize("body", [b"", b"some octets", bytes(200_000)])
async def test_a_body_is_a_part_only_if_there_is_any(serve: Serve, body: bytes) -> None:
    events: list[PartEvent] = []

    async def take(*taken: PartEvent) -> None:
        events.extend(taken)

    async def act(exchange: Exchange, intake: RestIntake) -> None:
        await intake.pass_parts(take)
        await exchange.respond(200, [])

    await call(serve, act, body=body)
    if not body:
        assert events == []
        return
    assert events[0] == PartBegin(1, REST_BODY, ())
    assert events[-1] == PartEnd()
    assert b"".join(bytes(e.data) for e in events if isinstance(e, PartData)) == body


async def test_the_request_names_an_id_of_our_instance_when_it_had_none(serve: Serve) -> None:
    async def act(exchange: Exchange, intake: RestIntake) -> None:
        assert intake.request.id.startswith("XG-")
        assert intake.request_id == intake.request.request_id
        assert intake.content_type == "text/plain"
        assert str(intake.request.target).endswith("/people/x?y=z")
        await exchange.respond(200, [])

    assert (await call(serve, act)).status == 200


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_the_answer_is_the_services_own(serve: Serve, method: str) -> None:
    async def act(exchange: Exchange, intake: RestIntake) -> None:
        answered = [("X-Mark", "here"), ("Date", "then"), ("Content-Length", "999")]
        written = write_rest_response(intake.request, 418, "Teapot", answered, "hash")
        received = Received(lambda: pytest.fail("no body is kept"))
        received.take(Head(REST_RESPONSE, (), written.octets))
        await intake.read_answer(received, None)
        await intake.answer(exchange, received, datetime(2026, 1, 1, tzinfo=UTC))

    answer = await call(serve, act, method)
    assert answer.status == 418
    assert find_header(answer.headers, "x-mark") == "here"
    assert [value for name, value in answer.headers if name.lower() == "date"] == ["then"]
    assert find_header(answer.headers, "x-road-request-hash") == "hash"


async def test_an_answer_without_its_hash_is_the_peers_failure(serve: Serve) -> None:
    async def act(exchange: Exchange, intake: RestIntake) -> None:
        received = Received(lambda: pytest.fail("no body is kept"))
        received.take(Head(REST_RESPONSE, (), b"200\r\nOK\r\n"))
        with pytest.raises(Fault) as caught:
            await intake.read_answer(received, None)
        assert caught.value.code == "service_failed.internal_error"
        await exchange.respond(200, [])

    await call(serve, act)


async def test_whatever_fails_while_it_streams_is_an_io_error(serve: Serve) -> None:
    async def act(exchange: Exchange, intake: RestIntake) -> None:
        for error in (Fault("logging_failed", "full"), ClosedError("gone")):
            with pytest.raises(Fault) as caught, intake.streaming():
                raise error
            assert caught.value.code == "io_error"
            assert caught.value.__cause__ is error
        with pytest.raises(Fault, match=r"\[SYSTEM\] logging_failed: full"), intake.streaming():
            raise Fault("logging_failed", "full")
        with pytest.raises(Fault) as caught, intake.streaming():
            raise Fault("logging_failed", "full", limit="[a] b = 1", cause="the disk")
        assert (caught.value.limit, caught.value.cause) == ("[a] b = 1", "the disk")
        await exchange.respond(200, [])

    await call(serve, act)
