"""What every section of a settings file has in common.

The rule: every key is known or refused by name; keys are written with hyphens.
"""

from __future__ import annotations

import msgspec

__all__ = ["Section", "SettingsError"]


class SettingsError(Exception):
    """The settings file cannot be used; the text names the place, the cause and the mend."""


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    """A table of the settings file."""
