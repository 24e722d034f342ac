"""The door: limits, shortages, defects and draining, with real listening sockets."""

from __future__ import annotations

import logging
import os
import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from xgate.net.dial import dial
from xgate.net.drain import Drain
from xgate.net.errors import ClosedError, ConnectError
from xgate.net.listen import AcceptLimits, Crowd, listen_on, serve_listeners, source_of
from xgate.net.stream import SocketStream


async def echo(stream: SocketStream) -> None:
    while data := await stream.receive():
        await stream.send_all(data)


def port_of(listeners: list[socket.socket]) -> int:
    return int(listeners[0].getsockname()[1])


async def ends(stream: SocketStream) -> bool:
    """Whether the other side closed, cleanly or not."""
    try:
        return await stream.receive() == b""
    except ClosedError:
        return True


async def test_each_connection_is_served_and_its_defect_ends_nothing_else(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def fragile(stream: SocketStream) -> None:
        if await stream.receive(1) == b"!":
            raise LookupError
        await echo(stream)

    listeners = await listen_on("127.0.0.1", 0)
    async with trio.open_nursery() as nursery:
        await nursery.start(serve_listeners, listeners, fragile)
        first, second = [await dial("127.0.0.1", port_of(listeners)) for _ in range(2)]
        with caplog.at_level(logging.CRITICAL, logger="xgate"):
            await first.send_all(b"!")
            assert await ends(first)
        await second.send_all(b"-hello")
        assert await second.receive() == b"hello"
        nursery.cancel_scope.cancel()
    assert listeners[0].fileno() == -1
    first.close()
    second.close()


async def test_a_name_listens_on_all_its_addresses_on_one_port() -> None:
    listeners = await listen_on("localhost", 0)
    assert len({listener.getsockname()[1] for listener in listeners}) == 1
    async with trio.open_nursery() as nursery:
        await nursery.start(serve_listeners, listeners, echo)
        for listener in listeners:
            stream = await dial(listener.getsockname()[0], port_of(listeners))
            await stream.send_all(b"x")
            assert await stream.receive() == b"x"
            stream.close()
        nursery.cancel_scope.cancel()


async def test_ipv6_and_ipv4_share_a_port_number() -> None:
    try:
        six = await listen_on("::1", 0)
    except ConnectError:
        pytest.skip("this machine has no IPv6")
    four = await listen_on("127.0.0.1", port_of(six))
    for listener in six + four:
        listener.close()


async def test_a_port_in_use_is_an_error_with_its_cause_unless_it_is_shared() -> None:
    taken = await listen_on("127.0.0.1", 0)
    with pytest.raises(ConnectError, match="in use"):
        await listen_on("127.0.0.1", port_of(taken))
    with pytest.raises(ConnectError, match="has no address"):
        await listen_on("no such name", 0)
    shared = await listen_on("127.0.0.1", 0, reuse_port=True)
    again = await listen_on("127.0.0.1", port_of(shared), reuse_port=True)
    for listener in taken + shared + again:
        listener.close()


def come_from(address: str, port: int) -> SocketStream:
    other = socket.socket()
    other.bind((address, 0))
    other.connect(("127.0.0.1", port))
    return SocketStream(other)


async def test_beyond_the_total_connections_wait_for_their_turn() -> None:
    listeners = await listen_on("127.0.0.1", 0)
    limits = AcceptLimits(total=2)
    async with trio.open_nursery() as nursery:

        async def serve(task_status: trio.TaskStatus[None]) -> None:
            await serve_listeners(listeners, echo, limits=limits, task_status=task_status)

        await nursery.start(serve)
        port = port_of(listeners)
        first, second, third = [come_from(f"127.0.0.{last}", port) for last in (2, 3, 4)]
        for stream in (first, second, third):
            await stream.send_all(b"x")
        assert await first.receive() == b"x"
        assert await second.receive() == b"x"
        await wait_all_tasks_blocked()
        assert third.quiet
        first.close()
        assert await third.receive() == b"x"
        nursery.cancel_scope.cancel()
    second.close()
    third.close()


async def test_no_address_takes_more_than_it_leaves_free() -> None:
    listeners = await listen_on("127.0.0.1", 0)
    limits = AcceptLimits(total=8)
    async with trio.open_nursery() as nursery:

        async def serve(task_status: trio.TaskStatus[None]) -> None:
            await serve_listeners(listeners, echo, limits=limits, task_status=task_status)

        await nursery.start(serve)
        port = port_of(listeners)
        kept = []
        for last, most in ((2, 4), (3, 2), (4, 1)):
            for number in range(most + 1):
                stream = come_from(f"127.0.0.{last}", port)
                kept.append(stream)
                if number == most:
                    assert await ends(stream)
                    continue
                await stream.send_all(b"x")
                assert await stream.receive() == b"x"
        nursery.cancel_scope.cancel()
    for stream in kept:
        stream.close()


async def test_several_doors_may_count_together() -> None:
    doors = [await listen_on("127.0.0.1", 0) for _ in range(2)]
    refused: list[str] = []
    crowd = Crowd(AcceptLimits(total=10, per_address=2), refused.append)
    async with trio.open_nursery() as nursery:
        for door in doors:
            await nursery.start(partial(serve_listeners, door, echo, crowd=crowd))
        kept = [come_from("127.0.0.2", port_of(door)) for door in doors]
        for stream in kept:
            await stream.send_all(b"x")
            assert await stream.receive() == b"x"
        for door in doors:
            more = come_from("127.0.0.2", port_of(door))
            assert await ends(more)
            more.close()
        assert (crowd.inside, crowd.refused, refused) == (2, 2, ["127.0.0.2"] * 2)
        nursery.cancel_scope.cancel()
    for stream in kept:
        stream.close()


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::ffff:0:0:1", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
    ],
)
def test_one_machine_has_one_ipv4_address_or_one_ipv6_network(
    one: str, other: str, same: bool
) -> None:
    assert (source_of(one) == source_of(other)) is same


async def test_one_address_cannot_take_more_than_its_share() -> None:
    listeners = await listen_on("127.0.0.1", 0)
    limits = AcceptLimits(total=10, per_address=2)
    async with trio.open_nursery() as nursery:

        async def serve(task_status: trio.TaskStatus[None]) -> None:
            await serve_listeners(listeners, echo, limits=limits, task_status=task_status)

        await nursery.start(serve)
        first, second, third = [await dial("127.0.0.1", port_of(listeners)) for _ in range(3)]
        assert await ends(third)
        neighbour = come_from("127.0.0.2", port_of(listeners))
        await neighbour.send_all(b"x")
        assert await neighbour.receive() == b"x"
        first.close()
        await wait_all_tasks_blocked()
        fourth = await dial("127.0.0.1", port_of(listeners))
        await fourth.send_all(b"x")
        assert await fourth.receive() == b"x"
        nursery.cancel_scope.cancel()
    for stream in (second, third, fourth, neighbour):
        stream.close()


@contextmanager
def no_more_descriptors() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    spare = os.open(os.devnull, os.O_RDONLY)
    os.close(spare)  # the lowest that is free
    resource.setrlimit(resource.RLIMIT_NOFILE, (spare, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_accepting_pauses_while_descriptors_are_short(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    listeners = await listen_on("127.0.0.1", 0)
    async with trio.open_nursery() as nursery:
        await nursery.start(serve_listeners, listeners, echo)
        await wait_all_tasks_blocked()
        client = socket.socket()
        with no_more_descriptors(), caplog.at_level(logging.WARNING, logger="xgate"):
            client.connect(("127.0.0.1", port_of(listeners)))
            await trio.sleep(0.55)
            assert 2 <= len(caplog.records) <= 8
            assert "Too many open files" in caplog.text
        stream = SocketStream(client)
        await stream.send_all(b"x")
        assert await stream.receive() == b"x"
        nursery.cancel_scope.cancel()
    stream.close()


async def test_draining_stops_accepting_and_waits_for_the_running() -> None:
    listeners = await listen_on("127.0.0.1", 0)
    port = port_of(listeners)
    drain = Drain()
    done = trio.Event()

    async def serve(task_status: trio.TaskStatus[None]) -> None:
        await serve_listeners(listeners, echo, drain=drain, task_status=task_status)
        done.set()

    async with trio.open_nursery() as nursery:
        await nursery.start(serve)
        busy = await dial("127.0.0.1", port)
        await busy.send_all(b"x")
        assert await busy.receive() == b"x"
        drain.start()
        await wait_all_tasks_blocked()
        with pytest.raises(ConnectError):
            await dial("127.0.0.1", port)
        await busy.send_all(b"y")
        assert await busy.receive() == b"y"
        assert not done.is_set()
        busy.close()
        await done.wait()


async def test_draining_ends_when_the_grace_is_over(autojump_clock: MockClock) -> None:
    listeners = await listen_on("127.0.0.1", 0)
    drain = Drain()

    async def serve(task_status: trio.TaskStatus[None]) -> None:
        await serve_listeners(listeners, echo, drain=drain, grace=5, task_status=task_status)

    async with trio.open_nursery() as nursery:
        await nursery.start(serve)
        stuck = await dial("127.0.0.1", port_of(listeners))
        await stuck.send_all(b"x")
        await stuck.receive()
        began = trio.current_time()
        drain.start()
        assert await ends(stuck)
        assert trio.current_time() - began == pytest.approx(5)
    stuck.close()
