"""Sources of the global configuration that other packages offer, by name.

The rule: a source is a name and a function that opens it from its own settings, offered as an entry
point of the group ``xgate.confsources``; its name must not be a shipped one. Its library is
imported only when it is used.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Protocol

from xgate.errors import Fault
from xgate.globalconf.source import ConfSource

__all__ = ["GROUP", "SHIPPED", "OpenConfSource", "find_source", "known_sources"]

GROUP = "xgate.confsources"
"""The entry points' group."""
SHIPPED = ("http", "disk", "published")
"""The names that are ours."""


class OpenConfSource(Protocol):
    """Opens a source."""

    def __call__(self, options: Mapping[str, Any], folder: Path) -> ConfSource:
        """:param options: the source's section of the settings, keys as written there.
        :param folder: where relative paths count from.
        :raises Fault: ``malformed_global_conf``: it cannot be opened so.
        """


def find_source(name: str) -> OpenConfSource | None:
    """The other package's source of this name; None when there is none.

    :raises Fault: ``malformed_global_conf`` when it is there and its library is not.
    """
    if name in SHIPPED:
        return None
    for entry in entry_points(group=GROUP, name=name):
        try:
            found: OpenConfSource = entry.load()
        except ImportError as error:
            text = f"The source '{name}' of the global configuration: {error}"
            raise Fault("malformed_global_conf", text) from None
        return found
    return None


def known_sources() -> list[str]:
    """The names there are, for people."""
    return sorted({*SHIPPED, *(entry.name for entry in entry_points(group=GROUP))})
