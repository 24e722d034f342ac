"""Inputs out of other inputs: what nobody would think of, decided by a seed.

The rule: the same generator and the same inputs give the same output, and no output is longer than
the limit.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

__all__ = ["cut", "mutate"]

_NUMBERS = (b"0", b"1", b"-1", b"255", b"65536", b"4294967296", b"99999999999999999999", b"0x10")
_MOST_CUTS = 6
_MOST_CHANGES = 5


def mutate(
    random: Random, octets: bytes, other: bytes, words: Sequence[bytes], limit: int
) -> bytes:
    """Some changes to ``octets``.

    :param other: another input, of which pieces may be taken. :param words: what means something.
    """
    for _ in range(random.randint(1, _MOST_CHANGES)):
        octets = _change(random, octets, other, words)[:limit]
    return octets


def cut(random: Random, octets: bytes) -> list[bytes]:
    """The same octets in some pieces; all in single octets, now and then."""
    if len(octets) <= 2048 and random.random() < 0.05:
        return [octets[i : i + 1] for i in range(len(octets))]
    places = sorted(random.randint(0, len(octets)) for _ in range(random.randint(1, _MOST_CUTS)))
    return [octets[a:b] for a, b in zip([0, *places], [*places, len(octets)], strict=True)]


def _change(random: Random, octets: bytes, other: bytes, words: Sequence[bytes]) -> bytes:
    start = random.randint(0, len(octets))
    end = min(start + _length(random), len(octets))
    before, piece, after = octets[:start], octets[start:end], octets[end:]
    match random.randrange(10):
        case 0:  # one bit
            flipped = bytes([piece[0] ^ 1 << random.randrange(8)]) + piece[1:] if piece else b"\0"
            return before + flipped + after
        case 1:
            return before + after
        case 2:
            return before + piece * random.choice((2, 2, 3, 10, 300)) + after
        case 3:
            return before + random.randbytes(random.randint(1, 8)) + piece + after
        case 4:  # a piece of another input, put in or laid over
            begin = random.randint(0, len(other))
            taken = other[begin : begin + _length(random)]
            return before + taken + (after if random.random() < 0.5 else piece + after)
        case 5:
            return before
        case 6:
            return octets[:start] + other[random.randint(0, len(other)) :]
        case 7:
            return before + random.choice(_NUMBERS) + after
        case _:  # a word, put in or laid over
            return before + random.choice(words) + (piece if random.random() < 0.5 else b"") + after


def _length(random: Random) -> int:
    return random.choice((1, 1, 2, 4, 8, 16, 64, 256))
