"""Connections to services of information systems, kept for the next call.

The rule: a connection is reused for the same address only, when the last exchange on it is complete
and the line is quiet; nothing else is remembered between calls, no cookie and no redirect
(pipeline 9, rest-protocol 4).
"""

from __future__ import annotations

from collections.abc import Callable

from xgate.net.client import ClientConnection, connect
from xgate.net.context import TlsContext

__all__ = ["Services"]

_Key = tuple[str, int, bool]
_IDLE_PER_SERVICE = 64
_IDLE_SECONDS = 4.0  # below what common HTTP servers keep an idle connection for


class Services:
    """All connections to services."""

    def __init__(self, context: Callable[[], TlsContext], monotonic: Callable[[], float]) -> None:
        """:param context: for https now; offers the internal certificate."""
        self._context = context
        self._monotonic = monotonic
        self._idle: dict[_Key, list[tuple[float, ClientConnection]]] = {}
        self._keys: dict[ClientConnection, _Key] = {}

    async def open(self, host: str, port: int, secure: bool, timeout: float) -> ClientConnection:
        """A connection to this address, new or kept. Errors as ``net.client.connect``."""
        key = (host, port, secure)
        waiting = self._idle.get(key, [])
        while waiting:
            since, kept = waiting.pop()
            if kept.reusable and self._monotonic() - since < _IDLE_SECONDS:
                return kept
            await self.drop(kept)
        tls = self._context() if secure else None
        connection = await connect(host, port, tls=tls, timeout=timeout)
        self._keys[connection] = key
        return connection

    async def give_back(self, connection: ClientConnection) -> None:
        """The call is over: keep the connection if it can serve another."""
        waiting = self._idle.setdefault(self._keys[connection], [])
        if connection.reusable and len(waiting) < _IDLE_PER_SERVICE:
            waiting.append((self._monotonic(), connection))
        else:
            await self.drop(connection)

    async def drop(self, connection: ClientConnection) -> None:
        """Close a connection."""
        self._keys.pop(connection, None)
        await connection.aclose()

    async def aclose(self) -> None:
        """Close all idle connections."""
        while self._idle:
            _, waiting = self._idle.popitem()
            for _, connection in waiting:
                await self.drop(connection)
