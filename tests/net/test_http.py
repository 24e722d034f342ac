"""One end of HTTP: events in and out, how slow a peer may be, what cannot be carried."""

from __future__ import annotations

from collections.abc import Iterator

import h11
import pytest
import trio
from trio.testing import MockClock

from xgate.net.errors import ClosedError, HttpError, TimedOutError
from xgate.net.http import (
    HttpEnd,
    Pace,
    make_data,
    make_request,
    make_response,
    read_headers,
)
from xgate.net.stream import SocketStream
from xgate.net.strict import StrictFilter, check_request
from xgate.testing.network import stream_pair

POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 6000\r\n\r\n"


@pytest.fixture
def ends() -> Iterator[tuple[SocketStream, HttpEnd]]:
    near, far = stream_pair()
    yield near, HttpEnd(far, h11.SERVER, StrictFilter(check_request))
    near.socket.close()
    far.socket.close()


Ends = tuple[SocketStream, HttpEnd]


async def test_octets_become_events_and_events_octets(ends: Ends) -> None:
    near, http = ends
    for _ in range(2):
        await near.send_all(b"GET /a HTTP/1.1\r\nhOST: x\r\n\r\n")
        request = await http.event()
        assert isinstance(request, h11.Request)
        assert read_headers(request) == (("hOST", "x"),)
        assert isinstance(await http.event(), h11.EndOfMessage)
        head = make_response(200, "Fine", [("x-a", "ä"), ("content-length", "2")])
        await http.send(head, *make_data(memoryview(b"ok")), h11.EndOfMessage())
        wanted = b"HTTP/1.1 200 Fine\r\nx-a: \xe4\r\ncontent-length: 2\r\n\r\nok"
        assert await near.receive() == wanted
        http.next_message()
    near.close()
    assert isinstance(await http.event(), h11.ConnectionClosed)


async def test_a_peer_may_be_slow_within_bounds(ends: Ends, autojump_clock: MockClock) -> None:
    near, http = ends
    pace = Pace(gap=10, rate=100)
    await near.send_all(POST)
    await http.event()

    async def trickle() -> None:
        for _ in range(60):
            await trio.sleep(1)
            await near.send_all(bytes(100))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trickle)
        received = 0
        while not isinstance(event := await http.event(pace), h11.EndOfMessage):
            assert isinstance(event, h11.Data)
            received += len(event.data)
    assert received == 6000
    assert trio.current_time() == pytest.approx(60)


async def test_a_peer_below_the_rate_is_too_slow(ends: Ends, autojump_clock: MockClock) -> None:
    near, http = ends
    await near.send_all(POST)
    await http.event()

    async def trickle() -> None:
        while True:
            await trio.sleep(1)
            await near.send_all(bytes(50))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trickle)
        with pytest.raises(TimedOutError):
            await read_to_end(http, Pace(gap=10, rate=100))
        assert trio.current_time() == pytest.approx(20, abs=2)
        nursery.cancel_scope.cancel()
    assert http.failed
    with pytest.raises(ClosedError, match="failed before"):
        await http.event()


async def read_to_end(http: HttpEnd, pace: Pace) -> None:
    while not isinstance(await http.event(pace), h11.EndOfMessage):
        pass


async def test_without_a_rate_only_the_single_wait_counts(
    ends: Ends, autojump_clock: MockClock
) -> None:
    near, http = ends
    await near.send_all(POST)
    await http.event()
    await near.send_all(b"x")
    assert isinstance(await http.event(Pace(gap=10, rate=0)), h11.Data)
    await trio.sleep(1000)
    with pytest.raises(TimedOutError):
        await http.event(Pace(gap=10, rate=0))
    assert trio.current_time() == pytest.approx(1010)


async def test_an_offence_is_heard_of_after_what_came_before_it(ends: Ends) -> None:
    near, http = ends
    chunked = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    await near.send_all(chunked + b"5\r\nhello\r\nnonsense\r\n")
    assert isinstance(await http.event(), h11.Request)
    data = await http.event()
    assert isinstance(data, h11.Data)
    assert data.data == b"hello"
    assert not http.failed
    with pytest.raises(HttpError, match="chunk"):
        await http.event()
    assert http.failed


def test_what_http_cannot_carry_is_named_but_not_quoted() -> None:
    with pytest.raises(ValueError, match="cannot carry") as caught:
        make_request("GET", "/", [("Authorization", "secret\r\nX: y")])
    assert "secret" not in str(caught.value)
    with pytest.raises(ValueError, match="cannot carry"):
        make_request("GET", "/ä", [])
    with pytest.raises(ValueError, match="cannot carry"):
        make_response(99, "", [])
    assert make_data(b"") == []
