"""Connections to services of information systems, kept for the next call.

The rule: a connection is reused for the same address only, when the last exchange on it is complete
and the line is quiet; nothing else is remembered between calls, no cookie and no redirect
(pipeline 9, rest-protocol 4).
"""

from __future__ import annotations

from collections.abc import Callable
from weakref import WeakKeyDictionary

from xgate.net.client import ClientConnection, HeadLimits, connect
from xgate.net.context import TlsContext
from xgate.net.pool import Pool, PoolLimits

__all__ = ["Services"]

_Key = tuple[str, int, bool]
# Below what common HTTP servers keep an idle connection for.
_LIMITS = PoolLimits(idle=4.0, per_key=64, total=1000)
_HEADS = HeadLimits()


class Services:
    """All connections to services."""

    def __init__(
        self,
        context: Callable[[], TlsContext],
        monotonic: Callable[[], float],
        *,
        rate: int = 1024,
        heads: HeadLimits = _HEADS,
    ) -> None:
        """:param context: for https now; offers the internal certificate.

        :param rate: octets a second that an answer must reach beyond the service's own time: none
            is waited for for ever. :param heads: of its answers.
        """
        self._rate = rate
        self._heads = heads
        self._context = context
        self._pool: Pool[_Key] = Pool(_LIMITS, monotonic)
        self._keys: WeakKeyDictionary[ClientConnection, _Key] = WeakKeyDictionary()

    async def open(self, host: str, port: int, secure: bool, timeout: float) -> ClientConnection:
        """A connection to this address, new or kept. Errors as ``net.client.connect``."""
        key = (host, port, secure)
        kept = await self._pool.take(key)
        if kept is not None:
            return kept
        tls = self._context() if secure else None
        connection = await connect(host, port, tls=tls, timeout=timeout, heads=self._heads)
        connection.rate = self._rate
        self._keys[connection] = key
        return connection

    async def give_back(self, connection: ClientConnection) -> None:
        """The call is over: keep the connection if it can serve another."""
        await self._pool.give_back(self._keys[connection], connection)

    async def drop(self, connection: ClientConnection) -> None:
        """Close a connection."""
        await connection.aclose()

    async def aclose(self) -> None:
        """Close all idle connections."""
        await self._pool.aclose()
