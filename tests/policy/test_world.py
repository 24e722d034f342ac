"""A World is one value: what a message has taken at its start does not change under it."""

from __future__ import annotations

import pytest

from xgate.cell import Cell
from xgate.ids import ClientId, ServerId
from xgate.policy.world import World
from xgate.serverconf.model import ServerConf
from xgate.testing.authority import Authority
from xgate.testing.conf import make_conf

CONF = make_conf(Authority())
OWN = ServerConf(ServerId(ClientId("XG", "COM", "1"), "SS"))


def test_a_world_cannot_be_changed() -> None:
    world = World(CONF, OWN)
    with pytest.raises(AttributeError):
        world.serverconf = OWN  # type: ignore[misc]  # the point of the test


def test_who_took_it_keeps_it_when_it_is_replaced() -> None:
    cell = Cell(World(CONF, OWN))
    taken = cell.value
    cell.set(World(make_conf(Authority("YY")), OWN))
    assert taken.globalconf.own == "XG"
    assert cell.value.globalconf.own == "YY"
