"""What may befall a connection, in words: what a ``FaultProxy`` is told.

The rule: plain values, and plain octets in and out. Whatever is left to chance is drawn from a
generator that is given, for each octet and never for each piece: the same seed does the same harm
however the network has cut the stream.
"""

from __future__ import annotations

from random import Random
from typing import Literal

import msgspec

__all__ = ["CALM", "FAIR", "Arrival", "End", "Gust", "Weather", "Wind"]

Arrival = Literal["accept", "refuse", "close", "reset", "hang"]
"""What befalls whoever connects: they are handed on, or nobody listens, or they are accepted and
then closed on, reset, or left without a word (until the weather changes)."""

End = Literal["close", "half_close", "reset", "hang", "noise"]
"""What comes after some octets: the connection is over, in order or by a reset; this direction
alone is over; nothing more passes (until the weather changes); only random octets pass."""


class Wind(msgspec.Struct, frozen=True):
    """What befalls the octets of one direction, from the moment that this begins to blow.

    :param delay: seconds by which each piece is late, between the two.
    :param rate: octets per second; 0: as fast as they come.
    :param flips: of so many octets, between the two, one has a bit turned over; None: of none.
    :param after: how many octets pass before ``end`` comes, between the two.
    :param end: what comes then.
    """

    delay: tuple[float, float] = (0.0, 0.0)
    rate: float = 0.0
    flips: tuple[int, int] | None = None
    after: tuple[int, int] = (0, 0)
    end: End | None = None


CALM = Wind()
"""No harm at all."""


class Weather(msgspec.Struct, frozen=True):
    """What befalls connections.

    :param there: to the target. :param back: from it.
    :param answer: octets that whoever connects hears instead of the target, once it has spoken.
    """

    arrival: Arrival = "accept"
    there: Wind = CALM
    back: Wind = CALM
    answer: bytes | None = None


FAIR = Weather()
"""Everything passes as it comes."""


class Gust:
    """One direction of one connection while one wind blows."""

    def __init__(self, wind: Wind, random: Random) -> None:
        self._wind = wind
        self._random = random
        self._left = random.randint(*wind.after) if wind.end else None
        self._to_flip = random.randint(*wind.flips) if wind.flips else None

    @property
    def ended(self) -> End | None:
        """What has come, once the octets before it have passed."""
        return self._wind.end if self._left == 0 else None

    def feed(self, octets: bytes) -> tuple[bytes, bytes]:
        """What passes of these octets, harmed, and what does not because the wind has ended."""
        if self._left is None:
            return self._flip(octets), b""
        passed, kept = octets[: self._left], octets[self._left :]
        self._left -= len(passed)
        passed = self._flip(passed)
        if self.ended == "noise":
            return passed + self._random.randbytes(len(kept)), b""
        return passed, kept

    def _flip(self, octets: bytes) -> bytes:
        flips = self._wind.flips
        if flips is None or self._to_flip is None:
            return octets
        harmed = bytearray(octets)
        at = self._to_flip
        while at < len(harmed):
            harmed[at] ^= 1 << self._random.randrange(8)
            at += 1 + self._random.randint(*flips)
        self._to_flip = at - len(harmed)
        return bytes(harmed)
