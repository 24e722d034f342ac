"""Records are stored as they gather; a store that fails gets them again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
import pytest
import trio
from trio.testing import MockClock

from xgate.ids import ClientId
from xgate.keepers.opdata import keep_opdata, store_waiting
from xgate.opmonitor.buffer import OperationalBuffer
from xgate.opmonitor.record import OperationalRecord
from xgate.opmonitor.store import Stored
from xgate.testing.clock import FakeClock

RECORD = OperationalRecord(
    security_server_internal_ip="",
    security_server_type="Client",
    request_in_ts=0,
    response_out_ts=0,
    succeeded=True,
)


class Store:
    """Keeps in memory, or fails as long as it is told to."""

    def __init__(self) -> None:
        self.kept: list[tuple[int, int]] = []
        self.cleaned: list[int] = []
        self.broken = False

    def append(self, records: Sequence[OperationalRecord], time: int) -> None:
        if self.broken:
            raise OSError("no room")
        self.kept += [(time, record.request_in_ts) for record in records]

    def find(self, since: int, until: int, client: ClientId | None = None) -> Iterator[Stored]:
        raise NotImplementedError

    def clean(self, before: int) -> int:
        if self.broken:
            raise OSError("no room")
        self.cleaned.append(before)
        return 7

    def close(self) -> None:
        pass


class Kept:
    """A buffer with its keeper at work, and what is reported."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.store = Store()
        self.buffer = OperationalBuffer(100)
        self.lines: list[dict[str, Any]] = []

    def take(self, *numbers: int) -> None:
        for number in numbers:
            self.buffer.take(msgspec.structs.replace(RECORD, request_in_ts=number))

    def report(self, name: str, **fields: str | int | float | None) -> None:
        self.lines.append({"event": name, **fields})

    async def run(self) -> None:
        await keep_opdata(self.buffer, self.store, 7, self.clock, self.report)


@pytest.fixture
def inline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads' work is done at once: the mock clock would not wait for them."""

    async def run(work: Callable[..., object], *arguments: object, **_: object) -> object:
        await trio.lowlevel.checkpoint()
        return work(*arguments)

    monkeypatch.setattr(trio.to_thread, "run_sync", run)


async def test_what_gathers_is_stored_every_few_seconds(
    nursery: trio.Nursery, autojump_clock: MockClock, inline: None
) -> None:
    kept = Kept()
    nursery.start_soon(kept.run)
    kept.take(1, 2)
    await trio.sleep(6)
    now = int(kept.clock.now().timestamp())
    assert kept.store.kept == [(now, 1), (now, 2)]
    assert kept.store.cleaned == [now - 7 * 86_400]
    assert kept.lines == [{"event": "operational records cleaned", "records": 7}]


async def test_what_could_not_be_stored_waits_for_the_next_time(
    nursery: trio.Nursery, autojump_clock: MockClock, inline: None
) -> None:
    kept = Kept()
    kept.store.broken = True
    nursery.start_soon(kept.run)
    kept.take(1, 2)
    await trio.sleep(6)
    kept.take(3)
    kept.store.broken = False
    await trio.sleep(5)
    assert [number for _, number in kept.store.kept] == [1, 2, 3]
    assert [line["event"] for line in kept.lines] == [
        "operational records not cleaned",
        "operational records not stored",
    ]


async def test_what_had_to_give_way_is_counted(
    nursery: trio.Nursery, autojump_clock: MockClock, inline: None
) -> None:
    kept = Kept()
    nursery.start_soon(kept.run)
    kept.take(*range(103))  # the buffer holds a hundred
    await trio.sleep(12)
    kept.take(*range(101))
    await trio.sleep(5)
    told = [line for line in kept.lines if line["event"] == "operational records dropped"]
    assert [line["records"] for line in told] == [3, 1]


async def test_what_waits_at_the_end_is_stored() -> None:
    kept = Kept()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(kept.run)
        await trio.testing.wait_all_tasks_blocked()
        kept.take(1)
        nursery.cancel_scope.cancel()
    assert [number for _, number in kept.store.kept] == [1]


@pytest.mark.parametrize("broken", [True, False])
async def test_storing_ends_with_nothing_lost(broken: bool) -> None:
    kept = Kept()
    kept.store.broken = broken
    kept.take(*range(5))
    await store_waiting(kept.buffer, kept.store, kept.clock, kept.report)
    assert len(kept.buffer) + len(kept.store.kept) == 5
