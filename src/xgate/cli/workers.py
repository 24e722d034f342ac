"""Work that can be done by many processes: each item by itself, results in the items' order.

The rule: a process has its own tool, made once; an item goes to it by pickling. What is on its way
is bounded, by number and by size, so that any number of items takes the same memory. For few items
no process is started: that takes longer than the work.
"""

from __future__ import annotations

import os
import signal
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import chain, islice
from multiprocessing import get_context
from typing import Any, TypeVar

from xgate.errors import Fault

__all__ = ["in_order", "processor_count"]

Tool = TypeVar("Tool")
T = TypeVar("T")
R = TypeVar("R")

_FEW = 48
_AHEAD = 4  # items for each process that wait for it
_MOST_HELD = 256 << 20
_tool: Any = None


def processor_count() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def in_order(
    items: Iterable[T],
    work: Callable[[Tool, T], R],
    make_tool: Callable[[], Tool],
    *,
    size: Callable[[T], int],
    here: Tool | None = None,
    few: int = _FEW,
    processes: int | None = None,
) -> Generator[R, None, None]:
    """``work(tool, item)`` for each item; in this process if there are few.

    :param work: a function of a module; a ``Fault`` or ``Unusable`` it raises ends all.
    :param make_tool: likewise, or a ``partial`` of one; called once in each process.
    :param size: octets that an item takes in memory.
    :param here: the tool of this process, if it has one already.
    :param few: up to how many items are few. :param processes: how many; None: one per processor.
    :raises Fault: ``internal_error`` when a process has died.
    """
    count = processor_count() if processes is None else processes
    rest = iter(items)
    first = list(islice(rest, few + 1)) if count > 1 else []
    if count < 2 or len(first) <= few:
        tool = make_tool() if here is None else here
        for item in chain(first, rest):
            yield work(tool, item)
        return
    context = get_context("spawn")  # a fork would take over locks that are held at that moment
    pool = ProcessPoolExecutor(count, context, initializer=_begin, initargs=(make_tool,))
    try:
        yield from _spread(pool, chain(first, rest), work, size, count * _AHEAD)
    except BrokenProcessPool:
        raise Fault("internal_error", "A process that had a part of the work has died") from None
    finally:
        pool.shutdown(cancel_futures=True)


def _spread(
    pool: ProcessPoolExecutor,
    items: Iterable[T],
    work: Callable[[Tool, T], R],
    size: Callable[[T], int],
    most: int,
) -> Iterator[R]:
    waiting: deque[tuple[Future[R], int]] = deque()
    held = 0
    for item in items:
        weight = size(item)
        while waiting and (len(waiting) >= most or held + weight > _MOST_HELD):
            future, lighter = waiting.popleft()
            held -= lighter
            yield future.result()
        waiting.append((pool.submit(_work, work, item), weight))
        held += weight
    while waiting:
        yield waiting.popleft()[0].result()


def _begin(make_tool: Callable[[], object]) -> None:
    global _tool  # a process of the pool has nothing else to keep it in
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the one who started us stops us
    _tool = make_tool()


def _work(work: Callable[[Any, T], R], item: T) -> R:
    return work(_tool, item)
