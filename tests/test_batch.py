"""Work gathers while a call runs; failures, cancellation and closing reach the right tasks."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

from xgate.batch import BatchClosedError, Batcher


def double(items: list[int]) -> list[int | Exception]:
    return [2 * item for item in items]


class Gate:
    """Work in a thread that reports each call and then waits until the test lets it go."""

    def __init__(self) -> None:
        self.calls: list[list[int]] = []
        self.begun = threading.Semaphore(0)
        self.go = threading.Semaphore(0)

    def work(self, items: list[int]) -> Sequence[int | Exception]:
        self.calls.append(items)
        self.begun.release()
        self.go.acquire()
        return double(items)

    async def wait_begun(self) -> None:
        await trio.to_thread.run_sync(self.begun.acquire)


async def test_one_item_is_worked_on_at_once() -> None:
    batcher = Batcher(double, cap=8, in_thread=False)
    async with trio.open_nursery() as nursery:
        await nursery.start(batcher.run)
        assert await batcher.submit(21) == 42
        batcher.close()
    assert batcher.sizes == Counter({1: 1})


async def test_what_arrives_during_a_call_becomes_the_next_call() -> None:
    gate = Gate()
    batcher = Batcher(gate.work, cap=3, in_thread=True)
    answers: dict[int, int] = {}

    async def ask(item: int) -> None:
        answers[item] = await batcher.submit(item)

    async with trio.open_nursery() as nursery:
        await nursery.start(batcher.run)
        nursery.start_soon(ask, 0)
        await gate.wait_begun()
        for item in range(1, 6):
            nursery.start_soon(ask, item)
            await wait_all_tasks_blocked()
        gate.go.release(3)
        await wait_all_tasks_blocked()
        batcher.close()
    assert gate.calls == [[0], [1, 2, 3], [4, 5]]
    assert answers == {item: 2 * item for item in range(6)}
    assert batcher.sizes == Counter({1: 1, 2: 1, 3: 1})


async def test_a_submitter_that_is_cancelled_takes_its_item_back() -> None:
    gate = Gate()
    batcher = Batcher(gate.work, cap=3, in_thread=True)
    async with trio.open_nursery() as nursery:
        await nursery.start(batcher.run)
        nursery.start_soon(batcher.submit, 0)
        await gate.wait_begun()
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as inner:
                inner.start_soon(batcher.submit, 1)
                await wait_all_tasks_blocked()
                scope.cancel()
        nursery.start_soon(batcher.submit, 2)
        await wait_all_tasks_blocked()
        batcher.close()
        gate.go.release(2)
    assert gate.calls == [[0], [2]]


async def test_a_submitter_that_leaves_during_its_call_disturbs_nobody() -> None:
    gate = Gate()
    batcher = Batcher(gate.work, cap=3, in_thread=True)
    async with trio.open_nursery() as nursery:
        await nursery.start(batcher.run)
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as inner:
                inner.start_soon(batcher.submit, 1)
                await gate.wait_begun()
                scope.cancel()
        gate.go.release(2)
        assert await batcher.submit(2) == 4
        batcher.close()


async def test_one_bad_item_fails_alone_and_a_broken_call_fails_for_all_of_it() -> None:
    def work(items: list[int]) -> list[int | Exception]:
        if 13 in items:
            raise RuntimeError("the token was pulled out")
        return [ValueError("negative") if item < 0 else item for item in items]

    batcher = Batcher(work, cap=8, in_thread=False)
    outcomes: dict[int, str] = {}

    async def ask(item: int) -> None:
        try:
            outcomes[item] = str(await batcher.submit(item))
        except (ValueError, RuntimeError) as error:
            outcomes[item] = str(error)

    async with trio.open_nursery() as nursery:
        await nursery.start(batcher.run)
        async with trio.open_nursery() as first:
            first.start_soon(ask, 1)
            first.start_soon(ask, -1)
        async with trio.open_nursery() as second:
            second.start_soon(ask, 13)
            second.start_soon(ask, 14)
        assert await batcher.submit(5) == 5
        batcher.close()
    broken = "the token was pulled out"
    assert outcomes == {1: "1", -1: "negative", 13: broken, 14: broken}


async def test_work_that_returns_too_few_results_is_an_error_not_a_mixup() -> None:
    batcher: Batcher[int, int] = Batcher(lambda items: items[1:], cap=8, in_thread=False)
    async with trio.open_nursery() as nursery:
        await nursery.start(batcher.run)
        with pytest.raises(RuntimeError, match="0 results for 1 items"):
            await batcher.submit(1)
        batcher.close()


async def test_closing_refuses_new_items_and_finishes_the_queued() -> None:
    gate = Gate()
    batcher = Batcher(gate.work, cap=1, in_thread=True)
    answers: list[int] = []

    async def ask(item: int) -> None:
        answers.append(await batcher.submit(item))

    async with trio.open_nursery() as nursery:
        await nursery.start(batcher.run)
        nursery.start_soon(ask, 1)
        await gate.wait_begun()
        nursery.start_soon(ask, 2)
        await wait_all_tasks_blocked()
        batcher.close()
        with pytest.raises(BatchClosedError):
            await batcher.submit(3)
        gate.go.release(2)
    assert answers == [2, 4]


async def test_a_cancelled_batcher_delivers_what_ran_and_frees_who_waits() -> None:
    gate = Gate()
    batcher = Batcher(gate.work, cap=1, in_thread=True)
    heard: list[object] = []

    async def ask(item: int) -> None:
        try:
            heard.append(await batcher.submit(item))
        except BatchClosedError:
            heard.append("closed")

    async with trio.open_nursery() as outer, trio.open_nursery() as nursery:
        await nursery.start(batcher.run)
        outer.start_soon(ask, 1)
        await gate.wait_begun()
        outer.start_soon(ask, 2)
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
        gate.go.release(2)
    assert heard == [2, "closed"]
    with pytest.raises(BatchClosedError):
        await batcher.submit(3)


@settings(max_examples=30, deadline=None)
@given(items=st.lists(st.integers(), max_size=40), cap=st.integers(1, 8), thread=st.booleans())
def test_every_item_gets_its_own_result_in_batches_no_larger_than_the_cap(
    items: list[int], cap: int, thread: bool
) -> None:
    batcher = Batcher(double, cap=cap, in_thread=thread)
    answers: list[tuple[int, int]] = []

    async def ask(item: int) -> None:
        answers.append((item, await batcher.submit(item)))

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            await nursery.start(batcher.run)
            async with trio.open_nursery() as askers:
                for item in items:
                    askers.start_soon(ask, item)
            batcher.close()

    trio.run(main)
    assert sorted(answers) == sorted((item, 2 * item) for item in items)
    assert sum(size * count for size, count in batcher.sizes.items()) == len(items)
    assert max(batcher.sizes, default=1) <= cap


def test_a_batch_of_none_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Batcher(double, cap=0, in_thread=False)


async def test_the_delay_is_that_of_the_oldest_item_which_still_waits(
    mock_clock: MockClock,
) -> None:
    gate = Gate()
    batcher = Batcher(gate.work, cap=1, in_thread=True)
    assert batcher.delay == 0
    async with trio.open_nursery() as nursery:
        await nursery.start(batcher.run)
        nursery.start_soon(batcher.submit, 0)
        await gate.wait_begun()
        mock_clock.jump(3)
        nursery.start_soon(batcher.submit, 1)
        await wait_all_tasks_blocked()
        mock_clock.jump(2)
        assert batcher.delay == 5
        gate.go.release()
        await gate.wait_begun()
        assert batcher.delay == 2
        gate.go.release()
        await wait_all_tasks_blocked()
        batcher.close()
    assert batcher.delay == 0
