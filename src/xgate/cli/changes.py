"""What differs between two sets of facts, as commands show it.

The rule: one line for each: ``+`` for what is new, ``-`` for what has gone, ``~`` for what has
another value; in the order of the facts' names.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

__all__ = ["Change", "change_line", "changes_between"]


class Change(msgspec.Struct, frozen=True):
    """``before`` is None for what is new, ``after`` for what has gone."""

    what: str
    before: str | None
    after: str | None


def changes_between(old: Mapping[str, str], new: Mapping[str, str]) -> tuple[Change, ...]:
    """All that differs."""
    return tuple(
        Change(what, old.get(what), new.get(what))
        for what in sorted({*old, *new})
        if old.get(what) != new.get(what)
    )


def change_line(change: Change) -> str:
    """One change for a person."""
    before, after = change.before, change.after
    if before is not None and after is not None:
        return f"~ {change.what}: {before} -> {after}"
    sign, value = ("+", after) if before is None else ("-", before)
    return f"{sign} {change.what}{': ' if value else ''}{value or ''}"
