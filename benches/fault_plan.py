"""What is to go wrong, and when: a plan that a seed decides.

The rule: the same seed, number and kinds give the same plan, whatever the machine does meanwhile.
Faults come in storms; within one they overlap, but never on the same thing in the same way, and
after it everything is cured, so that recovery can be seen and timed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from random import Random
from typing import NamedTuple

__all__ = ["DATABASE", "FILES", "KINDS", "SERVERS", "WIRES", "Fault", "plan_storms"]

SERVERS = ("consumer", "provider")
"""The two security servers: what can be killed, paused, and left without room."""

WIRES = {
    "delay": ("peers", "services", "client"),
    "reset": ("peers", "services", "client", "conf", "ocsp", "tsa"),
    "half_close": ("peers", "client"),
    "noise": ("peers", "conf", "ocsp", "tsa"),
    "refuse": ("peers", "peers_ocsp", "services", "client", "conf", "ocsp", "tsa"),
    "hang": ("peers", "peers_ocsp", "services", "client", "conf", "ocsp", "tsa"),
    "trickle": ("services", "conf", "ocsp", "tsa"),
    "busy": ("conf", "ocsp", "tsa"),
}
"""What can happen to connections, and to which of ``xgate.sandbox.wires``.

There is no noise where nothing would tell it from what was sent.
"""

FILES = ("disk_full", "file_limit")
"""Nothing more can be written: to the log's file system, or to any file."""

DATABASE = ("database_stop", "database_crash", "database_pause")
"""What can happen to PostgreSQL."""

KINDS: dict[str, tuple[int, tuple[str, ...]]] = {
    "kill": (6, SERVERS),
    "pause": (4, SERVERS),
    "disk_full": (5, SERVERS),
    "file_limit": (4, SERVERS),
    **dict.fromkeys(DATABASE, (4, ("",))),
    **{f"wire_{harm}": (3, wires) for harm, wires in WIRES.items()},
}
"""Every kind of fault: how often it comes, by weight, and what it can befall."""

_STORM = (2, 8)  # how many faults one has
_SPREAD = 1.0  # seconds within which all of its faults begin
_SHORTEST = 0.1
_ROOM = (0, 1, 4096, 20_000, 100_000)  # octets that are left when there is no room


class Fault(NamedTuple):
    """One fault.

    :param after: seconds after the storm's beginning. :param lasts: seconds until its cure.
    :param room: for a fault of ``FILES``, how many octets can still be written.
    """

    kind: str
    target: str
    after: float
    lasts: float
    room: int

    def __str__(self) -> str:
        name = f"{self.kind} {self.target}".strip()
        return name if self.kind == "kill" else f"{name} {self.lasts:.1f} s"


def plan_storms(
    seed: int, number: int, kinds: Collection[str], longest: float
) -> Iterator[list[Fault]]:
    """Storms that have ``number`` faults together.

    :param kinds: those of ``KINDS`` that can be had here. :param longest: seconds of one fault.
    """
    random = Random(seed)
    possible = [kind for kind in KINDS if kind in kinds]
    weights = [KINDS[kind][0] for kind in possible]
    while number > 0:
        storm: list[Fault] = []
        for _ in range(min(number, random.randint(*_STORM))):
            taken = {_thing(fault.kind, fault.target) for fault in storm}
            fault = _draw(random, possible, weights, longest)
            if fault.kind == "kill" or _thing(fault.kind, fault.target) not in taken:
                storm.append(fault)
        number -= len(storm)
        yield sorted(storm, key=lambda fault: fault.after)


def _draw(random: Random, kinds: list[str], weights: list[int], longest: float) -> Fault:
    (kind,) = random.choices(kinds, weights)
    return Fault(
        kind,
        random.choice(KINDS[kind][1]),
        random.uniform(0, _SPREAD),
        random.uniform(_SHORTEST, longest),
        random.choice(_ROOM),
    )


def _thing(kind: str, target: str) -> tuple[str, str]:
    """What a fault acts on: of two on the same thing, the first cure would end both."""
    return kind.partition("_")[0], target
