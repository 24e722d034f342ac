"""The log is archived and cleaned round by round, whatever fails, and in nobody's way."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
import trio
from trio.testing import MockClock

from xgate.ids import ClientId
from xgate.keepers.archives import ArchivePlan, archive_round, keep_archives
from xgate.messagelog.archive import Rotation
from xgate.messagelog.archiver import Archiver
from xgate.messagelog.outbox import Outbox
from xgate.messagelog.record import Outline, Record, Stamp
from xgate.messagelog.sqlite import SqliteStore
from xgate.messagelog.target import FileTarget
from xgate.testing.authority import NOW
from xgate.testing.outside import LoopClock, Watch
from xgate.trust.verify import Evidence

CLOCK = LoopClock()
HOUR = 3600.0
DAY = 24 * HOUR
PLAN = ArchivePlan(interval=HOUR, keep=timedelta(days=1))


class FullDisk(FileTarget):
    """A target that fails as long as a test says so, and tells when it is at work."""

    full = False
    began = threading.Event()
    may_end: threading.Event | None = None

    def put(self, file: Path, name: str) -> None:
        self.began.set()
        if self.may_end is not None:
            self.may_end.wait(10)
        if self.full:
            raise OSError("no space left")
        super().put(file, name)


class SlowStore(SqliteStore):
    """Gives a first record, and the next one when a test says so."""

    began = threading.Event()
    may_go_on = threading.Event()

    def archivable(self, upto: int, limit: int) -> Iterator[Outline]:
        for logged in super().archivable(upto, limit):
            yield logged
            self.began.set()
            self.may_go_on.wait(10)


class Bench:
    def __init__(self, folder: Path) -> None:
        self.store = SqliteStore(folder / "log.sqlite")
        self.folder = folder / "archive"
        self.target = FullDisk(self.folder)
        self.archiver = Archiver(
            self.store, self.target, Outbox(folder / "outbox"), rotation=Rotation(records=2)
        )

    def log(self, count: int) -> None:
        owner = ClientId("XG", "COM", "1")
        record = Record(NOW, owner, "q", "r", False, b"message", (), Evidence(b"signature"))
        numbers = self.store.append([record] * count)
        self.store.stamp(dict.fromkeys(numbers, Stamp(b"t", b"<r/>", b"<c/>")), {})

    def names(self) -> list[str]:
        return sorted(path.name for path in self.folder.glob("*"))


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.store.close()


async def test_what_is_stamped_is_archived_at_once_and_then_every_hour(
    bench: Bench, watch: Watch, autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    bench.log(5)
    nursery.start_soon(keep_archives, bench.archiver, bench.store, CLOCK, PLAN, watch)
    done = await watch.wait("archived", 3)
    assert [report.fields["records"] for report in done] == [2, 2, 1]
    assert [report.time for report in done] == [0, 0, 0]
    bench.log(1)
    done = await watch.wait("archived", 4)
    assert done[-1].time == HOUR
    assert {str(report.fields["file"]) for report in done} == set(bench.names())
    nursery.cancel_scope.cancel()


async def test_what_is_archived_is_deleted_when_it_is_old_enough(
    bench: Bench, watch: Watch, autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    bench.log(3)
    nursery.start_soon(keep_archives, bench.archiver, bench.store, CLOCK, PLAN, watch)
    (cleaned,) = await watch.wait("log cleaned")
    assert cleaned.fields == {"records": 3}
    assert cleaned.time == DAY + HOUR  # after a day, they are not yet older than that
    nursery.cancel_scope.cancel()


async def test_a_round_that_fails_is_tried_again_sooner(
    bench: Bench, watch: Watch, autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    bench.log(1)
    bench.target.full = True
    nursery.start_soon(keep_archives, bench.archiver, bench.store, CLOCK, PLAN, watch)
    failed = await watch.wait("archiving failed", 2)
    assert [report.time for report in failed] == [0, 60]
    assert failed[0].fields == {"cause": "no space left"}
    bench.target.full = False
    (done,) = await watch.wait("archived")
    assert done.time == 120
    nursery.cancel_scope.cancel()


async def test_the_loop_goes_on_while_an_archive_is_made(bench: Bench, watch: Watch) -> None:
    bench.log(1)
    bench.target.may_end = threading.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(archive_round, bench.archiver, bench.store, CLOCK, PLAN, watch)
        await trio.to_thread.run_sync(bench.target.began.wait, 10)
        assert watch.reports == []  # we are here, and it has not ended
        bench.target.may_end.set()
    assert len(watch.named("archived")) == 1


async def test_a_round_is_given_up_between_two_containers(tmp_path: Path, watch: Watch) -> None:
    bench = Bench(tmp_path)
    bench.log(3)
    slow = SlowStore(tmp_path / "log.sqlite")
    archiver = Archiver(slow, bench.target, Outbox(tmp_path / "outbox"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(archive_round, archiver, slow, CLOCK, PLAN, watch)
        await trio.to_thread.run_sync(slow.began.wait, 10)
        nursery.cancel_scope.cancel()
        slow.may_go_on.set()
    assert bench.names() == []
    assert bench.store.newest_stamped() == 3
    slow.close()
    bench.store.close()


PYTHON = sys.executable


@pytest.mark.parametrize(
    ("command", "cause"),
    [
        ((PYTHON, "-c", "import sys; sys.exit(3)"), "exit code 3"),
        ((PYTHON, "-c", "import time; time.sleep(60)"), "not done in 0.3 s"),
        (("/no/such/program",), "No such file"),
    ],
)
async def test_a_transfer_that_fails_is_only_told(
    bench: Bench, watch: Watch, command: tuple[str, ...], cause: str
) -> None:
    bench.log(1)
    plan = msgspec.structs.replace(
        PLAN, transfer=command, transfer_seconds=0.3 if "sleep" in command[-1] else 30.0
    )
    await archive_round(bench.archiver, bench.store, CLOCK, plan, watch)
    (failed,) = watch.named("archive transfer failed")
    assert cause in str(failed.fields["cause"])
    assert len(watch.named("archived")) == 1


async def test_the_transfer_runs_after_each_archive(bench: Bench, watch: Watch) -> None:
    bench.log(3)
    seen = bench.folder.parent / "seen"
    plan = msgspec.structs.replace(
        PLAN, transfer=("/bin/bash", "-c", f"ls '{bench.folder}' | wc -l >> '{seen}'")
    )
    await archive_round(bench.archiver, bench.store, CLOCK, plan, watch)
    assert seen.read_text().split() == ["1", "2"]
    assert watch.named("archive transfer failed") == []
