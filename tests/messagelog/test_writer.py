"""The way into the log: few commits for many, one answer for each, and refusals by name."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
import trio.lowlevel
import trio.testing

from xgate.errors import Fault
from xgate.messagelog.backlog import Backlog, Pending
from xgate.messagelog.outage import Outage
from xgate.messagelog.record import Record, Stamp
from xgate.messagelog.sqlite import SqliteStore
from xgate.messagelog.store import Waiting
from xgate.messagelog.writer import MessageLog
from xgate.testing.clock import FakeClock

Make = Callable[..., Record]
FULL = Fault("logging_failed.database_error", "The message log: database or disk is full")


class Unruly(SqliteStore):
    """A real store behind a door that can be held shut, and that fails in both ways."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.open = threading.Event()
        self.open.set()
        self.commits: list[int] = []
        self.before: Exception | None = None
        """Raised instead of appending: refused."""
        self.after: Exception | None = None
        """Raised after appending: done, but reported as failed."""

    def append(self, records: Sequence[Record]) -> Sequence[int]:
        assert self.open.wait(10)
        self.commits.append(len(records))
        if self.before is not None:
            raise self.before
        numbers = super().append(records)
        if self.after is not None:
            raise self.after
        return numbers


@pytest.fixture
def unruly(path: Path) -> Iterator[Unruly]:
    opened = Unruly(path)
    yield opened
    opened.close()


@asynccontextmanager
async def running(log: MessageLog) -> AsyncIterator[MessageLog]:
    async with trio.open_nursery() as nursery:
        await nursery.start(log.run)
        yield log
        nursery.cancel_scope.cancel()


async def refusal(log: MessageLog, record: Record) -> tuple[str, str]:
    with pytest.raises(Fault) as caught:
        await log.append(record)
    return caught.value.code, caught.value.text


async def test_append_answers_when_the_record_is_in_the_file(
    store: SqliteStore, unsigned: Make
) -> None:
    async with running(MessageLog(store)) as log:
        number = await log.append(unsigned(1))
        assert [(found.id, found.record) for found in store.find()] == [(number, unsigned(1))]


async def test_what_gathers_while_one_commit_runs_is_the_next(
    unruly: Unruly, unsigned: Make
) -> None:
    unruly.open.clear()
    answers: dict[int, int] = {}

    async def append(number: int) -> None:
        answers[number] = await log.append(unsigned(number))

    async with running(MessageLog(unruly)) as log, trio.open_nursery() as callers:
        callers.start_soon(append, 0)
        await trio.testing.wait_all_tasks_blocked(0.01)
        for number in range(1, 101):
            callers.start_soon(append, number)
        await trio.testing.wait_all_tasks_blocked(0.01)
        assert answers == {}
        unruly.open.set()
    assert unruly.commits == [1, 100]
    assert log.batch_sizes() == {1: 1, 100: 1}
    for number, answer in answers.items():
        (found,) = unruly.find(number=answer)
        assert found.record == unsigned(number)


async def test_the_words_of_a_store_are_for_our_own_log(unruly: Unruly, unsigned: Make) -> None:
    unruly.before = FULL
    async with running(MessageLog(unruly)) as log:
        with pytest.raises(Fault) as caught:
            await log.append(unsigned(1))
    assert (caught.value.text, caught.value.cause) == ("The message could not be logged", FULL.text)


@pytest.mark.parametrize("applied", [False, True])
async def test_a_commit_that_fails_refuses_everyone_who_waited_and_nobody_after(
    unruly: Unruly, unsigned: Make, applied: bool
) -> None:
    unruly.open.clear()
    unruly.before, unruly.after = (None, FULL) if applied else (FULL, None)
    refusals: list[tuple[str, str]] = []

    async def append(number: int) -> None:
        refusals.append(await refusal(log, unsigned(number)))

    async with running(MessageLog(unruly)) as log:
        async with trio.open_nursery() as callers:
            for number in range(20):
                callers.start_soon(append, number)
            await trio.testing.wait_all_tasks_blocked(0.01)
            unruly.open.set()
        assert refusals == [(FULL.code, "The message could not be logged")] * 20
        unruly.before = unruly.after = None
        await log.append(unsigned(99))
    kept = [found.record.query_id for found in unruly.find()]
    assert kept[-1] == "query 99"
    assert len(kept) == (21 if applied else 1)


async def test_a_store_that_breaks_its_duties_harms_only_those_who_waited(
    unruly: Unruly, unsigned: Make
) -> None:
    async with running(MessageLog(unruly)) as log:
        unruly.before = ZeroDivisionError()
        with pytest.raises(ZeroDivisionError):
            await log.append(unsigned(1))
        unruly.before = None
        await log.append(unsigned(2))


async def test_who_leaves_while_it_waits_is_not_waited_for(unruly: Unruly, unsigned: Make) -> None:
    unruly.open.clear()
    async with running(MessageLog(unruly)) as log, trio.open_nursery() as callers:
        callers.start_soon(log.append, unsigned(1))
        await trio.testing.wait_all_tasks_blocked(0.01)
        with trio.move_on_after(0.01):
            await log.append(unsigned(2))
        unruly.open.set()
    assert [found.record.query_id for found in unruly.find()] == ["query 1"]


# limits


async def test_identifiers_are_as_long_as_the_reference_can_store(
    store: SqliteStore, unsigned: Make
) -> None:
    async with running(MessageLog(store)) as log:
        await log.append(unsigned(1, query_id="ä" * 255, request_id="r" * 255))
        code, text = await refusal(log, unsigned(2, query_id="q" * 256))
        assert (code, "query id is longer than the 255" in text) == ("logging_failed", True)
        code, text = await refusal(log, unsigned(2, request_id="r" * 256))
        assert (code, "request id is longer than the 255" in text) == ("logging_failed", True)


@pytest.mark.parametrize("query_id", ["a\0b", "a\ud800b", "\udfff"])
async def test_a_record_that_no_store_can_hold_spoils_no_batch(
    unruly: Unruly, unsigned: Make, query_id: str
) -> None:
    async with running(MessageLog(unruly)) as log:
        code, text = await refusal(log, unsigned(1, query_id=query_id))
        assert code == "logging_failed"
        assert query_id not in text
    assert unruly.commits == []


async def test_a_body_is_no_larger_than_may_be_logged(store: SqliteStore, unsigned: Make) -> None:
    async with running(MessageLog(store, max_body=10)) as log:
        await log.append(unsigned(1, attachments=(b"x" * 10, None), message=b"m" * 99))
        assert await refusal(log, unsigned(2, attachments=(None, b"x" * 11))) == (
            "logging_failed",
            "Message size exceeds maximum loggable size",
        )


# when nobody stamps


async def test_nothing_is_logged_that_might_never_be_stamped(
    unruly: Unruly, unsigned: Make
) -> None:
    clock = FakeClock()
    services = ["http://tsa/"]
    outage = Outage(lambda: services, clock, 60)
    async with running(MessageLog(unruly, outage=outage)) as log:
        await log.append(unsigned(1))
        outage.begin()
        await log.append(unsigned(2))
        clock.advance(61)
        assert await refusal(log, unsigned(3)) == (
            "logging_failed.timestamping_failed",
            "Cannot time-stamp messages",
        )
        outage.end()
        services.clear()
        code, text = await refusal(log, unsigned(3))
        assert code == "logging_failed.mlog.no_timestamping_provider_found"
        assert text == "Cannot time-stamp messages: no timestamping services configured"
    assert unruly.commits == [1, 1]


async def test_what_would_be_refused_can_be_known_before(unruly: Unruly, unsigned: Make) -> None:
    clock = FakeClock()
    outage = Outage(lambda: ["http://tsa/"], clock, 60)
    log = MessageLog(unruly, outage=outage)
    log.check_can_log()
    outage.begin()
    clock.advance(61)
    with pytest.raises(Fault) as caught:
        log.check_can_log()
    assert caught.value.code == "logging_failed.timestamping_failed"
    MessageLog(unruly).check_can_log()


async def test_the_backlog_hears_of_every_record(unruly: Unruly, unsigned: Make) -> None:
    backlog = Backlog(10, FakeClock().now)
    until = FakeClock().now()
    async with running(MessageLog(unruly, backlog=backlog)) as log:
        await log.append(unsigned(1))
        await log.append(unsigned(2), until)
    assert backlog.pending == Pending(2, until)


# a stamp for each


async def test_append_answers_when_the_record_has_its_stamp(unruly: Unruly, unsigned: Make) -> None:
    asked: list[Waiting] = []
    backlog = Backlog(10, FakeClock().now)

    async def stamp(waiting: Waiting) -> None:
        asked.append(waiting)
        assert list(unruly.unstamped(10)) == [waiting]
        await trio.lowlevel.checkpoint()
        unruly.stamp({waiting[0]: Stamp(b"token")}, {})

    async with running(MessageLog(unruly, backlog=backlog, stamp=stamp)) as log:
        for number in (1, 2):
            assert await log.append(unsigned(number)) == number
            assert unruly.unstamped(10) == []
    assert len(asked) == 2
    assert backlog.pending == Pending()


@pytest.mark.parametrize("error", [Fault("timestamping_failed", "no service"), KeyError("x")])
async def test_a_message_that_cannot_be_stamped_is_refused_and_its_record_stays(
    unruly: Unruly, unsigned: Make, error: Exception
) -> None:
    backlog = Backlog(10, FakeClock().now)

    async def stamp(_: Waiting) -> None:
        raise error

    async with running(MessageLog(unruly, backlog=backlog, stamp=stamp)) as log:
        assert await refusal(log, unsigned(1)) == (
            "logging_failed.timestamping_failed",
            "Cannot time-stamp messages",
        )
    assert [logged.record for logged in unruly.find()] == [unsigned(1)]
    assert backlog.pending.records == 1


async def test_whoever_gives_up_leaves_a_record_that_is_looked_for(
    unruly: Unruly, unsigned: Make
) -> None:
    backlog = Backlog(10, FakeClock().now)

    async def stamp(_: Waiting) -> None:
        await trio.sleep_forever()

    async with (
        running(MessageLog(unruly, backlog=backlog, stamp=stamp)) as log,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(log.append, unsigned(1))
        while not unruly.commits:
            await trio.testing.wait_all_tasks_blocked()
            await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()
    assert backlog.pending.records == 1
