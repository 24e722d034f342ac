"""Keeps logged messages timestamped.

The rule: at each round everything without a timestamp is stamped, oldest first, as many to a token
as may be; services are tried in order and the first good answer counts. A round that failed changes
nothing and is repeated; messages go on meanwhile (messagelog 3).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import trio

from xgate.cell import Cell
from xgate.errors import Fault
from xgate.keepers.ocsp import Post
from xgate.keepers.report import Report
from xgate.messagelog.store import LogStore
from xgate.messagelog.timestamping import fulfil, write_order
from xgate.net.errors import NetError
from xgate.policy.world import World

__all__ = ["keep_timestamps", "stamp_waiting"]

_QUERY_TYPE = "application/timestamp-query"


async def keep_timestamps(
    store: LogStore,
    world: Cell[World],
    services: Callable[[], Sequence[str]],
    interval: Callable[[], float],
    batch: int,
    post: Post,
    report: Report,
) -> None:
    """Stamp what waits every ``interval()`` seconds, for ever.

    :param services: URLs in order of preference.
    :param batch: how many records one token may cover; after a full batch the next follows at once.
    """
    while True:
        while await stamp_waiting(store, world.value, services(), batch, post, report) == batch:
            pass
        await trio.sleep(interval())


async def stamp_waiting(
    store: LogStore,
    world: World,
    services: Sequence[str],
    batch: int,
    post: Post,
    report: Report,
) -> int:
    """Stamp the oldest waiting records with one token; how many were stamped."""
    waiting = await trio.to_thread.run_sync(store.unstamped, batch)
    if not waiting:
        return 0
    order = await trio.to_thread.run_sync(write_order, waiting)
    for url in services:
        try:
            answer = await post(url, order.request, _QUERY_TYPE)
            await trio.to_thread.run_sync(fulfil, order, answer, world.globalconf, store)
        except (Fault, NetError) as error:
            report("timestamping failed", url=url, waiting=len(waiting), cause=str(error))
            continue
        report("timestamped", url=url, records=len(waiting))
        return len(waiting)
    if not services:
        report("timestamping failed", waiting=len(waiting), cause="no timestamping service known")
    return 0
