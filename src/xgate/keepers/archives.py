"""Keeps the log archived, and what is archived and old enough out of the log.

The rule: at each round everything that was stamped when it began is archived, one archive after the
other, and then the old is deleted. The work is done in a thread that rests as long as it has
worked, so messages come first on a machine that has no core to spare. A round that failed is
tried again, sooner; what it has done stays done (messagelog 4 and 5).
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence
from datetime import timedelta

import msgspec
import trio

from xgate.clock import Clock
from xgate.keepers.report import Report, cause_of
from xgate.messagelog.archiver import Archiver, clean_archived
from xgate.messagelog.store import LogStore

__all__ = ["ArchivePlan", "archive_round", "keep_archives"]

_LONGEST_REST = 0.05  # seconds


class ArchivePlan(msgspec.Struct, frozen=True):
    """When and how.

    :param interval: seconds between rounds. :param retry: after one that failed, if sooner.
    :param keep: how long records stay in the log, archived or not.
    :param clean_batch: how many records one transaction deletes.
    :param transfer: a command to run after each archive; empty: none.
    :param transfer_seconds: that it may take.
    """

    interval: float = 21_600.0
    retry: float = 60.0
    keep: timedelta = timedelta(days=30)
    clean_batch: int = 1_000
    transfer: Sequence[str] = ()
    transfer_seconds: float = 3_600.0


async def keep_archives(
    archiver: Archiver, store: LogStore, clock: Clock, plan: ArchivePlan, report: Report
) -> None:
    """Archive and clean, first at once and then every ``plan.interval`` seconds, for ever."""
    while True:
        try:
            await archive_round(archiver, store, clock, plan, report)
        except Exception as error:  # noqa: BLE001  whatever it is, it is tried again
            report("archiving failed", cause=cause_of(error))
            await trio.sleep(min(plan.retry, plan.interval))
            continue
        await trio.sleep(plan.interval)


async def archive_round(
    archiver: Archiver, store: LogStore, clock: Clock, plan: ArchivePlan, report: Report
) -> None:
    """Archive what is stamped now, and delete what is old enough.

    :raises Fault, OSError, NetError: as ``Archiver.archive_next``, ``clean_archived``.
    """
    upto = await trio.to_thread.run_sync(store.newest_stamped)
    while done := await trio.to_thread.run_sync(archiver.archive_next, upto, _Rest()):
        report("archived", file=done.file_name, records=done.records, octets=done.size)
        if plan.transfer:
            await _transfer(plan, report)
    before = clock.now() - plan.keep
    cleaned = await trio.to_thread.run_sync(
        clean_archived, store, before, plan.clean_batch, _Rest()
    )
    if cleaned:
        report("log cleaned", records=cleaned)


class _Rest:
    """Called between two pieces of work: gives up when cancelled, else rests as long as it took."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def __call__(self) -> None:
        trio.from_thread.check_cancelled()
        time.sleep(min(time.monotonic() - self._began, _LONGEST_REST))
        self._began = time.monotonic()


async def _transfer(plan: ArchivePlan, report: Report) -> None:
    """Run the command; what comes of it is only told: it is run again after the next archive."""
    with trio.move_on_after(plan.transfer_seconds):
        try:
            done = await trio.run_process(
                plan.transfer,
                check=False,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        except OSError as error:
            report("archive transfer failed", cause=str(error))
            return
        if done.returncode:
            report("archive transfer failed", cause=f"exit code {done.returncode}")
        return
    report("archive transfer failed", cause=f"not done in {plan.transfer_seconds:g} s")
