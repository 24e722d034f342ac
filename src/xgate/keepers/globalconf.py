"""Keeps the global configuration fresh.

The rule: a new configuration is loaded and verified off the loop and put in place whole; a source
that fails leaves the old one in place, which expires by its own date (globalconf 8).
"""

from __future__ import annotations

from collections.abc import Callable

import trio

from xgate.cell import Cell
from xgate.globalconf.conf import GlobalConf
from xgate.keepers.report import Report, cause_of
from xgate.policy.world import World

__all__ = ["keep_globalconf"]


async def keep_globalconf(
    world: Cell[World], load: Callable[[], GlobalConf], interval: float, report: Report
) -> None:
    """Load again every ``interval`` seconds, for ever.

    :param load: reads and verifies, in a thread; gives the same value when nothing has changed;
        raises when there is nothing usable.
    """
    while True:
        await trio.sleep(interval)
        try:
            conf = await trio.to_thread.run_sync(load)
        except Exception as error:  # noqa: BLE001  whatever it is, the old one stays in place
            report("global configuration not refreshed", cause=cause_of(error))
            continue
        if conf is not world.value.globalconf:
            world.set(World(conf, world.value.serverconf))
            report("global configuration refreshed", instance=conf.own)
