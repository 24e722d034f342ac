"""The server that ``xgate doctor`` looks at: what it was told of it, and what its checks found out.

The rule: each check adds what it has found; what a later one takes from here was put there by those
that it needs, and nothing is kept beyond one run.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

import msgspec
import trio

from xgate.clock import Clock
from xgate.globalconf.anchor import Anchor
from xgate.globalconf.conf import GlobalConf
from xgate.policy.world import World
from xgate.securityserver.settings import Settings
from xgate.serverconf.model import ServerConf
from xgate.signer.keyring import Keyring
from xgate.signer.ocsp_cache import OcspCache
from xgate.trust.certificate import Certificate

__all__ = ["CALL_SECONDS", "Case", "Options", "OtherClock", "ask_all", "serial_text"]

CALL_SECONDS = 10.0
"""For each call over the network."""

_T = TypeVar("_T")
_R = TypeVar("_R")


class Options(msgspec.Struct, frozen=True):
    """What whoever asks may choose.

    :param peers: servers or clients to connect to, in the short form; none: some that there are.
    :param services: also connect to the information systems behind this server.
    :param days: a certificate that is valid for less is worth a warning.
    :param free_megabytes: a disk with less room is worth a warning; with a tenth of it, it is full.
    """

    peers: tuple[str, ...] = ()
    services: bool = False
    days: float = 30.0
    free_megabytes: float = 1024.0


class OtherClock(msgspec.Struct, frozen=True):
    """What another clock showed, as seen from ours.

    :param ahead: of ours. :param exact: False for one that tells only that it is at least so late.
    """

    whose: str
    ahead: timedelta
    exact: bool = True


class Case:
    """One server under examination; for use within one trio loop."""

    settings: Settings
    serverconf: ServerConf
    anchor: Anchor
    conf: GlobalConf
    ring: Keyring

    def __init__(self, config: Path, clock: Clock, options: Options | None = None) -> None:
        """:param config: the server's settings file."""
        self.config = config
        self.folder = config.resolve().parent
        self.clock = clock
        self.options = options or Options()
        self.clocks: list[OtherClock] = []
        self.ocsp = OcspCache()
        self.stands: set[str] = set()
        """Checks that found something broken, and yet what later ones need."""
        self.served: set[str] = set()
        """The doors at which this very server answers now."""

    @property
    def world(self) -> World:
        """What the server would decide by."""
        return World(self.conf, self.serverconf)

    @property
    def certificates(self) -> tuple[Certificate, ...]:
        """The server's own; empty while its keys are not open."""
        return self.ring.certificates() if hasattr(self, "ring") else ()

    def note_clock(self, whose: str, shown: datetime, *, exact: bool = True) -> None:
        """Remember what another clock has just shown; ``shown`` is aware."""
        self.clocks.append(OtherClock(whose, shown - self.clock.now(), exact))


async def ask_all(ask: Callable[[_T], Awaitable[_R]], items: Iterable[_T]) -> list[_R]:
    """``ask`` of all items at the same time; the answers in their order."""
    answers: dict[int, _R] = {}

    async def one(place: int, item: _T) -> None:
        answers[place] = await ask(item)

    async with trio.open_nursery() as nursery:
        for place, item in enumerate(items):
            nursery.start_soon(one, place, item)
    return [answers[place] for place in sorted(answers)]


def serial_text(certificate: Certificate) -> str:
    """How a certificate is called: by its serial number, shortened if it is long."""
    text = str(certificate.serial)
    return f"certificate {text if len(text) <= 12 else text[:8] + '...'}"
