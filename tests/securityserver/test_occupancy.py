"""How full a server is: every number beside its most, and refusals by setting."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import msgspec
import pytest

from xgate.errors import Fault
from xgate.net.listen import AcceptLimits, Crowd
from xgate.net.room import NoRoomError, Room
from xgate.securityserver.gate import open_gates
from xgate.securityserver.limit_settings import LimitSettings
from xgate.securityserver.occupancy import look_at
from xgate.securityserver.server import SecurityServer

LIMITS = LimitSettings(
    exchanges=2, exchanges_waiting=1, wait_seconds=0.01, memory_bytes=1 << 20, slow_log_seconds=5
)


class Filled:
    """What of a server is looked at."""

    def __init__(self) -> None:
        self.log = 0.0
        self.gates = open_gates(LIMITS, lambda: self.log)
        self.room = Room(most=100, each=50)
        self.crowd = Crowd(AcceptLimits(total=10, per_address=1))
        self.servers_refused = 0
        self.settings = SimpleNamespace(limits=LIMITS)

    def told(self) -> dict[str, dict[str, object]]:
        occupancy = look_at(cast("SecurityServer", self))
        told: dict[str, dict[str, object]] = msgspec.to_builtins(occupancy)
        return told


def test_an_empty_server_tells_what_it_may_hold() -> None:
    told = Filled().told()
    gate = {
        "inside": 0,
        "most_inside": 2,
        "waiting": 0,
        "most_waiting": 1,
        "octets": 0,
        "most_octets": 1 << 20,
        "refused": {},
    }
    assert told == {
        "gates": dict.fromkeys(("callers", "providers", "peers", "services"), gate),
        "strain": {
            "limit": "",
            "late_seconds": 0,
            "most_late_seconds": 1,
            "log_seconds": 0,
            "most_log_seconds": 5,
        },
        "connections": {
            "inside": 0,
            "most_inside": 10,
            "refused": {"connections-per-address": 0, "connections-per-server": 0},
        },
        "spool": {"octets": 0, "most_octets": 100, "refused": {}},
    }


async def test_what_fills_up_and_what_is_refused_is_counted() -> None:
    filled = Filled()
    async with filled.gates.callers.enter("a") as visit:
        visit.claim(1 << 19)
        with pytest.raises(OSError, match="try again"):
            visit.claim(1 << 19)
        with pytest.raises(Fault, match="network_error"):
            async with filled.gates.callers.enter("a"):
                pytest.fail("there is no second place")
        callers = filled.told()["gates"]["callers"]
    assert callers == {
        "inside": 1,
        "most_inside": 2,
        "waiting": 0,
        "most_waiting": 1,
        "octets": 1 << 19,
        "most_octets": 1 << 20,
        "refused": {"memory-bytes": 1, "exchanges": 1},
    }


async def test_connections_spool_and_strain_are_told_too() -> None:
    filled = Filled()
    for _ in range(2):
        await filled.crowd.wait_room()
        filled.crowd.let_in("192.0.2.1")
    filled.servers_refused = 3
    filled.room.take(60)
    for octets in (41, 51):
        with pytest.raises(NoRoomError):
            (filled.room if octets == 41 else filled.room.share()).take(octets)
    filled.log = 7.1

    told = filled.told()

    assert told["connections"] == {
        "inside": 1,
        "most_inside": 10,
        "refused": {"connections-per-address": 1, "connections-per-server": 3},
    }
    refused = {"most-bytes": 1, "message-bytes": 1}
    assert told["spool"] == {"octets": 60, "most_octets": 100, "refused": refused}
    assert told["strain"]["limit"] == "slow-log-seconds = 5"
    assert told["strain"]["log_seconds"] == 7.1
