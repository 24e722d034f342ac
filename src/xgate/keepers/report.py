"""How keepers tell what happened: one call, so that they know no log.

The rule: a keeper never ends because something outside failed; it reports and tries again.
"""

from __future__ import annotations

from typing import Protocol

__all__ = ["Report"]


class Report(Protocol):
    """Takes one event: its name, and what belongs to it."""

    def __call__(self, name: str, **fields: str | int | float | None) -> None:
        """Record the event."""
