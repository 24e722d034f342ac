"""Octets over real sockets: partial sends, deadlines, cancellation, peers that vanish."""

from __future__ import annotations

import math
import socket
import struct
import sys
from functools import partial

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from xgate.net.errors import ClosedError, ResetError, TimedOutError
from xgate.net.stream import SocketStream
from xgate.testing.network import stream_pair


async def read_all(stream: SocketStream) -> bytes:
    pieces = []
    while piece := await stream.receive():
        pieces.append(piece)
    return b"".join(pieces)


async def test_octets_arrive_whole_however_the_kernel_cuts_them() -> None:
    near, far = stream_pair()
    near.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    pieces = [bytes([n % 251]) * (n % 97) for n in range(1500)]  # more than one sendmsg takes
    received = b""

    async def read() -> None:
        nonlocal received
        received = await read_all(far)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await near.send_vector(pieces)
        await near.send_all(memoryview(b"the end"))
        await near.aclose()
    assert received == b"".join(pieces) + b"the end"
    await far.aclose()


async def test_receive_takes_no_more_than_asked_for() -> None:
    near, far = stream_pair()
    await near.send_all(b"abcdef")
    assert await far.receive(4) == b"abcd"
    assert await far.receive(4) == b"ef"
    near.close()
    assert await far.receive() == b""
    far.close()


async def test_a_cancelled_receive_loses_nothing() -> None:
    near, far = stream_pair()
    with trio.move_on_after(0):
        await far.receive()
    await near.send_all(b"still here")
    assert await far.receive() == b"still here"
    near.close()
    far.close()


async def test_a_wait_ends_at_the_deadline(autojump_clock: MockClock) -> None:
    near, far = stream_pair()
    far.deadline = trio.current_time() + 30
    with pytest.raises(TimedOutError):
        await far.receive()
    assert trio.current_time() == far.deadline
    far.deadline = math.inf
    near.close()
    assert await far.receive() == b""
    far.close()


async def test_a_send_that_was_cut_short_spoils_the_stream() -> None:
    near, far = stream_pair()
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(near.send_all, bytes(64 << 20))
            await wait_all_tasks_blocked()
            scope.cancel()
    with pytest.raises(ClosedError, match="cut short"):
        await near.send_all(b"the next message")
    near.close()
    far.close()


async def test_a_reset_is_a_closed_connection_with_its_cause() -> None:
    near, far = stream_pair()
    near.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    near.close()
    with pytest.raises(ResetError, match="reset"):
        await far.receive()
    with pytest.raises(ResetError, match=r"[Bb]roke"):
        await far.send_all(b"x")
    far.close()


@pytest.mark.skipif(sys.platform != "linux", reason="the names of the options are Linux's")
async def test_a_machine_that_vanished_is_noticed_in_two_minutes() -> None:
    near, far = stream_pair()
    for stream in (near, far):
        read = partial(stream.socket.getsockopt, socket.IPPROTO_TCP)
        idle, pause, times = map(
            read, (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
        )
        assert stream.socket.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert idle + pause * times == read(socket.TCP_USER_TIMEOUT) / 1000 == 120
        stream.close()


async def test_closing_wakes_whoever_waits() -> None:
    near, far = stream_pair()

    async def read() -> None:
        with pytest.raises(ClosedError, match="this side"):
            await far.receive()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await wait_all_tasks_blocked()
        await far.aclose()
        await far.aclose()
    with pytest.raises(ClosedError, match="this side"):
        await far.receive()
    with pytest.raises(ClosedError):
        await far.send_all(b"x")
    near.close()


async def test_a_lingering_close_lets_the_peer_read_the_last_words() -> None:
    near, far = stream_pair()
    await near.send_all(bytes(100_000))  # never read: a plain close would reset the connection
    await far.send_all(b"no")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lambda: far.aclose(linger=5))
        await wait_all_tasks_blocked()
        assert await read_all(near) == b"no"
        near.close()
    assert far.socket.fileno() == -1


async def test_a_lingering_close_is_bounded(autojump_clock: MockClock) -> None:
    near, far = stream_pair()
    began = trio.current_time()
    await far.aclose(linger=5)
    assert trio.current_time() - began == 5
    near.close()


async def test_a_stream_that_never_waits_lets_others_run() -> None:
    near, far = stream_pair()
    await near.send_all(bytes(100))
    others_ran = False

    async def other() -> None:
        nonlocal others_ran
        others_ran = True

    async with trio.open_nursery() as nursery:
        nursery.start_soon(other)
        for _ in range(100):
            assert await far.receive(1)
        assert others_ran
    near.close()
    far.close()


def test_addresses_are_told_without_the_zone() -> None:
    near, far = stream_pair()
    assert (far.peer_address, near.peer_address) == ("127.0.0.1", "127.0.0.1")
    assert far.peer_port == near.socket.getsockname()[1]
    for sock in (near.socket, far.socket):
        sock.close()
    left, right = socket.socketpair()
    with left, right:
        assert SocketStream(left).peer_address == ""
