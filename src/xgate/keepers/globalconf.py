"""Keeps the global configuration fresh.

The rule: a new configuration is loaded and verified off the loop and put in place whole; a source
that fails leaves the old one in place, which expires by its own date (globalconf 8).
"""

from __future__ import annotations

from collections.abc import Callable

import trio

from xgate.cell import Cell
from xgate.clock import Clock
from xgate.globalconf.conf import GlobalConf
from xgate.keepers.pace import spread
from xgate.keepers.report import Report, cause_of
from xgate.policy.world import World

__all__ = ["keep_globalconf"]

_PATIENCE = 600.0  # seconds: more than all places of an anchor take that do not answer


async def keep_globalconf(
    world: Cell[World],
    load: Callable[[], GlobalConf],
    interval: float,
    clock: Clock,
    report: Report,
) -> None:
    """Load again every ``interval`` seconds or a little sooner, for ever.

    :param load: reads and verifies, in a thread; gives the same value when nothing has changed;
        raises when there is nothing usable. One that never comes back is given up for a while.
    """
    one_at_a_time = trio.CapacityLimiter(1)
    _warn(world.value.globalconf, report)
    while True:
        await trio.sleep(spread(interval))
        conf = await _load(load, one_at_a_time, report)
        # Partners expire also while the source is away (federation 3, "Expiry").
        conf = (conf or world.value.globalconf).without_expired(clock.now())
        if conf is not world.value.globalconf:
            world.set(World(conf, world.value.serverconf))
            report("global configuration refreshed", instance=conf.own)
            _warn(conf, report)


def _warn(conf: GlobalConf, report: Report) -> None:
    for warning in conf.warnings:
        report("global configuration warns", text=warning)


async def _load(
    load: Callable[[], GlobalConf], limiter: trio.CapacityLimiter, report: Report
) -> GlobalConf | None:
    """What is loaded now; None, and a report of the cause, when there is nothing."""
    cause = f"the source did not answer in {_PATIENCE:g} s"
    with trio.move_on_after(_PATIENCE):
        try:
            return await trio.to_thread.run_sync(load, abandon_on_cancel=True, limiter=limiter)
        except Exception as error:  # noqa: BLE001  whatever it is, the old one stays in place
            cause = cause_of(error)
    report("global configuration not refreshed", cause=cause)
    return None
