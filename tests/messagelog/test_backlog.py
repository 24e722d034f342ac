"""When the next round of stamping must not wait."""

from __future__ import annotations

from datetime import timedelta

import pytest
import trio
from trio.testing import MockClock

from xgate.messagelog.backlog import Backlog, Pending
from xgate.testing.authority import NOW
from xgate.testing.outside import LoopClock

CLOCK = LoopClock()


def after(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)


async def waited(backlog: Backlog, pause: float, *, early: bool = True) -> float:
    began = trio.current_time()
    await backlog.wait_due(pause, early=early)
    return round(trio.current_time() - began, 3)


@pytest.fixture
def backlog() -> Backlog:
    return Backlog(3, CLOCK.now)


async def test_nothing_to_do_waits_for_the_whole_pause(
    backlog: Backlog, autojump_clock: MockClock
) -> None:
    assert await waited(backlog, 60) == 60
    backlog.add()
    backlog.add(NOW + after(10_000))
    assert await waited(backlog, 60) == 60
    assert await waited(backlog, 0) == 0


async def test_enough_for_a_token_ends_the_wait(
    backlog: Backlog, autojump_clock: MockClock
) -> None:
    async with trio.open_nursery() as nursery:

        async def log() -> None:
            for _ in range(3):
                await trio.sleep(2)
                backlog.add()

        nursery.start_soon(log)
        assert await waited(backlog, 60) == 6
    assert await waited(backlog, 60) == 0
    backlog.take()
    assert await waited(backlog, 60) == 60


async def test_the_first_that_grows_old_ends_it_half_a_minute_ahead(
    backlog: Backlog, autojump_clock: MockClock
) -> None:
    backlog.add(NOW + after(50))
    backlog.add(NOW + after(45))
    assert await waited(backlog, 60) == 15


async def test_one_that_comes_during_the_wait_counts(
    backlog: Backlog, autojump_clock: MockClock
) -> None:
    backlog.add(NOW + after(1000))
    async with trio.open_nursery() as nursery:

        async def log() -> None:
            await trio.sleep(20)
            backlog.add(NOW + after(60))

        nursery.start_soon(log)
        assert await waited(backlog, 60) == 30


async def test_old_responses_cannot_make_rounds_follow_each_other_at_once(
    backlog: Backlog, autojump_clock: MockClock
) -> None:
    backlog.add(NOW - after(3600))
    assert await waited(backlog, 60) == 5
    assert await waited(backlog, 2) == 2


async def test_an_outage_keeps_its_own_pace(backlog: Backlog, autojump_clock: MockClock) -> None:
    for _ in range(4):
        backlog.add(NOW)
    assert await waited(backlog, 60, early=False) == 60


def test_what_a_round_did_not_stamp_is_put_back(backlog: Backlog) -> None:
    backlog.add(NOW + after(5))
    backlog.add()
    taken = backlog.take()
    assert taken == Pending(2, NOW + after(5))
    assert backlog.pending == Pending()
    backlog.add(NOW + after(9))
    backlog.put_back(taken)
    assert backlog.pending == Pending(3, NOW + after(5))
