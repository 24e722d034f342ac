"""One value that keepers replace whole and readers never lock.

The rule: readers take ``value`` and keep what they took; whoever must act on a change waits for
it. ``version`` counts the changes, so that a watcher that was busy misses none.
"""

from __future__ import annotations

from typing import Generic, TypeVar

import trio

__all__ = ["Cell"]

T = TypeVar("T")


class Cell(Generic[T]):
    """A value that others may replace. For use within one trio loop.

    :param value: the first value; version 0.
    """

    __slots__ = ("_changed", "_value", "_version")

    def __init__(self, value: T) -> None:
        self._value = value
        self._version = 0
        self._changed: trio.Event | None = None

    @property
    def value(self) -> T:
        """The value now."""
        return self._value

    @property
    def version(self) -> int:
        """How often the value has been set since the beginning."""
        return self._version

    def set(self, value: T) -> None:
        """Replace the value and wake everyone who waits for a change."""
        self._value = value
        self._version += 1
        if self._changed is not None:
            self._changed.set()
            self._changed = None

    async def wait_changed(self, since: int | None = None) -> T:
        """Wait until the value is set, then return it.

        :param since: a ``version`` seen before: returns at once if it is no longer the present one.
        """
        seen = self._version if since is None else since
        if self._version != seen:
            await trio.lowlevel.checkpoint()
        while self._version == seen:
            if self._changed is None:
                self._changed = trio.Event()
            await self._changed.wait()
        return self._value

    def __repr__(self) -> str:
        # The value may be a key or a whole configuration: neither belongs in a log line.
        return f"<Cell version={self._version}>"
