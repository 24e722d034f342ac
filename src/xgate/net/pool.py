"""Connections between two exchanges, kept for the next one to the same server.

The rule: one is handed out again only when its last exchange is complete and the line is quiet, for
a short time, to the same key; of what is kept there is a limit for each key and one for all, and
the oldest goes first.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

import msgspec

from xgate.net.client import ClientConnection

__all__ = ["Pool", "PoolLimits"]

K = TypeVar("K", bound=Hashable)


class PoolLimits(msgspec.Struct, frozen=True):
    """What is kept.

    :param idle: seconds. :param per_key: connections for one server. :param total: for all.
    """

    idle: float
    per_key: int
    total: int


class Pool(Generic[K]):
    """Idle connections by what they are good for."""

    def __init__(self, limits: PoolLimits, monotonic: Callable[[], float]) -> None:
        self._limits = limits
        self._monotonic = monotonic
        self._by_key: dict[K, list[ClientConnection]] = {}
        self._since: dict[ClientConnection, tuple[K, float]] = {}  # the oldest first

    def __len__(self) -> int:
        return len(self._since)

    async def take(self, key: K) -> ClientConnection | None:
        """The one that was used last, if it can serve another exchange."""
        while waiting := self._by_key.get(key):
            connection = waiting[-1]
            fresh = self._monotonic() - self._since[connection][1] < self._limits.idle
            self._forget(connection)
            if fresh and connection.reusable:
                return connection
            await connection.aclose()
        return None

    async def give_back(self, key: K, connection: ClientConnection) -> None:
        """An exchange is over: keep the connection if it can serve another, or close it."""
        now = self._monotonic()
        full = len(self._by_key.get(key, ())) >= self._limits.per_key
        if full or not self._limits.total or not connection.reusable:
            await connection.aclose()
            return
        self._by_key.setdefault(key, []).append(connection)
        self._since[connection] = key, now
        while self._since:
            oldest, (_, since) = next(iter(self._since.items()))
            if len(self._since) <= self._limits.total and now - since < self._limits.idle:
                break
            self._forget(oldest)
            await oldest.aclose()

    async def aclose(self) -> None:
        """Close all."""
        while self._since:
            connection = next(iter(self._since))
            self._forget(connection)
            await connection.aclose()

    def _forget(self, connection: ClientConnection) -> None:
        key, _ = self._since.pop(connection)
        self._by_key[key].remove(connection)
        if not self._by_key[key]:
            del self._by_key[key]
