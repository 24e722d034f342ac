"""The one-way switch: the idle go home at once, whoever comes late does not settle down."""

from __future__ import annotations

import math

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from xgate.net.drain import Drain


async def test_the_idle_are_sent_home_when_the_drain_starts() -> None:
    drain = Drain()
    home: list[int] = []

    async def idle(number: int) -> None:
        with drain.idle() as scope:
            await trio.sleep(math.inf)
        assert scope.cancelled_caught
        home.append(number)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(idle, 1)
        nursery.start_soon(idle, 2)
        nursery.start_soon(drain.wait)
        await wait_all_tasks_blocked()
        assert home == []
        drain.start()
    assert drain.started
    assert sorted(home) == [1, 2]
    await idle(3)
    assert sorted(home) == [1, 2, 3]


async def test_being_idle_has_its_own_deadline(autojump_clock: MockClock) -> None:
    drain = Drain()
    with drain.idle(trio.current_time() + 9) as scope:
        await trio.sleep(math.inf)
    assert scope.cancelled_caught
    assert trio.current_time() == 9


async def test_who_has_work_is_left_alone() -> None:
    drain = Drain()
    with drain.idle() as scope:
        pass
    drain.start()
    await trio.lowlevel.checkpoint()
    assert not scope.cancel_called
