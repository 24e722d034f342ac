"""Connections that are kept: the freshest first, for a while, and not too many."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial

import pytest
import trio

from xgate.net.client import ClientConnection, connect
from xgate.net.listen import listen_on, serve_listeners
from xgate.net.pool import Pool, PoolLimits
from xgate.net.server import Exchange, ServerLimits, serve_connection
from xgate.net.stream import SocketStream
from xgate.testing.clock import FakeClock


async def answer(exchange: Exchange) -> None:
    closing = [("Connection", "close")] if exchange.target == "/close" else []
    await exchange.respond(200, closing, b"ok")


async def serve_one(stream: SocketStream) -> None:
    await serve_connection(stream, answer, ServerLimits(), FakeClock())


class Pooled:
    """A server, and a pool of connections to it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.clock = FakeClock()
        limits = PoolLimits(idle=10, per_key=2, total=3)
        self.pool: Pool[str] = Pool(limits, self.clock.monotonic)

    async def used(self, target: str = "/") -> ClientConnection:
        """A connection that has served an exchange."""
        connection = await connect("127.0.0.1", self.port)
        await connection.request("GET", target, [])
        await connection.receive_head()
        while await connection.receive():
            pass
        return connection

    async def give(self, key: str, target: str = "/") -> ClientConnection:
        connection = await self.used(target)
        await self.pool.give_back(key, connection)
        return connection


@pytest.fixture
async def pooled(nursery: trio.Nursery) -> AsyncIterator[Pooled]:
    listeners = await listen_on("127.0.0.1", 0)
    await nursery.start(partial(serve_listeners, listeners, serve_one))
    made = Pooled(listeners[0].getsockname()[1])
    yield made
    await made.pool.aclose()
    assert len(made.pool) == 0


def is_open(connection: ClientConnection) -> bool:
    return connection.stream.quiet


async def test_the_one_used_last_comes_first_and_only_for_its_key(pooled: Pooled) -> None:
    first, second = await pooled.give("a"), await pooled.give("a")
    assert await pooled.pool.take("b") is None
    assert await pooled.pool.take("a") is second
    assert await pooled.pool.take("a") is first
    assert await pooled.pool.take("a") is None
    await first.aclose()
    await second.aclose()


async def test_a_server_that_closes_after_each_message_is_not_kept(pooled: Pooled) -> None:
    closed = await pooled.give("a", "/close")
    assert len(pooled.pool) == 0
    assert not is_open(closed)


async def test_one_is_kept_for_its_time_and_no_longer(pooled: Pooled) -> None:
    kept = await pooled.give("a")
    pooled.clock.advance(9)
    assert await pooled.pool.take("a") is kept
    await pooled.pool.give_back("a", kept)
    pooled.clock.advance(10)
    assert await pooled.pool.take("a") is None
    assert not is_open(kept)


async def test_what_nobody_asks_for_any_more_is_closed_in_time(pooled: Pooled) -> None:
    forgotten = await pooled.give("forgotten")
    pooled.clock.advance(10)
    await pooled.give("a")
    assert not is_open(forgotten)
    assert len(pooled.pool) == 1


async def test_one_key_has_a_limit(pooled: Pooled) -> None:
    await pooled.give("a")
    await pooled.give("a")
    third = await pooled.give("a")
    assert not is_open(third)
    assert len(pooled.pool) == 2


async def test_all_keys_have_a_limit_and_the_oldest_goes(pooled: Pooled) -> None:
    given = [await pooled.give(key) for key in ("a", "b", "a", "b")]
    assert [is_open(connection) for connection in given] == [False, True, True, True]
    assert await pooled.pool.take("a") is given[2]
    await given[2].aclose()
