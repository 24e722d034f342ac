"""Files that change under a running server are read anew, once they stand still."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from xgate.errors import Fault
from xgate.keepers.files import file_stamp, keep_files

Said = list[tuple[str, object]]


@asynccontextmanager
async def kept(paths: list[Path], renew: Callable[[], None]) -> AsyncIterator[Said]:
    said: Said = []

    def report(name: str, **fields: object) -> None:
        said.append((name, fields.get("cause")))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(keep_files, "names", paths, renew, report))
        await settle()
        yield said
        nursery.cancel_scope.cancel()


async def settle() -> None:
    """Until threads are done and the keeper sleeps."""
    for _ in range(3):
        await trio.to_thread.run_sync(lambda: None)
        await wait_all_tasks_blocked()


async def second(clock: MockClock) -> None:
    clock.jump(1.0)
    await settle()


async def until_told(clock: MockClock, said: Said, count: int) -> None:
    """Seconds pass until so much was said: a thread may take longer than the clock."""
    for _ in range(1000):
        if len(said) >= count:
            break
        await second(clock)


def put(path: Path, text: str) -> None:
    """As commands do it: a new file in the place of the old."""
    new = path.with_suffix(".new")
    new.write_text(text)
    new.replace(path)


async def test_what_changed_is_read_when_it_stands_still(
    tmp_path: Path, mock_clock: MockClock
) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    put(one, "1")
    read: list[str] = []
    async with kept([one, two], lambda: read.append(one.read_text())) as said:
        await second(mock_clock)
        await second(mock_clock)
        assert (read, said) == ([], [])
        put(one, "2")
        await second(mock_clock)
        put(two, "3")
        await second(mock_clock)
        assert read == []
        await second(mock_clock)
        await second(mock_clock)
        assert (read, said) == (["2"], [("names read anew", None)])


async def test_what_cannot_be_used_is_told_once_and_tried_again_when_it_changes(
    tmp_path: Path, mock_clock: MockClock
) -> None:
    path = tmp_path / "one"

    def renew() -> None:
        if path.read_text() == "bad":
            raise Fault("incorrect_certificate", "no good")

    async with kept([path], renew) as said:
        put(path, "bad")
        await until_told(mock_clock, said, 1)
        for _ in range(5):
            await second(mock_clock)
        assert said == [("names not read anew", "incorrect_certificate: no good")]
        put(path, "good")
        await until_told(mock_clock, said, 2)
        assert said[1:] == [("names read anew", None)]


def test_a_file_put_in_place_of_another_has_another_stamp(tmp_path: Path) -> None:
    path = tmp_path / "one"
    assert file_stamp(path) is None
    put(path, "same")
    first = file_stamp(path)
    put(path, "same")
    assert file_stamp(path) not in (first, None)
