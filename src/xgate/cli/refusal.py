"""A refusal as commands show it: its code, its cause, and plain words.

The rule: the same three things for a person and for a script.
"""

from __future__ import annotations

import msgspec

from xgate.cli.words import find_words
from xgate.errors import Fault

__all__ = ["Refusal", "refusal_of", "refusal_rows"]


class Refusal(msgspec.Struct, frozen=True):
    """Why something was refused.

    :param code: as in X-Road 7.8, dotted.
    :param cause: one sentence of this very case.
    :param meaning: what the code means; None for a code that has no words.
    :param look_at: what to look at next.
    """

    code: str
    cause: str
    meaning: str | None = None
    look_at: str | None = None


def refusal_of(fault: Fault) -> Refusal:
    """The refusal that a fault is."""
    words = find_words(fault.code)
    if words is None:
        return Refusal(fault.code, fault.text)
    return Refusal(fault.code, fault.text, words.meaning, words.look_at)


def refusal_rows(refusal: Refusal) -> list[tuple[str, str]]:
    """The lines that show it to a person."""
    rows = [
        ("code", refusal.code),
        ("cause", refusal.cause),
        ("meaning", refusal.meaning),
        ("look at", refusal.look_at),
    ]
    return [(what, text) for what, text in rows if text]
