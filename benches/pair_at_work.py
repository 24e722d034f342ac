"""A country whose two security servers are processes, for as long as a block lasts.

The rule: the authorities and the provider's service run beside the benchmark, in its process; the
servers run as users run them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import trio

from xgate.clock import SystemClock
from xgate.sandbox.country import Country
from xgate.sandbox.pair import Handler, ServerProcess, serve_surroundings, start_process

__all__ = ["at_work"]


@asynccontextmanager
async def at_work(country: Country, services: Handler) -> AsyncIterator[list[ServerProcess]]:
    """Consumer's and provider's server, in this order; they drain at the end.

    :raises NetError: one did not start.
    """
    started: list[ServerProcess] = []
    async with trio.open_nursery() as nursery:
        surroundings = partial(serve_surroundings, country, SystemClock(), services=services)
        await nursery.start(surroundings)
        try:
            for place in country.places:
                server = await start_process(place)
                started.append(server)  # those that run are stopped
            yield started
        finally:
            with trio.CancelScope(shield=True):
                for server in started:
                    await server.stop()
            nursery.cancel_scope.cancel()
