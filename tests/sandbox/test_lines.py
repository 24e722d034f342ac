"""Waiting for a line of a log, never for a time."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from xgate.sandbox.lines import Lines


def say(lines: Lines, text: str) -> None:
    lines.write(text.encode() + b"\n")


async def test_a_line_that_is_there_is_found_at_once() -> None:
    lines = Lines()
    say(lines, '{"event":"a","n":1}')
    say(lines, '{"event":"a","n":2}')
    assert (await lines.wait("a"))["n"] == 1
    assert (await lines.wait("a", n=2))["n"] == 2
    assert (await lines.wait("a", since=1))["n"] == 2
    assert [line["n"] for line in lines] == [1, 2]
    assert len(lines) == 2


async def test_a_line_that_comes_later_wakes_who_waits() -> None:
    lines = Lines()
    found = []

    async def wait() -> None:
        found.append(await lines.wait("late", timeout=30))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        say(lines, '{"event":"early"}')
        say(lines, '{"event":"late"}')
    assert found == [{"event": "late"}]


async def test_a_line_that_never_comes_is_an_error_that_names_it() -> None:
    with pytest.raises(TimeoutError, match="never"):
        await Lines().wait("never", timeout=0.01)
