"""Reading and writing of large documents beside the event loop.

The rule: a small document is read where it came in; a large one in a thread, so that a message made
to be slow to parse holds up no other. These threads are few and their own: those that sign and log
never wait behind them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

import trio

__all__ = ["read_aside", "work_aside"]

T = TypeVar("T")

_INLINE = 256 * 1024  # octets that take milliseconds at the worst
_THREADS = 2
_LIMITER: trio.lowlevel.RunVar[trio.CapacityLimiter] = trio.lowlevel.RunVar("readers aside")


async def read_aside(octets: bytes, read: Callable[[bytes], T]) -> T:
    """``read(octets)``; a cancelled caller does not wait for the thread. Errors as ``read``."""
    if len(octets) <= _INLINE:
        return read(octets)
    return await work_aside(partial(read, octets))


async def work_aside(work: Callable[[], T]) -> T:
    """``work()`` in one of these threads; a cancelled caller does not wait for it."""
    return await trio.to_thread.run_sync(work, abandon_on_cancel=True, limiter=_limiter())


def _limiter() -> trio.CapacityLimiter:
    try:
        return _LIMITER.get()
    except LookupError:
        limiter = trio.CapacityLimiter(_THREADS)
        _LIMITER.set(limiter)
        return limiter
