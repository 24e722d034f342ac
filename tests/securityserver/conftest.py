"""Real HTTP on loopback for the corridors' pieces: a server of any handler, and a client to it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

import pytest
import trio

from xgate.clock import SystemClock
from xgate.net.listen import listen_on, serve_listeners
from xgate.net.server import Exchange, ServerLimits, serve_connection

Handler = Callable[[Exchange], Awaitable[None]]
Serve = Callable[[Handler], Awaitable[int]]


@pytest.fixture
def serve(nursery: trio.Nursery) -> Serve:
    """Serve a handler on 127.0.0.1; the port."""

    async def start(handler: Handler) -> int:
        listeners = await listen_on("127.0.0.1", 0)
        connection = partial(
            serve_connection, handler=handler, limits=ServerLimits(), clock=SystemClock()
        )
        await nursery.start(partial(serve_listeners, listeners, connection))
        port: int = listeners[0].getsockname()[1]
        return port

    return start
