"""A World is one value: what a message has taken at its start does not change under it."""

from __future__ import annotations

import pytest

from xgate.cell import Cell
from xgate.globalconf.shared import SecurityServer
from xgate.ids import ClientId, ServerId
from xgate.policy.world import World, address_of
from xgate.serverconf.model import ServerConf
from xgate.testing.authority import Authority
from xgate.testing.conf import make_conf

CONF = make_conf(Authority())
SERVER = SecurityServer(ClientId("XG", "COM", "1"), "SS1", "ss1.example")
NAMELESS = SecurityServer(ClientId("XG", "COM", "1"), "SS2")
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


def test_a_server_has_the_address_that_it_has_registered() -> None:
    known = World(make_conf(Authority(), servers=[SERVER, NAMELESS]), OWN)
    assert address_of(known, SERVER.id) == "ss1.example"
    assert address_of(known, NAMELESS.id) is None
    assert address_of(known, OWN.server) is None
    assert address_of(known, None) is None
