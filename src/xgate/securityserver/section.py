"""What every section of a settings file has in common, and reading a whole file.

The rule: every key is known or refused by name, with a suggestion; keys are written with hyphens.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar, get_args, get_type_hints

import msgspec

__all__ = ["Section", "SettingsError", "read_table"]


class SettingsError(Exception):
    """The settings file cannot be used; the text names the place, the cause and the mend."""


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    """A table of the settings file."""


_S = TypeVar("_S", bound=Section)


def read_table(path: Path, kind: type[_S]) -> _S:
    """A TOML file as a section.

    :raises SettingsError: it cannot be read, is not TOML, or says something unknown or impossible.
    """
    try:
        with path.open("rb") as file:
            table = tomllib.load(file)
    except OSError as error:
        raise SettingsError(f"Cannot read {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not TOML: {error}") from None
    try:
        return msgspec.convert(table, kind)
    except msgspec.ValidationError as error:
        raise SettingsError(f"{path}: {_explain(str(error), kind, table)}") from None


_INDEX = re.compile(r"\[[^]]*\]")
_STEP = re.compile(r"\[[^]]*\]|[^.[]+")
_OUT_OF_BOUNDS = re.compile(r"Expected `(?:int|float)` [<>].* - at `\$(?P<at>.*)`")
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<name>[^`]*)`(?: - at `\$(?P<at>.*)`)?")


def _explain(text: str, whole: type[Section], table: Mapping[str, Any]) -> str:
    """The validation error in words: with the number that is out of bounds, or for an unknown key
    with the nearest known one.
    """
    match = _UNKNOWN.fullmatch(text)
    if match is None:
        bounded = _OUT_OF_BOUNDS.fullmatch(text)
        with suppress(LookupError, ValueError):  # a place in a table without a name of its own
            return f"{text}, and it is {_value_at(bounded['at'], table)}" if bounded else text
        return text
    place = (match["at"] or "").strip(".")
    section = _section_at(place, whole)
    known = section.__struct_encode_fields__
    near = difflib.get_close_matches(match["name"], known, n=1)
    where = f"[{_INDEX.sub('', place)}] " if place else ""
    hint = f"did you mean '{near[0]}'?" if near else "known here: " + ", ".join(known)
    return f"{where}unknown key '{match['name']}'; {hint}"


def _value_at(place: str, table: Mapping[str, Any]) -> object:
    """What a file has at a place that a validation error names."""
    found: Any = table
    for step in _STEP.findall(place):
        found = found[int(step[1:-1]) if step.startswith("[") else step]
    return found


def _section_at(place: str, section: type[Section]) -> type[Section]:
    for name in _INDEX.sub("", place).split("."):
        if name:
            section = _sections_in(section).get(name, section)
    return section


def _sections_in(section: type[Section]) -> dict[str, type[Section]]:
    """The sections below one, by their key, whether there is one of a kind or a list of them."""
    found = {}
    names = zip(section.__struct_fields__, section.__struct_encode_fields__, strict=True)
    hints = get_type_hints(section)
    for field, key in names:
        for kind in (hints[field], *get_args(hints[field])):
            if isinstance(kind, type) and issubclass(kind, Section):
                found[key] = kind
    return found
