"""Keeps logged messages timestamped.

The rule: at each round everything without a timestamp is stamped, oldest first, as many to a token
as may be; services are tried in order and the first good answer counts. A round that failed changes
nothing but begins an outage, in which one record at a time is tried, and sooner; success ends it
and everything that waits is stamped at once (messagelog 3).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import trio

from xgate.cell import Cell
from xgate.clock import Clock
from xgate.errors import Fault
from xgate.keepers.ocsp import Post
from xgate.keepers.report import Report, cause_of
from xgate.messagelog.outage import Outage
from xgate.messagelog.store import LogStore, Waiting
from xgate.messagelog.timestamping import fulfil, write_order
from xgate.policy.world import World

__all__ = ["keep_timestamps", "stamp_records", "stamp_waiting"]

_QUERY_TYPE = "application/timestamp-query"
_RETRY = 60.0


async def keep_timestamps(
    store: LogStore,
    world: Cell[World],
    services: Callable[[], Sequence[str]],
    interval: Callable[[], float],
    batch: int,
    outage: Outage,
    clock: Clock,
    post: Post,
    report: Report,
    *,
    retry: float = _RETRY,
) -> None:
    """Stamp what waits every ``interval()`` seconds, for ever.

    :param services: URLs in order of preference.
    :param batch: how many records one token may cover; after a full batch the next follows at once.
    :param outage: told of every failure and success.
    :param retry: seconds to the next try during an outage, if the interval is not shorter.
    """
    pause = retry  # until an interval is known
    while True:
        limit = 1 if outage.lasting else batch
        try:
            pause = interval()
            urls = services()
            stamped = await stamp_waiting(store, world.value, urls, limit, clock, post, report)
        except Exception as error:  # noqa: BLE001  whatever it is, it is tried again
            outage.begin()
            report("timestamping failed", cause=cause_of(error))
            await trio.sleep(min(retry, pause))
            continue
        recovered = outage.lasting
        outage.end()
        if stamped < limit and not recovered:
            await trio.sleep(pause)


async def stamp_waiting(
    store: LogStore,
    world: World,
    services: Sequence[str],
    batch: int,
    clock: Clock,
    post: Post,
    report: Report,
) -> int:
    """Stamp the oldest waiting records with one token; how many there were.

    :raises Fault: ``global_conf_outdated``, ``mlog.no_timestamping_provider_found``,
        ``timestamping_failed`` when no service gave a good answer; as the store's.
    """
    waiting = await trio.to_thread.run_sync(store.unstamped, batch)
    if waiting:
        await stamp_records(waiting, store, world, services, clock, post, report)
    return len(waiting)


async def stamp_records(
    waiting: Sequence[Waiting],
    store: LogStore,
    world: World,
    services: Sequence[str],
    clock: Clock,
    post: Post,
    report: Report,
) -> None:
    """Stamp these records, at least one, with one token; errors as ``stamp_waiting``."""
    world.globalconf.check_valid(clock.now())
    if not services:
        raise Fault("mlog.no_timestamping_provider_found", "No timestamping service is known")
    order = await trio.to_thread.run_sync(write_order, waiting, store)
    for url in services:
        try:
            answer = await post(url, order.request, _QUERY_TYPE)
            await trio.to_thread.run_sync(fulfil, order, answer, world.globalconf, store)
        except Exception as error:  # noqa: BLE001  whatever a service does, the next is asked
            report("timestamp not obtained", url=url, cause=cause_of(error))
            continue
        report("timestamped", url=url, records=len(waiting))
        return
    raise Fault("timestamping_failed", f"{len(waiting)} records wait: no service has stamped them")
