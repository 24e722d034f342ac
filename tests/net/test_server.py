"""A server under real sockets: exchanges, refusals, slow and vanishing clients, defects, drains."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from itertools import pairwise

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

from xgate.net.context import information_system_context, service_context
from xgate.net.drain import Drain
from xgate.net.errors import ClosedError, HttpError, TimedOutError
from xgate.net.http import Pace
from xgate.net.server import Exchange, ServerLimits, serve_connection
from xgate.net.stream import SocketStream
from xgate.net.tls import accept_tls, connect_tls
from xgate.testing.clock import FakeClock
from xgate.testing.network import make_identity, stream_pair

DATE = b"Date: Thu, 01 Jan 2026 12:00:00 GMT\r\n"
GET = b"GET /a?b HTTP/1.1\r\nHost: x\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n" + DATE + b"\r\nok"
BYE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n" + DATE + b"Connection: close\r\n\r\nok"


async def say_ok(exchange: Exchange) -> None:
    await exchange.respond(200, [], b"ok")


async def echo(exchange: Exchange) -> None:
    await exchange.start(200, [("x-hash-algorithm", "SHA-512"), ("X-Length", exchange.method)])
    while piece := await exchange.receive():
        await exchange.send(piece)
    await exchange.finish()


@asynccontextmanager
async def serving(
    handler: Callable[[Exchange], Awaitable[None]],
    limits: ServerLimits = ServerLimits(),  # noqa: B008 - frozen
    drain: Drain | None = None,
) -> AsyncIterator[SocketStream]:
    """A client's raw socket to a server with this handler."""
    near, far = stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve_connection, far, handler, limits, FakeClock(), drain)
        yield near
        near.close()


async def read_body(exchange: Exchange) -> bytes:
    pieces = []
    while piece := await exchange.receive():
        pieces.append(piece)
    return b"".join(pieces)


async def read_all(stream: SocketStream) -> bytes:
    pieces = []
    while piece := await stream.receive():
        pieces.append(piece)
    return b"".join(pieces)


async def read_exactly(stream: SocketStream, wanted: bytes) -> None:
    received = b""
    while len(received) < len(wanted):
        piece = await stream.receive(len(wanted) - len(received))
        assert piece, f"the end after {received!r}"
        received += piece
    assert received == wanted


async def ask(data: bytes, handler: Callable[[Exchange], Awaitable[None]] = say_ok) -> bytes:
    """Everything a server says to these octets before it closes."""
    async with serving(handler) as client:
        await client.send_all(data)
        return await read_all(client)


async def test_an_exchange_shows_the_request_as_it_came() -> None:
    seen: list[Exchange] = []

    async def look(exchange: Exchange) -> None:
        seen.append(exchange)
        await say_ok(exchange)

    async with serving(look) as client:
        head = b"PoST /%7Ea/b?c=%2F HTTP/1.1\r\nhOST: x\r\nX-B: 1\r\nx-a:  \xe4 \r\nX-B: 2\r\n\r\n"
        await client.send_all(head)
        await read_exactly(client, OK)
    (exchange,) = seen
    assert exchange.method == "PoST"
    assert exchange.target == "/%7Ea/b?c=%2F"
    assert exchange.raw_target == b"/%7Ea/b?c=%2F"
    assert exchange.headers == (("hOST", "x"), ("X-B", "1"), ("x-a", "ä"), ("X-B", "2"))
    assert exchange.find_header("x-b") == "1"
    assert exchange.find_header("X-C") is None
    assert (exchange.version, exchange.secure, exchange.peer_chain) == ("1.1", False, ())
    assert exchange.peer_address == "127.0.0.1"


async def test_header_names_go_out_in_the_case_given_and_bodies_in_chunks() -> None:
    request = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
    answer = (
        b"HTTP/1.1 200 OK\r\nx-hash-algorithm: SHA-512\r\nX-Length: POST\r\n" + DATE + b"Transfer-"
        b"Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    )
    async with serving(echo) as client:
        for _ in range(3):
            await client.send_all(request)
            await read_exactly(client, answer)


async def test_pipelined_requests_are_answered_in_order() -> None:
    assert await ask(GET + GET + GET.replace(b"Host", b"Connection: close\r\nHost")) == OK * 2 + BYE


async def test_http_1_0_and_connection_close_end_the_connection() -> None:
    assert await ask(b"GET / HTTP/1.0\r\n\r\n") == BYE
    streamed = await ask(b"POST / HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi", echo)
    assert streamed.endswith(b"\r\n\r\nhi")
    assert b"chunked" not in streamed


async def test_head_gets_the_headers_and_no_body() -> None:
    async with serving(say_ok) as client:
        await client.send_all(GET.replace(b"GET", b"HEAD"))
        await read_exactly(client, OK[:-2])
        await client.send_all(GET)
        await read_exactly(client, OK)


async def test_some_answers_have_no_body() -> None:
    async def none(exchange: Exchange) -> None:
        await exchange.respond(204, [("X-A", "")])

    async with serving(none) as client:
        await client.send_all(GET)
        await read_exactly(client, b"HTTP/1.1 204 No Content\r\nX-A: \r\n" + DATE + b"\r\n")


async def test_a_waiting_client_is_asked_to_go_on() -> None:
    head = b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
    async with serving(echo) as client:
        await client.send_all(head)
        await read_exactly(client, b"HTTP/1.1 100 \r\n\r\n")
        await client.send_all(b"hi")
        await client.send_all(GET)
    # One that is not asked gets its answer, and no second exchange can be told from its body.
    assert await ask(head) == BYE


async def test_the_rest_of_a_request_is_read_before_the_answer_goes_out() -> None:
    async with serving(say_ok) as client:
        await client.send_all(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 500000\r\n\r\n")
        await client.send_all(bytes(499_999))
        await wait_all_tasks_blocked()
        assert client.quiet
        await client.send_all(b"x" + GET)
        await read_exactly(client, OK + OK)


async def test_a_body_too_long_to_read_away_ends_the_connection_after_the_answer() -> None:
    async with serving(say_ok, ServerLimits(ignored=1 << 20)) as client:
        await client.send_all(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 90000000\r\n\r\n")
        await client.send_all(bytes((2 << 20) + 100_000))
        assert await read_all(client) == BYE


async def test_who_writes_all_before_reading_gets_the_answer_nonetheless() -> None:
    size = 20 << 20
    async with serving(say_ok, ServerLimits(ignored=size)) as client:
        head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % size
        await client.send_all(head + bytes(size))
        assert await read_all(client) == BYE


async def test_who_has_an_answer_and_sends_no_more_is_not_waited_for(
    autojump_clock: MockClock,
) -> None:
    for limits in (
        ServerLimits(ignored=8 << 20, body=Pace(3.0, 1024)),
        ServerLimits(ignored=8 << 20, ignored_time=3.0),
    ):
        began = trio.current_time()
        async with serving(say_ok, limits) as client:
            head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 90000000\r\n\r\n"
            await client.send_all(head + bytes(2 << 20))
            assert await read_all(client) == BYE
        assert trio.current_time() - began < 5


SMUGGLED = GET.replace(b"/a?b", b"/admin")


@pytest.mark.parametrize(
    ("request_octets", "status"),
    [
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
         b"0\r\n\r\n", b"400 Bad Request"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 44\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\n\r\n0\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: x\r\n chunked\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", b"400"),
        (b"GET / HTTP/2.0\r\nHost: x\r\n\r\n", b"400"),
        (b"CONNECT x:80 HTTP/1.1\r\nHost: x:80\r\n\r\n", b"400"),
        (b"GET http://y/ HTTP/1.1\r\nHost: x\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\nHost: x\n\n", b"400"),
        (b"\x16\x03\x01\x00\xee\x01\x00\x00", b"400"),
        (b"GET /" + b"a" * 9000, b"414"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 9000, b"431"),
    ],
)  # fmt: skip
async def test_ambiguous_requests_get_one_refusal_and_nothing_after_it_is_served(
    request_octets: bytes, status: bytes
) -> None:
    served: list[str] = []

    async def note(exchange: Exchange) -> None:
        served.append(exchange.target)
        await say_ok(exchange)

    answer = await ask(request_octets + SMUGGLED, note)
    assert answer.startswith(b"HTTP/1.1 " + status)
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"Connection: close\r\n" in answer
    assert served == []


async def test_who_is_refused_before_the_handler_is_told_of(autojump_clock: MockClock) -> None:
    refused: list[tuple[int, str]] = []

    def tell(status: int, text: str) -> None:
        refused.append((status, text))

    for said in (GET.replace(b"Host", b"Most"), GET + b"GET\n", GET[:-2]):
        near, far = stream_pair()
        async with trio.open_nursery() as nursery:
            serve = partial(serve_connection, refused=tell)
            nursery.start_soon(serve, far, say_ok, ServerLimits(), FakeClock())
            await near.send_all(said)
            await read_all(near)
            near.close()
    assert refused == [
        (400, "exactly one Host is required"),
        (400, "a control character or a bare line end"),
        (408, "the request took too long"),
    ]


async def test_a_malformed_request_behind_a_good_one_is_refused_in_its_turn() -> None:
    answer = await ask(GET + b"GET / HTTP/1.1\nHost: x\n\n" + GET)
    assert answer.startswith(OK + b"HTTP/1.1 400 Bad Request\r\n")
    assert answer.count(b"HTTP/1.1") == 2


async def test_a_malformed_body_fails_its_reader_and_ends_the_connection() -> None:
    caught: list[Exception] = []

    async def read(exchange: Exchange) -> None:
        try:
            await read_body(exchange)
        except HttpError as error:
            caught.append(error)
            with pytest.raises(ClosedError):
                await exchange.receive()
            raise

    chunked = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = await ask(chunked + b"5\r\nhello!!\r\n0\r\n\r\n" + SMUGGLED, read)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1") == 1
    assert len(caught) == 1


async def test_a_client_that_drops_in_mid_body_is_a_closed_connection() -> None:
    caught: list[Exception] = []

    async def read(exchange: Exchange) -> None:
        try:
            await read_body(exchange)
        except ClosedError as error:
            caught.append(error)
            raise

    async with serving(read) as client:
        await client.send_all(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhello")
        await wait_all_tasks_blocked()
    assert [str(error) for error in caught] == [
        "the peer closed the connection before its message was complete"
    ]


async def test_a_defect_in_a_handler_is_a_500_and_ends_only_its_connection(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def break_down(exchange: Exchange) -> None:
        raise LookupError("password=hunter2")

    with caplog.at_level(logging.ERROR):
        answer = await ask(GET + GET, break_down)
    assert answer.startswith(b"HTTP/1.1 500 ")
    assert answer.count(b"HTTP/1.1") == 1
    assert b"hunter2" not in answer
    assert "LookupError" in caplog.text
    caplog.clear()

    async def forget(_: Exchange) -> None:
        return

    assert (await ask(GET, forget)).startswith(b"HTTP/1.1 500 ")


async def test_a_defect_in_mid_answer_is_visible_as_an_answer_cut_short(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def break_down(exchange: Exchange) -> None:
        await exchange.start(200, [])
        await exchange.send(b"half")
        raise LookupError

    with caplog.at_level(logging.CRITICAL, logger="xgate"):
        answer = await ask(GET, break_down)
    assert answer.endswith(b"4\r\nhalf\r\n")


async def test_what_http_cannot_carry_is_a_defect_not_a_smuggled_header() -> None:
    async def inject(exchange: Exchange) -> None:
        for name, value in [("X-A", "a\r\nX-B: b"), ("X A", "b"), ("X-A", "\u20ac")]:
            with pytest.raises(ValueError, match=r"carry|encode"):
                await exchange.respond(200, [(name, value)])
        await say_ok(exchange)
        with pytest.raises(ValueError, match="already"):
            await say_ok(exchange)
        with pytest.raises(ValueError, match="finished once"):
            await exchange.send(b"more")

    async with serving(inject) as client:
        await client.send_all(GET)
        await read_exactly(client, OK)


async def test_failures_of_other_connections_are_not_blamed_on_this_client(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def call_out(_: Exchange) -> None:
        raise TimedOutError("the provider took too long")

    with caplog.at_level(logging.CRITICAL, logger="xgate"):
        assert (await ask(GET, call_out)).startswith(b"HTTP/1.1 500 ")


async def test_an_idle_connection_is_closed_in_silence(autojump_clock: MockClock) -> None:
    async with serving(say_ok) as client:
        assert await read_all(client) == b""
        assert trio.current_time() == pytest.approx(30)
    async with serving(say_ok) as client:
        await client.send_all(GET)
        await read_exactly(client, OK)
        assert await read_all(client) == b""
        assert trio.current_time() == pytest.approx(60)


async def drip(stream: SocketStream, data: bytes, pause: float) -> None:
    for place in range(len(data)):
        await trio.sleep(pause)
        try:
            await stream.send_all(data[place : place + 1])
        except ClosedError:
            return


async def test_a_head_that_drips_in_is_given_up(autojump_clock: MockClock) -> None:
    async with serving(say_ok) as client, trio.open_nursery() as nursery:
        nursery.start_soon(drip, client, GET + GET, 5)
        answer = await read_all(client)
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert trio.current_time() <= 5 + 30 + 5
        nursery.cancel_scope.cancel()


async def test_a_body_that_drips_in_is_given_up(autojump_clock: MockClock) -> None:
    async with serving(echo) as client, trio.open_nursery() as nursery:
        await client.send_all(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9999\r\n\r\n")
        nursery.start_soon(drip, client, bytes(9999), 20)
        await read_all(client)
        assert trio.current_time() <= 61
        nursery.cancel_scope.cancel()


async def read_and_say_ok(exchange: Exchange) -> None:
    await read_body(exchange)
    await say_ok(exchange)


async def test_a_whole_request_may_have_a_limit_of_time_however_fast_it_comes(
    autojump_clock: MockClock,
) -> None:
    limits = ServerLimits(request_time=50, body=Pace(gap=30, rate=0))
    async with serving(read_and_say_ok, limits) as client, trio.open_nursery() as nursery:
        await client.send_all(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n")
        nursery.start_soon(drip, client, bytes(2000), 0.1)
        assert b"408" in (await read_all(client)).partition(b"\r\n")[0]
        assert trio.current_time() == pytest.approx(50, abs=0.2)
        nursery.cancel_scope.cancel()


async def test_the_limits_time_begins_anew_with_each_request(autojump_clock: MockClock) -> None:
    async with serving(read_and_say_ok, ServerLimits(request_time=50)) as client:
        for _ in range(3):
            await client.send_all(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\na")
            await trio.sleep(29)
            await client.send_all(b"b")
            await trio.sleep(1)
            await read_exactly(client, OK)


async def test_a_slow_handler_does_not_use_up_the_clients_time(autojump_clock: MockClock) -> None:
    async def think(exchange: Exchange) -> None:
        assert await exchange.receive() == b"a"
        await trio.sleep(3600)
        assert await exchange.receive() == b"b"
        await say_ok(exchange)

    async with serving(think) as client:
        await client.send_all(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\na")
        await trio.sleep(1)
        await client.send_all(b"b")
        await read_exactly(client, OK)


async def test_a_client_that_takes_no_answer_is_given_up(autojump_clock: MockClock) -> None:
    errors: list[Exception] = []

    async def pour(exchange: Exchange) -> None:
        await exchange.start(200, [])
        try:
            while True:
                await exchange.send(bytes(1 << 20))
        except TimedOutError as error:
            errors.append(error)
            raise

    limits = ServerLimits(answer=Pace(gap=10, rate=1 << 20))
    async with serving(pour, limits) as client:
        await client.send_all(GET)
        await trio.sleep(100)
    assert len(errors) == 1


async def test_draining_closes_the_idle_and_lets_the_busy_finish() -> None:
    drain = Drain()
    go_on = trio.Event()

    async def wait(exchange: Exchange) -> None:
        await go_on.wait()
        await say_ok(exchange)

    async with serving(say_ok, drain=drain) as idle, serving(wait, drain=drain) as busy:
        await busy.send_all(GET)
        await idle.send_all(GET)
        await read_exactly(idle, OK)
        await wait_all_tasks_blocked()
        drain.start()
        assert await read_all(idle) == b""
        go_on.set()
        assert await read_all(busy) == BYE
        assert drain.started
    async with serving(say_ok, drain=drain) as late:
        assert await read_all(late) == b""


async def test_over_tls_the_exchange_knows_the_clients_certificate() -> None:
    server, client = make_identity("server"), make_identity("client")
    near, far = stream_pair()
    seen: list[tuple[bool, tuple[bytes, ...]]] = []

    async def look(exchange: Exchange) -> None:
        seen.append((exchange.secure, exchange.peer_chain))
        await say_ok(exchange)

    async def serve() -> None:
        tls = await accept_tls(far, information_system_context(server))
        await serve_connection(tls, look, ServerLimits(), FakeClock())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        tls = await connect_tls(near, service_context(client))
        await tls.send_all(GET)
        assert await tls.receive() == OK
        await tls.aclose()
    assert seen == [(True, client.chain)]


@settings(max_examples=40, deadline=None)
@given(cuts=st.lists(st.integers(0, 400), max_size=12))
def test_the_borders_of_packets_do_not_matter(cuts: list[int]) -> None:
    data = (
        b"POST /1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"5\r\nhello\r\n1;e\r\n!\r\n0\r\nT: 1\r\n\r\n"
        b"POST /2 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc" + GET
    )
    places = sorted({0, len(data), *(cut % len(data) for cut in cuts)})
    seen: list[tuple[str, bytes]] = []

    async def collect(exchange: Exchange) -> None:
        seen.append((exchange.target, await read_body(exchange)))
        await say_ok(exchange)

    async def main() -> None:
        async with serving(collect) as client:
            for begin, end in pairwise(places):
                await client.send_all(data[begin:end])
                await wait_all_tasks_blocked()
            await read_exactly(client, OK * 3)

    trio.run(main)
    assert seen == [("/1", b"hello!"), ("/2", b"abc"), ("/a?b", b"")]
