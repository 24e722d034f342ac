"""How keepers tell what happened: one call, so that they know no log.

The rule: a keeper never ends because something outside failed; it reports and tries again. That
holds for failures that nobody foresaw as well: those are reported with their whole trace.
"""

from __future__ import annotations

import traceback
from typing import Protocol

from xgate.errors import Fault
from xgate.net.errors import NetError

__all__ = ["Report", "cause_of"]


class Report(Protocol):
    """Takes one event: its name, and what belongs to it."""

    def __call__(self, name: str, **fields: str | int | float | None) -> None:
        """Record the event."""


def cause_of(error: Exception) -> str:
    """What to report of a failure: its words, or the trace of one that has no name here."""
    if isinstance(error, Fault | NetError | OSError):
        return str(error)
    return "".join(traceback.format_exception(error))
