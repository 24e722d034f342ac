"""From log to archives: every record in exactly one, whatever breaks off at whatever place."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import pytest

from xgate.errors import Fault
from xgate.ids import ClientId
from xgate.messagelog.archive import Grouping, Rotation
from xgate.messagelog.archiver import Archived, Archiver, clean_archived
from xgate.messagelog.outbox import Outbox, Pending
from xgate.messagelog.record import Outline, Record, Stamp
from xgate.messagelog.sqlite import SqliteStore
from xgate.messagelog.store import Task
from xgate.messagelog.target import FileTarget
from xgate.messagelog.timestamping import fulfil, write_order
from xgate.testing.authority import NOW, Authority
from xgate.testing.conf import make_conf
from xgate.testing.responders import answer_timestamp
from xgate.trust.archive_chain import judge_chains, verify_folder
from xgate.trust.archive_read import Archive, ArchiveReader
from xgate.trust.linking import Link
from xgate.trust.proof import ContainerProof

MEMBER = ClientId("XG", "COM", "777")
OWNERS = (
    ClientId("XG", "COM", "777", "app"),
    MEMBER,
    ClientId("XG", "COM", "777", "app"),
    ClientId("XG", "GOV", "1"),
    MEMBER,
)
PUT = 6  # the call that brings the first archive to its target
STAMP = Stamp(b"token", b"<result/>", b"<chain/>")
Make = Callable[..., Record]


class Crash(BaseException):
    """The end of a process, as far as a test can have it."""


class Fuse:
    """Lets calls fail: the n-th one before it is done, or when it is done but not yet told."""

    def __init__(self, at: int = 0, *, done: bool = False, error: BaseException | None = None):
        self.calls = 0
        self.at = at
        self.done = done
        self.error = error or Crash()

    @contextmanager
    def __call__(self) -> Iterator[None]:
        self.calls += 1
        blown = self.calls == self.at
        if blown and not self.done:
            raise self.error
        yield
        if blown:
            raise self.error


class FrailStore(SqliteStore):
    fuse = Fuse()

    def links(self) -> Mapping[str | None, Link]:
        with self.fuse():
            return super().links()

    def archivable(self, upto: int, limit: int) -> Iterator[Outline]:
        with self.fuse():
            return super().archivable(upto, limit)

    def archived(self, numbers: Sequence[int], links: Mapping[str | None, Link]) -> None:
        with self.fuse():
            super().archived(numbers, links)


class FrailTarget(FileTarget):
    fuse = Fuse()

    def put(self, file: Path, name: str) -> None:
        with self.fuse():
            super().put(file, name)


class FrailOutbox(Outbox):
    fuse = Fuse()

    def keep(self, pending: Pending) -> None:
        with self.fuse():
            super().keep(pending)

    def clear(self) -> None:
        with self.fuse():
            super().clear()


class Bench:
    """A log, its archives, and as many archivers one after the other as are needed."""

    def __init__(self, folder: Path, make: Make) -> None:
        self.folder = folder
        self.store = FrailStore(folder / "log.sqlite")
        # No power is lost here, so nothing need be flushed.
        self.store._writer.execute("PRAGMA synchronous=OFF")
        self.make = make
        self.rotation = Rotation(records=2)
        self.grouping: Grouping = "subsystem"

    def log(self, count: int = 5, *, stamped: bool = True) -> Sequence[int]:
        numbers = self.store.append(
            [self.make(n, owner=OWNERS[n % len(OWNERS)]) for n in range(count)]
        )
        if stamped:
            self.stamp(numbers)
        return numbers

    def stamp(self, numbers: Sequence[int]) -> None:
        self.store.stamp(dict.fromkeys(numbers, STAMP), {})

    def run(self, fuse: Fuse | None = None) -> list[Archived]:
        fuse = fuse or Fuse()
        target = FrailTarget(self.folder / "archive")
        outbox = FrailOutbox(self.folder / "outbox")
        self.store.fuse = target.fuse = outbox.fuse = fuse
        archiver = Archiver(
            self.store, target, outbox, rotation=self.rotation, grouping=self.grouping
        )
        upto = self.store.newest_stamped()
        return list(iter(lambda: archiver.archive_next(upto), None))

    def archives(self) -> list[Archive]:
        found = []
        for path in sorted((self.folder / "archive").glob("*.zip")):
            with path.open("rb") as file:
                reader = ArchiveReader(file)
                self.names += [name for name, _ in reader.containers()]
            heading = reader.heading
            found.append(
                Archive(path.name, heading.previous, reader.last, "SHA-512", reader.count, 0)
            )
        return found

    names: list[str]

    def check(self, numbers: Sequence[int]) -> list[Archive]:
        """Every record is in exactly one archive, and these are unbroken chains."""
        self.names = []
        archives = self.archives()
        assert judge_chains(archives) == ()
        ids = Counter(
            int(name.removesuffix(".asice").rpartition("-")[2], 32) for name in self.names
        )
        assert ids == Counter(numbers)
        ends = {archive.last for archive in archives} - {
            archive.previous.digest for archive in archives if archive.previous
        }
        assert {link.digest for link in self.store.links().values()} == ends
        assert self.store.newest_stamped() is None
        assert [p.name for p in (self.folder / "outbox").iterdir()] in ([], ["lock"])
        assert {p.suffix for p in (self.folder / "archive").iterdir()} == {".zip"}
        return archives


@pytest.fixture(autouse=True)
def _no_flush(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.fixture
def bench(tmp_path: Path, unsigned: Make) -> Iterator[Bench]:
    made = Bench(tmp_path, unsigned)
    yield made
    made.store.close()


@pytest.mark.parametrize(
    ("grouping", "groups"),
    [
        ("none", [None] * 3),
        ("member", ["XG/COM/777", "XG/COM/777", "XG/GOV/1"]),
        ("subsystem", ["XG/COM/777", "XG/COM/777/app", "XG/GOV/1"]),
    ],
)
def test_all_that_is_stamped_is_archived_by_groups(
    bench: Bench, grouping: Grouping, groups: list[str | None]
) -> None:
    bench.grouping = grouping
    numbers = bench.log()
    bench.log(2, stamped=False)
    done = bench.run()
    assert [archived.group for archived in done] == groups
    assert sum(archived.records for archived in done) == 5
    assert not any(archived.again for archived in done)
    bench.check(numbers)
    assert bench.run() == []


def test_each_run_continues_the_chains(bench: Bench) -> None:
    numbers = [*bench.log(), *bench.log(0)]
    bench.run()
    numbers += bench.log()
    bench.run()
    archives = bench.check(numbers)
    assert sum(archive.previous is None for archive in archives) == 3
    assert len(archives) == 6


def test_what_is_logged_meanwhile_waits_for_the_next_round(bench: Bench) -> None:
    first = bench.log(2)
    upto = bench.store.newest_stamped()
    later = bench.log(2)
    archiver = Archiver(
        bench.store, FileTarget(bench.folder / "archive"), Outbox(bench.folder / "outbox")
    )
    done = archiver.archive_next(upto)
    assert done is not None
    assert done.records == 2
    assert archiver.archive_next(upto) is None
    assert bench.store.newest_stamped() == later[-1]
    assert first[-1] == upto


def steps(tmp_path: Path, unsigned: Make) -> int:
    """How many calls there are that may fail."""
    counted = Bench(tmp_path / "counted", unsigned)
    counted.log(3)
    fuse = Fuse()
    counted.run(fuse)
    counted.store.close()
    return fuse.calls


@pytest.mark.parametrize("done", [False, True])
def test_wherever_it_breaks_off_nothing_is_lost_or_doubled(
    tmp_path: Path, unsigned: Make, done: bool
) -> None:
    count = steps(tmp_path, unsigned)
    assert count > 12
    for at in range(1, count + 1):
        error = (Crash(), OSError("no space"), Fault("logging_failed.database_error", ""))[at % 3]
        bench = Bench(tmp_path / f"{at}", unsigned)
        numbers = bench.log(3)
        with pytest.raises(type(error)):
            bench.run(Fuse(at, done=done, error=error))
        # Others are logged, and an older one is stamped only now.
        late = bench.log(2, stamped=False)
        numbers = [*numbers, *bench.log(1), *late]
        bench.stamp(late)
        bench.run()
        bench.check(numbers)
        bench.store.close()


def test_two_failures_in_a_row_change_nothing(tmp_path: Path, unsigned: Make) -> None:
    count = steps(tmp_path, unsigned)
    for at in range(1, count + 1, 2):
        bench = Bench(tmp_path / f"{at}", unsigned)
        numbers = bench.log(3)
        for again in (at, 1, 2, 3, 4):
            with suppress(Crash):
                bench.run(Fuse(again, done=bool(again % 2)))
        bench.run()
        bench.check(numbers)
        bench.store.close()


def test_a_file_that_is_put_again_is_the_same(bench: Bench) -> None:
    bench.log(2)
    with pytest.raises(Crash):
        bench.run(Fuse(PUT, done=True))  # its target has it, the log does not know
    (before,) = (bench.folder / "archive").glob("*.zip")
    octets = before.read_bytes()
    done = bench.run()
    assert [archived.again for archived in done] == [True, False]
    assert before.read_bytes() == octets
    assert done[0].file_name == before.name


def test_an_archive_that_the_log_has_gone_on_without_is_told_and_given_up(bench: Bench) -> None:
    numbers = bench.log(2)
    with pytest.raises(Crash):
        bench.run(Fuse(PUT, done=True))
    bench.store.fuse = Fuse()
    bench.store.archived([], dict.fromkeys((None, "XG/COM/777"), Link("ff", "x.zip")))
    with pytest.raises(Fault, match="gone on without") as caught:
        bench.run()
    assert caught.value.code == "archive_superseded"
    bench.run()
    assert bench.store.newest_stamped() is None
    assert len(numbers) == 2


def test_records_that_another_has_archived_are_not_marked_again(bench: Bench) -> None:
    numbers = bench.log(1)
    with pytest.raises(Crash):
        bench.run(Fuse(PUT, done=True))
    bench.store.fuse = Fuse()
    bench.store.archived(numbers, {"another grouping": Link("ff", "x.zip")})
    with pytest.raises(Fault) as caught:
        bench.run()
    assert caught.value.code == "archive_superseded"
    assert bench.run() == []


def test_only_one_archives_at_a_time(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.log()

    def alone(task: Task) -> AbstractContextManager[bool]:
        return _told(task != "archiver")

    monkeypatch.setattr(bench.store, "alone", alone)
    assert bench.run() == []
    monkeypatch.undo()
    with Outbox(bench.folder / "outbox").alone(), pytest.raises(Fault, match="is archiving"):
        bench.run()


@contextmanager
def _told(answer: bool) -> Iterator[bool]:
    yield answer


def test_only_what_is_archived_and_old_is_cleaned(bench: Bench) -> None:
    bench.log()
    bench.run()
    bench.log(2)
    later = NOW + timedelta(days=1)
    rounds: list[None] = []
    assert clean_archived(bench.store, NOW, 2) == 0
    assert clean_archived(bench.store, later, 2, lambda: rounds.append(None)) == 5
    assert len(rounds) == 3
    assert len(list(bench.store.find())) == 2


def test_what_was_signed_and_stamped_is_proven_from_the_folder(
    store: SqliteStore,
    signed: Callable[..., list[Record]],
    authority: Authority,
    tmp_path: Path,
) -> None:
    conf = make_conf(authority)
    store.append(signed(4, bodies=(b"body", None)))
    for limit in (3, 1):  # a timestamp of many, and one of its own
        order = write_order(store.unstamped(limit), store)
        fulfil(order, answer_timestamp(order.request, authority.tsa, NOW, limit), conf, store)
    archiver = Archiver(
        store,
        FileTarget(tmp_path / "archive"),
        Outbox(tmp_path / "outbox"),
        rotation=Rotation(records=3),
    )
    while archiver.archive_next(store.newest_stamped()):
        pass
    proven: list[ContainerProof | Fault] = []
    found = verify_folder(
        conf, tmp_path / "archive", lambda _file, _name, proof: proven.append(proof)
    )
    assert found.sound
    assert sorted(archive.containers for archive in found.archives) == [1, 3]
    assert {p.timestamp_kind for p in proven if isinstance(p, ContainerProof)} == {"batch", "plain"}
    assert len(proven) == 4
