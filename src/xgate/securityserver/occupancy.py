"""How full this server is, and what it has refused for that: for operators, in numbers.

The rule: a number beside the most it may be, and refusals by the setting that was met, so that
whoever reads it knows which one to raise. Nobody is named: whoever may ask for health may see it.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from xgate.securityserver.gate import Gate
from xgate.securityserver.server import SecurityServer
from xgate.securityserver.spool_settings import KEYS

__all__ = ["Connections", "GateFilling", "Occupancy", "SpoolFilling", "Strained", "look_at"]


class GateFilling(msgspec.Struct, frozen=True):
    """One gate (``Gates``): exchanges inside and waiting, octets of their messages.

    :param refused: exchanges and messages, by setting of ``[limits]``.
    """

    inside: int
    most_inside: int
    waiting: int
    most_waiting: int
    octets: int
    most_octets: int
    refused: Mapping[str, int]


class Strained(msgspec.Struct, frozen=True):
    """Delays, in seconds, and from where on nobody gets more places.

    :param limit: the setting that is exceeded now, with its value; empty while all is well.
    """

    limit: str
    late_seconds: float
    most_late_seconds: float
    log_seconds: float
    most_log_seconds: float


class Connections(msgspec.Struct, frozen=True):
    """At all doors for messages; ``refused`` by setting of ``[limits]``."""

    inside: int
    most_inside: int
    refused: Mapping[str, int]


class SpoolFilling(msgspec.Struct, frozen=True):
    """Octets of bodies in files; ``refused`` by setting of ``[spool]``."""

    octets: int
    most_octets: int
    refused: Mapping[str, int]


class Occupancy(msgspec.Struct, frozen=True):
    """All of it; refusals are counted from the start of the server."""

    gates: Mapping[str, GateFilling]
    strain: Strained
    connections: Connections
    spool: SpoolFilling


def look_at(server: SecurityServer) -> Occupancy:
    """What there is now."""
    gates, settings = server.gates, server.settings.limits
    strain, room, crowd = gates.strain, server.room, server.crowd
    return Occupancy(
        gates={
            gate.name: _filling(gate)
            for gate in (gates.callers, gates.providers, gates.peers, gates.services)
        },
        strain=Strained(
            limit=strain(),
            late_seconds=round(strain.late, 3),
            most_late_seconds=settings.late_seconds,
            log_seconds=round(strain.log_late, 3),
            most_log_seconds=settings.slow_log_seconds,
        ),
        connections=Connections(
            inside=crowd.inside,
            most_inside=crowd.limits.total,
            refused={
                "connections-per-address": crowd.refused,
                "connections-per-server": server.servers_refused,
            },
        ),
        spool=SpoolFilling(
            octets=room.taken,
            most_octets=room.most,
            refused={KEYS[met]: count for met, count in room.refused.items()},
        ),
    )


def _filling(gate: Gate) -> GateFilling:
    return GateFilling(
        inside=gate.inside,
        most_inside=gate.limits.places,
        waiting=gate.waiting,
        most_waiting=gate.limits.queue,
        octets=gate.octets,
        most_octets=gate.limits.octets,
        refused=gate.refused,
    )
