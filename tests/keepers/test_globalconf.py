"""The configuration is replaced whole or stays as it is, whatever its source does."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import msgspec
import pytest
import trio
from trio.testing import MockClock

from xgate.cell import Cell
from xgate.errors import Fault
from xgate.globalconf.conf import GlobalConf
from xgate.ids import ClientId, ServerId
from xgate.keepers.globalconf import keep_globalconf
from xgate.policy.world import World
from xgate.serverconf.model import ServerConf
from xgate.testing.authority import Authority
from xgate.testing.clock import FakeClock
from xgate.testing.conf import approve, make_conf
from xgate.testing.outside import LoopClock, Watch

OWN = ServerConf(ServerId(ClientId("XG", "COM", "1"), "SS"))
CLOCK = FakeClock()
NEW = "global configuration refreshed"
OLD = "global configuration not refreshed"
Step = GlobalConf | Exception


@pytest.fixture(scope="module")
def confs(authority: Authority) -> list[GlobalConf]:
    return [make_conf(authority, freshness=freshness) for freshness in (600, 1200, 1800)]


@pytest.fixture(autouse=True)
def threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in threads is done while the mock clock stands: it would not wait for them."""

    async def run(work: Callable[[], GlobalConf], **_: object) -> GlobalConf:
        await trio.lowlevel.checkpoint()
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(work).result()

    monkeypatch.setattr(trio.to_thread, "run_sync", run)


class Source:
    """Gives, or raises, one thing after the other; the last for ever."""

    def __init__(self, *steps: Step) -> None:
        self._steps = list(steps)
        self.threads: list[threading.Thread] = []

    def load(self) -> GlobalConf:
        self.threads.append(threading.current_thread())
        step = self._steps.pop(0) if len(self._steps) > 1 else self._steps[0]
        if isinstance(step, Exception):
            raise step
        return step


async def test_a_new_configuration_takes_the_place_of_the_old(
    confs: list[GlobalConf], autojump_clock: MockClock, watch: Watch
) -> None:
    world = Cell(World(confs[0], OWN))
    taken = world.value
    source = Source(confs[0], confs[1])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(keep_globalconf, world, source.load, 60.0, CLOCK, watch)
        (report,) = await watch.wait(NEW)
        nursery.cancel_scope.cancel()
    assert (report.time, report.fields) == (120, {"instance": "XG"})
    assert world.value == World(confs[1], OWN)
    assert taken.globalconf is confs[0]
    assert threading.main_thread() not in source.threads


async def test_one_that_has_not_changed_is_not_put_in_place_again(
    confs: list[GlobalConf], autojump_clock: MockClock, watch: Watch
) -> None:
    world = Cell(World(confs[0], OWN))
    source = Source(confs[0], confs[0], confs[0], confs[1], confs[1], confs[1], confs[2])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(keep_globalconf, world, source.load, 60.0, CLOCK, watch)
        reports = await watch.wait(NEW, 2)
        nursery.cancel_scope.cancel()
    assert [report.time for report in reports] == [240, 420]
    assert world.version == 2


async def test_a_source_that_fails_leaves_the_old_one_and_is_asked_again(
    confs: list[GlobalConf], autojump_clock: MockClock, watch: Watch
) -> None:
    world = Cell(World(confs[0], OWN))
    failures = [
        Fault("global_conf_outdated", "The directory has expired"),
        OSError("no route to host"),
        ZeroDivisionError("nobody foresaw this"),
    ]
    source = Source(*failures, confs[1])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(keep_globalconf, world, source.load, 60.0, CLOCK, watch)
        failed = await watch.wait(OLD, 3)
        assert world.value.globalconf is confs[0]
        (report,) = await watch.wait(NEW)
        nursery.cancel_scope.cancel()
    assert [one.time for one in failed] == [60, 120, 180]
    for one, error in zip(failed, failures, strict=True):
        assert str(error) in str(one.fields["cause"])
    assert report.time == 240
    assert world.value.globalconf is confs[1]


async def test_what_another_has_changed_meanwhile_is_kept(
    confs: list[GlobalConf], autojump_clock: MockClock, watch: Watch
) -> None:
    world = Cell(World(confs[0], OWN))
    mine = ServerConf(ServerId(ClientId("XG", "COM", "1"), "SS"), {})
    async with trio.open_nursery() as nursery:
        nursery.start_soon(keep_globalconf, world, Source(confs[1]).load, 60.0, CLOCK, watch)
        world.set(World(confs[0], mine))
        await watch.wait(NEW)
        nursery.cancel_scope.cancel()
    assert world.value.globalconf is confs[1]
    assert world.value.serverconf is mine


async def test_a_source_that_never_answers_is_given_up_and_asked_again(
    confs: list[GlobalConf],
    autojump_clock: MockClock,
    watch: Watch,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = Cell(World(confs[0], OWN))
    answer = trio.Event()

    async def run(work: Callable[[], GlobalConf], **how: object) -> GlobalConf:
        assert how["abandon_on_cancel"]
        assert how["limiter"].total_tokens == 1  # type: ignore[attr-defined]  # no second thread
        await answer.wait()
        return work()

    monkeypatch.setattr(trio.to_thread, "run_sync", run)
    async with trio.open_nursery() as nursery:
        source = Source(confs[1])
        nursery.start_soon(keep_globalconf, world, source.load, 60.0, CLOCK, watch)
        (failed,) = await watch.wait(OLD)
        assert (failed.time, failed.fields) == (
            660,
            {"cause": "the source did not answer in 600 s"},
        )
        assert world.value.globalconf is confs[0]
        answer.set()
        await watch.wait(NEW)
        nursery.cancel_scope.cancel()
    assert world.value.globalconf is confs[1]


async def test_a_partner_expires_while_the_source_is_away(
    authority: Authority, autojump_clock: MockClock, watch: Watch
) -> None:
    clock = LoopClock()
    partner = approve(Authority("YY"))
    conf = make_conf(authority, partners={"YY": partner})
    until = clock.now() + timedelta(seconds=150)
    expiring = msgspec.structs.replace(conf.instances["YY"], expires=until)
    conf = GlobalConf("XG", {**conf.instances, "YY": expiring}, previous=conf)
    world = Cell(World(conf, OWN))
    source = Source(OSError("away"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(keep_globalconf, world, source.load, 60.0, clock, watch)
        (report,) = await watch.wait("global configuration warns")
        nursery.cancel_scope.cancel()
    assert report.time == 180
    assert report.fields == {"text": "the configuration of partner YY has expired"}
    assert set(world.value.globalconf.instances) == {"XG"}


async def test_what_the_first_one_warns_of_is_told_at_once(
    confs: list[GlobalConf], autojump_clock: MockClock, watch: Watch
) -> None:
    text = "the configuration cannot be kept"
    warning = GlobalConf("XG", confs[0].instances, warnings=[text])
    async with trio.open_nursery() as nursery:
        source = Source(warning)
        world = Cell(World(warning, OWN))
        nursery.start_soon(keep_globalconf, world, source.load, 60.0, CLOCK, watch)
        (report,) = await watch.wait("global configuration warns")
        nursery.cancel_scope.cancel()
    assert (report.time, report.fields) == (0, {"text": text})
