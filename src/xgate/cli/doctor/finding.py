"""What a check of ``xgate doctor`` has found, in the words of whoever has to mend it.

The rule: a finding tells what was seen, with its value; one that is not well tells also what should
have been seen, and what to do about it: a command, a setting, or whom to ask. No finding holds a
secret, for people send them to each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

__all__ = [
    "Finding",
    "State",
    "broken",
    "first_broken",
    "ok",
    "sentence_of",
    "skipped",
    "warning",
]

State = Literal["ok", "warning", "broken", "skipped"]


class Finding(msgspec.Struct, frozen=True, omit_defaults=True):
    """One finding.

    :param check: the name of the check that made it.
    :param about: which one it is about, where a check looks at several.
    :param because: for what was not looked at, the check that it needs.
    """

    check: str
    state: State
    observed: str
    about: str = ""
    expected: str = ""
    fix: str = ""
    because: str = ""


def ok(observed: str, *, about: str = "") -> Finding:
    """All is well; who runs the check names it."""
    return Finding("", "ok", observed, about)


def warning(observed: str, *, fix: str, about: str = "", expected: str = "") -> Finding:
    """It works, and will not for long, or not for all."""
    return Finding("", "warning", observed, about, expected, fix)


def broken(observed: str, *, fix: str, about: str = "", expected: str = "") -> Finding:
    """It does not work."""
    return Finding("", "broken", observed, about, expected, fix)


def skipped(observed: str, *, about: str = "", because: str = "") -> Finding:
    """It was not looked at."""
    return Finding("", "skipped", observed, about, because=because)


def first_broken(findings: Iterable[Finding]) -> Finding | None:
    """The first link of the chain that does not hold."""
    return next((finding for finding in findings if finding.state == "broken"), None)


def sentence_of(findings: Sequence[Finding]) -> str:
    """The whole verdict in one sentence: the first broken link, its value and its mend."""
    link = first_broken(findings)
    if link is not None:
        name = f"{link.check} ({link.about})" if link.about else link.check
        return f"The first broken link is {name}: {link.observed.rstrip('.')}. {link.fix}"
    warnings = sum(finding.state == "warning" for finding in findings)
    if warnings:
        return f"Nothing is broken; {warnings} {'warning' if warnings == 1 else 'warnings'}."
    return "Nothing is broken."
