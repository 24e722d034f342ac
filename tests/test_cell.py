"""A cell wakes those who wait for a change, and none of them misses one."""

from __future__ import annotations

import trio
from trio.testing import wait_all_tasks_blocked

from xgate.cell import Cell


async def test_readers_see_the_newest_value_and_watchers_wake() -> None:
    cell = Cell("old")
    seen: list[str] = []

    async def watch() -> None:
        seen.append(await cell.wait_changed())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch)
        nursery.start_soon(watch)
        await wait_all_tasks_blocked()
        assert seen == []
        cell.set("new")
        assert cell.value == "new"
    assert seen == ["new", "new"]


async def test_a_watcher_that_was_busy_misses_no_change() -> None:
    cell = Cell(0)
    seen = cell.version
    cell.set(1)
    cell.set(2)
    assert await cell.wait_changed(since=seen) == 2
    with trio.move_on_after(0):
        await cell.wait_changed(since=cell.version)
        raise AssertionError("nothing has changed")


async def test_a_set_before_the_watcher_runs_again_is_not_lost() -> None:
    cell = Cell(0)
    async with trio.open_nursery() as nursery:

        async def watch() -> None:
            assert await cell.wait_changed() == 2

        nursery.start_soon(watch)
        await wait_all_tasks_blocked()
        cell.set(1)
        cell.set(2)


def test_a_cell_does_not_show_what_it_holds() -> None:
    assert "secret" not in repr(Cell("secret"))
