"""The server's configuration is replaced whole, or stays; a store that is away is told of once."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import trio
from trio.testing import MockClock

from xgate.cell import Cell
from xgate.ids import ClientId, ServerId
from xgate.keepers.serverconf import keep_serverconf
from xgate.policy.world import World
from xgate.serverconf.model import Client, ServerConf
from xgate.testing.authority import Authority
from xgate.testing.conf import make_conf
from xgate.testing.outside import Watch

CONF = make_conf(Authority())
OWNER = ClientId("XG", "COM", "1")
OLD = ServerConf(ServerId(OWNER, "SS"))
NEW = ServerConf(ServerId(OWNER, "SS"), {OWNER: Client(OWNER)})


@pytest.fixture(autouse=True)
def threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in threads is done at once: the mock clock would not wait for them."""

    async def run(work: Callable[[], ServerConf]) -> ServerConf:
        await trio.lowlevel.checkpoint()
        return work()

    monkeypatch.setattr(trio.to_thread, "run_sync", run)


def steps(*given: ServerConf | Exception) -> Callable[[], ServerConf]:
    """Gives, or raises, one thing after the other; the last for ever."""
    left = list(given)

    def load() -> ServerConf:
        step = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(step, Exception):
            raise step
        return step

    return load


async def test_a_change_is_put_in_place_and_the_rest_stays(
    autojump_clock: MockClock, watch: Watch
) -> None:
    world = Cell(World(CONF, OLD))
    taken = world.value
    async with trio.open_nursery() as nursery:
        nursery.start_soon(keep_serverconf, world, steps(OLD, OLD, NEW), 2.0, watch)
        (report,) = await watch.wait("server configuration refreshed")
        nursery.cancel_scope.cancel()
    assert (report.time, report.fields) == (6, {"clients": 1})
    assert world.value == World(CONF, NEW)
    assert taken.serverconf is OLD


async def test_a_store_that_is_away_is_told_of_once_and_asked_again(
    autojump_clock: MockClock, watch: Watch
) -> None:
    world = Cell(World(CONF, OLD))
    away, other = OSError("away"), OSError("damaged")
    load = steps(away, away, other, OLD, other, NEW)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(keep_serverconf, world, load, 2.0, watch)
        await watch.wait("server configuration refreshed")
        nursery.cancel_scope.cancel()
    told = await watch.wait("server configuration not refreshed", 3)
    assert [(one.time, one.fields["cause"]) for one in told] == [
        (2, "away"),
        (6, "damaged"),
        (10, "damaged"),
    ]
