"""What every section of the settings file has in common.

The rule: frozen, keys in kebab-case, and none but the known ones.
"""

from __future__ import annotations

import msgspec

__all__ = ["Section"]


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    """A table of the settings file."""
