"""Many callers, one call: signing, logging and timestamping share this.

The rule: while one call runs, what arrives gathers and becomes the next call. No timer: an idle
batcher adds no delay, and load makes the batches.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import outcome
import trio

__all__ = ["BatchClosedError", "Batcher"]

T = TypeVar("T")
R = TypeVar("R")


class BatchClosedError(Exception):
    """The batcher takes no more work, or ended before it came to this item."""


class _Slot(Generic[T]):
    """One item and the task that waits for its result; ``task`` is None once nobody waits."""

    __slots__ = ("item", "since", "task")

    def __init__(self, item: T, task: trio.lowlevel.Task) -> None:
        self.item = item
        self.since = trio.current_time()
        self.task: trio.lowlevel.Task | None = task


class Batcher(Generic[T, R]):
    """Gathers items from many tasks and hands them to ``work`` in batches, in order of arrival.

    :param work: called with 1 to ``cap`` items; returns one result per item, in order. A result
        that is an ``Exception`` is raised to its submitter; an exception that ``work`` raises goes
        to every submitter of that call.
    :param cap: most items of one call.
    :param in_thread: call ``work`` in a worker thread, one call at a time; otherwise on the loop,
        which is for work of microseconds only.
    """

    def __init__(
        self, work: Callable[[list[T]], Sequence[R | Exception]], cap: int, in_thread: bool
    ) -> None:
        if cap < 1:
            raise ValueError("a batch holds at least one item")
        self._work = work
        self._cap = cap
        self._in_thread = in_thread
        self._queue: deque[_Slot[T]] = deque()
        self._arrived = trio.Event()
        self._closed = False
        self._oldest: float | None = None  # of the call that runs
        self.sizes: Counter[int] = Counter()
        """How many calls there were of each batch size."""

    async def submit(self, item: T) -> R:
        """Have one item worked on and return its result.

        A submitter that is cancelled takes its item back if no call has taken it yet; otherwise
        the work is done and its result is dropped.

        :raises BatchClosedError: the batcher was closed, or ended before it took the item.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        if self._closed:
            raise BatchClosedError("no more work is taken: shutting down")
        slot = _Slot(item, trio.lowlevel.current_task())
        self._queue.append(slot)
        self._arrived.set()

        def abandon(_: object) -> trio.lowlevel.Abort:
            slot.task = None
            return trio.lowlevel.Abort.SUCCEEDED

        result: R = await trio.lowlevel.wait_task_rescheduled(abandon)
        return result

    @property
    def delay(self) -> float:
        """Seconds since when the oldest item waits for its result; 0 without one."""
        oldest = self._oldest
        if oldest is None:
            oldest = next((slot.since for slot in self._queue if slot.task is not None), None)
        return 0.0 if oldest is None else trio.current_time() - oldest

    def close(self) -> None:
        """Refuse new items; ``run`` returns when the queued ones are done."""
        self._closed = True
        self._arrived.set()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Work until ``close`` was called and the queue is empty. One task of the caller's nursery.

        When it is cancelled, a call that runs in a thread is waited for and its results are
        delivered; whatever is still queued then gets a ``BatchClosedError``.
        """
        task_status.started()
        try:
            while await self._wait_for_work():
                await self._call(self._take())  # held by nobody once it is done
        finally:
            self._closed = True
            error = BatchClosedError("shut down before this work was begun")
            while self._queue:
                _settle(self._queue.popleft(), outcome.Error(error))

    async def _wait_for_work(self) -> bool:
        """True when there is something to take, False when there never will be again."""
        # One turn of the loop also lets every task that is ready join this batch.
        await trio.lowlevel.checkpoint()
        while not self._queue:
            if self._closed:
                return False
            self._arrived = trio.Event()
            await self._arrived.wait()
        return True

    def _take(self) -> list[_Slot[T]]:
        batch: list[_Slot[T]] = []
        while self._queue and len(batch) < self._cap:
            slot = self._queue.popleft()
            if slot.task is not None:
                batch.append(slot)
        return batch

    async def _call(self, batch: list[_Slot[T]]) -> None:
        if not batch:
            return
        self.sizes[len(batch)] += 1
        self._oldest = batch[0].since
        items = [slot.item for slot in batch]
        try:
            if self._in_thread:
                results = await trio.to_thread.run_sync(self._work, items)
            else:
                results = self._work(items)
            if len(results) != len(batch):
                raise RuntimeError(f"{len(results)} results for {len(batch)} items")
        except Exception as error:  # noqa: BLE001 - it belongs to the submitters, not to this task
            results = [error] * len(batch)
        except BaseException:
            for slot in batch:
                _settle(slot, outcome.Error(BatchClosedError("shut down during this work")))
            raise
        finally:
            self._oldest = None
        for slot, result in zip(batch, results, strict=True):
            if isinstance(result, Exception):
                _settle(slot, outcome.Error(result))
            else:
                _settle(slot, outcome.Value(result))


def _settle(slot: _Slot[T], result: outcome.Outcome[object]) -> None:
    """Wake the submitter, unless it has gone."""
    task, slot.task = slot.task, None
    if task is not None:
        trio.lowlevel.reschedule(task, result)
