"""Which log store a server uses, by name: the shipped ones, and those of other packages.

The rule: a store is a name and a function that opens it from its own settings. Another package
offers one as an entry point of the group ``xgate.logstores``; its name must not be a shipped one.
A store's library is imported only when the store is used.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Protocol

from xgate.errors import Fault
from xgate.messagelog.sqlite import SqliteStore
from xgate.messagelog.store import LogStore

__all__ = ["GROUP", "OpenStore", "find_store", "known_stores"]

GROUP = "xgate.logstores"
"""The entry points' group."""


class OpenStore(Protocol):
    """Opens a store."""

    def __call__(
        self, options: Mapping[str, Any], folder: Path, *, read_only: bool = False
    ) -> LogStore:
        """:param options: the store's section of the settings, keys as written there.
        :param folder: where relative paths count from.
        :raises Fault: ``logging_failed``: it cannot be opened so.
        """


def find_store(name: str) -> OpenStore | None:
    """The store of this name; None when there is none.

    :raises Fault: ``logging_failed`` when it is there and its library is not.
    """
    if name in _SHIPPED:
        return _SHIPPED[name]
    for entry in entry_points(group=GROUP, name=name):
        try:
            found: OpenStore = entry.load()
        except ImportError as error:
            raise Fault("logging_failed", f"The log store '{name}': {error}") from None
        return found
    return None


def known_stores() -> list[str]:
    """The names there are, for people."""
    return sorted({*_SHIPPED, *(entry.name for entry in entry_points(group=GROUP))})


def _open_sqlite(options: Mapping[str, Any], folder: Path, *, read_only: bool = False) -> LogStore:
    return SqliteStore(folder / options["path"], read_only=read_only)


def _open_postgres(
    options: Mapping[str, Any], folder: Path, *, read_only: bool = False
) -> LogStore:
    try:
        from xgate.messagelog.postgres import PostgresStore
    except ImportError as error:
        raise Fault(
            "logging_failed", f"The log store 'postgres' needs the extra xgate[postgres]: {error}"
        ) from None
    return PostgresStore(
        options["conninfo"],
        read_only=read_only,
        connect_seconds=options["connect-seconds"],
        answer_seconds=options["answer-seconds"],
    )


_SHIPPED: dict[str, OpenStore] = {"sqlite": _open_sqlite, "postgres": _open_postgres}
