"""Stores operational records as they gather, and deletes old ones.

The rule: every few seconds, or as soon as a batch has gathered, off the loop; what cannot be stored
waits for the next time, and the message that it is about was never held up (monitoring 2).
"""

from __future__ import annotations

from functools import partial

import trio

from xgate.clock import Clock
from xgate.keepers.report import Report, cause_of
from xgate.opmonitor.buffer import OperationalBuffer
from xgate.opmonitor.store import OperationalStore

__all__ = ["keep_opdata", "store_waiting"]

_SECONDS = 5.0
_BATCH = 1000
_CLEAN_EVERY = 12 * 3600.0
_DAY = 86_400


async def keep_opdata(
    buffer: OperationalBuffer,
    store: OperationalStore,
    keep_days: int,
    clock: Clock,
    report: Report,
) -> None:
    """Store what waits, for ever; what still waits at the end is stored on the way out."""
    cleaned, dropped = -_CLEAN_EVERY, 0
    try:
        while True:
            if clock.monotonic() - cleaned >= _CLEAN_EVERY:
                cleaned = clock.monotonic()
                await _clean(store, int(clock.now().timestamp()) - keep_days * _DAY, report)
            await trio.sleep(_SECONDS)
            await store_waiting(buffer, store, clock, report)
            if buffer.dropped > dropped:
                report("operational records dropped", records=buffer.dropped - dropped)
                dropped = buffer.dropped
    finally:
        with trio.CancelScope(shield=True, deadline=trio.current_time() + _SECONDS):
            await store_waiting(buffer, store, clock, report)


async def store_waiting(
    buffer: OperationalBuffer, store: OperationalStore, clock: Clock, report: Report
) -> None:
    """Store all that waits, or put back what could not be stored."""
    while batch := buffer.next(_BATCH):
        append = partial(store.append, batch, int(clock.now().timestamp()))
        try:
            await trio.to_thread.run_sync(append)
        except OSError as error:
            buffer.put_back(batch)
            report("operational records not stored", cause=cause_of(error), waiting=len(buffer))
            return
        except BaseException:
            buffer.put_back(batch)
            raise


async def _clean(store: OperationalStore, before: int, report: Report) -> None:
    try:
        gone = await trio.to_thread.run_sync(store.clean, before)
    except OSError as error:
        report("operational records not cleaned", cause=cause_of(error))
    else:
        if gone:
            report("operational records cleaned", records=gone)
