r"""Which OpenPGP keys open a member's archives: the file of ``memberId = keyId`` lines.

The rule: as the reference reads it. A member has several keys by several lines; ``\=`` and ``\#``
are escapes in the member's id only; the key is the rest of the line, blanks and ``#`` included;
lines that say nothing are passed over. Source: asic 4.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

__all__ = ["read_key_map", "useless_lines"]

_SEPARATOR = re.compile(r"(?<!\\)=")
_ESCAPE = re.compile(r"\\([=#])")


def read_key_map(text: str) -> Mapping[str, tuple[str, ...]]:
    """The keys of each member (``INST/CLASS/CODE``), in the order of the file, each once."""
    keys: dict[str, dict[str, None]] = {}
    for _, pair in _lines(text):
        if pair is not None:
            member, key = pair
            keys.setdefault(member, {})[key] = None
    return {member: tuple(found) for member, found in keys.items()}


def useless_lines(text: str) -> tuple[int, ...]:
    """The numbers of lines that are neither comments nor mappings: to warn of."""
    return tuple(number for number, pair in _lines(text) if pair is None)


def _lines(text: str) -> Iterator[tuple[int, tuple[str, str] | None]]:
    for number, raw in enumerate(text.split("\n"), start=1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        member, *rest = _SEPARATOR.split(line, maxsplit=1)
        member, key = _ESCAPE.sub(r"\1", member.strip()), "".join(rest).strip()
        yield number, (member, key) if member and key else None
