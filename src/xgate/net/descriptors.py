"""How many files and sockets this process may have open.

The rule: whoever owns the process takes all that the system grants it; whoever only lives in it
looks, and shares out what there is.
"""

from __future__ import annotations

import sys

if sys.platform != "win32":
    import resource  # it is not on every platform

__all__ = ["count_descriptors", "take_descriptors"]


def count_descriptors() -> int:
    """The limit as it is; a very large number where there is none."""
    if sys.platform == "win32":
        return sys.maxsize
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if soft == resource.RLIM_INFINITY else soft


def take_descriptors() -> None:
    """Raise the limit as far as this process may by itself."""
    if sys.platform != "win32":
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard != resource.RLIM_INFINITY:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
