"""Keeps logged messages timestamped.

The rule: at each round everything without a timestamp is stamped, oldest first, as many to a token
as may be; a round that filled its token is followed by the next at once. A round that failed
changes nothing but begins an outage, in which one record at a time is tried, and sooner; success
ends it and everything that waits is stamped at once (messagelog 3). Of several processes on one
log, one stamps at a time.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, timedelta

import trio

from xgate.clock import Clock
from xgate.keepers.pace import spread
from xgate.keepers.report import Report, cause_of
from xgate.keepers.stamper import Stamper
from xgate.messagelog.backlog import Backlog
from xgate.messagelog.outage import Outage
from xgate.messagelog.store import LogStore

__all__ = ["keep_timestamps"]

_RETRY = 60.0
_OTHERS_TURN = 5.0  # until it is seen whether another process has ended its round


async def keep_timestamps(
    stamper: Stamper,
    interval: Callable[[], float],
    batch: int,
    outage: Outage,
    backlog: Backlog,
    clock: Clock,
    report: Report,
    *,
    retry: float = _RETRY,
    leftovers: bool = False,
) -> None:
    """Stamp what waits every ``interval()`` seconds, or when the backlog says so, for ever.

    :param batch: how many records one token may cover.
    :param outage: told of every failure and success.
    :param backlog: told by the log of every record.
    :param retry: seconds to the next try during an outage, if the interval is not shorter.
    :param leftovers: every record is stamped when it is logged: after the first round there is one
        only if that failed for some.
    """
    warning = _Warning(report)
    while True:
        limit = 1 if outage.lasting else batch
        taken = backlog.take()
        try:
            pause = interval()
            stamped = await _stamp_alone(stamper, limit)
        except Exception as error:  # noqa: BLE001  whatever it is, it is tried again
            backlog.put_back(taken)
            outage.begin()
            report("timestamping failed", cause=cause_of(error), seconds=round(outage.seconds))
            pause = spread(_retry_pause(interval, retry))
            warning.check(backlog, clock, pause)
            await backlog.wait_due(pause, early=False)
            continue
        if stamped is None:
            backlog.put_back(taken)
            await backlog.wait_due(min(pause, _OTHERS_TURN), early=False)
            continue
        recovered = outage.lasting
        outage.end()
        warning.reset()
        if stamped == limit or recovered:
            backlog.put_back(taken)
            continue
        await backlog.wait_due(pause)
        while leftovers and not backlog.pending.records:
            await backlog.wait_due(pause)


class _Warning:
    """Tells once in an outage that waiting records may never become evidence."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._told = False

    def check(self, backlog: Backlog, clock: Clock, pause: float) -> None:
        """Whether the next try may come too late for the OCSP responses in the signatures."""
        by = backlog.pending.stamp_by
        if self._told or by is None or clock.now() + timedelta(seconds=pause) < by:
            return
        self._told = True
        self._report(
            "evidence in danger",
            stamp_by=by.astimezone(UTC).isoformat(timespec="seconds"),
            cause="a timestamp that comes later than OCSP responses are fresh proves nothing",
        )

    def reset(self) -> None:
        self._told = False


async def _stamp_alone(stamper: Stamper, limit: int) -> int | None:
    """How many records were stamped; None when another process is at it."""
    async with _alone(stamper.store) as mine:
        return await stamper.stamp_oldest(limit) if mine else None


@asynccontextmanager
async def _alone(store: LogStore) -> AsyncIterator[bool]:
    turn = store.alone("timestamper")
    mine = await trio.to_thread.run_sync(turn.__enter__)
    try:
        yield mine
    finally:
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(turn.__exit__, None, None, None)


def _retry_pause(interval: Callable[[], float], retry: float) -> float:
    try:
        return min(retry, interval())
    except Exception:  # noqa: BLE001  the configuration that would say it is not there
        return retry
