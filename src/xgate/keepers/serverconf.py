"""Keeps this server's own configuration as it was applied last.

The rule: read off the loop and put in place whole, between messages: those that run keep the one
they began with. One that cannot be read, or a store that is away, leaves the old one in place.
"""

from __future__ import annotations

from collections.abc import Callable

import trio

from xgate.cell import Cell
from xgate.keepers.report import Report, cause_of
from xgate.policy.world import World
from xgate.serverconf.model import ServerConf

__all__ = ["keep_serverconf"]


async def keep_serverconf(
    world: Cell[World], load: Callable[[], ServerConf], interval: float, report: Report
) -> None:
    """Look for a change every ``interval`` seconds, for ever.

    :param load: runs in a thread; gives the same value when nothing has changed.
    """
    told: str | None = None
    while True:
        await trio.sleep(interval)
        try:
            conf = await trio.to_thread.run_sync(load)
        except Exception as error:  # noqa: BLE001  whatever it is, the old one stays in place
            cause = cause_of(error)
            if cause != told:  # once, and not every few seconds
                report("server configuration not refreshed", cause=cause)
            told = cause
            continue
        told = None
        if conf is not world.value.serverconf:
            world.set(World(world.value.globalconf, conf))
            report("server configuration refreshed", clients=len(conf.clients))
