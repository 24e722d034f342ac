"""How long a keeper rests before it asks somebody outside again.

The rule: never longer than was said, and never all servers at the same moment: those that lost a
service together, or were started together, do not come back to it together.
"""

from __future__ import annotations

from random import SystemRandom

__all__ = ["spread"]

_LEAST = 0.8
uniform = SystemRandom().uniform  # of the system: nobody's seed, and nobody's state, is touched


def spread(seconds: float) -> float:
    """These seconds, or up to a fifth less."""
    return seconds * uniform(_LEAST, 1.0)
