"""Which of a provider's servers carries a message: the one that was good last, else the fastest.

The rule: all are dialled at once and the first TCP connection counts; who answers must then prove
itself, and who fails is passed over for the rest (pipeline 5). The last good one is remembered and
asked alone; one that has failed is asked last for a while. Nobody may keep us waiting for more than
seconds while there are others. When none is left the last refusal that has a code is the answer.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence
from random import SystemRandom

import trio

from xgate.errors import Fault
from xgate.net.client import ClientConnection
from xgate.net.dial import dial_first
from xgate.net.errors import ClosedError, NetError, TimedOutError, TlsError
from xgate.net.resolve import in_url
from xgate.net.stream import SocketStream
from xgate.net.turns import Turns
from xgate.securityserver.peer_settings import PeerSettings

__all__ = ["Choice", "Prove"]

_REMEMBERED = 10_000  # sets of candidates whose last good one is kept
_SHORTEST = 5.0  # seconds that connecting is given however often it has failed already

Prove = Callable[[str, SocketStream, float], Awaitable[ClientConnection]]
"""Given an address, a connection to it and seconds for its handshake: the judged connection.

It closes the connection if it raises ``Fault`` or ``NetError``.
"""


class Choice:
    """Chooses among the addresses of a provider; remembers who was good and who was not."""

    def __init__(self, settings: PeerSettings, monotonic: Callable[[], float]) -> None:
        self._settings = settings
        self._monotonic = monotonic
        self._turns = Turns(monotonic, settings.rest_seconds)
        self._good: dict[frozenset[str], tuple[str, float]] = {}

    async def connect(self, addresses: Sequence[str], prove: Prove) -> ClientConnection:
        """A connection that ``prove`` has found good, to one of the addresses.

        :raises Fault: the last one that ``prove`` raised; ``ssl_authentication_failed`` if no
            handshake went well; ``network_error`` if nobody can be reached.
        """
        everybody = frozenset(addresses)
        left = SystemRandom().sample(addresses, len(addresses))
        timeout = self._settings.connect_timeout
        refusal: Fault | None = None
        good = self._find_good(everybody)
        while left:
            asked = [good] if good is not None else self._turns.split(left)[0] or list(left)
            connection, failed, fault = await self._try(asked, len(left) > 1, timeout, good, prove)
            if connection is not None:
                self._turns.answered(connection.target)
                self._remember(everybody, connection.target)
                return connection
            refusal = fault or refusal
            for address in failed:
                self._turns.failed(address)
                left.remove(address)
            if good is not None:
                self._good.pop(everybody, None)
                good = None
            else:
                timeout = max(timeout / 2, min(_SHORTEST, timeout))
        raise refusal or self._unreachable(addresses)

    async def _try(
        self, asked: Sequence[str], others: bool, timeout: float, good: str | None, prove: Prove
    ) -> tuple[ClientConnection | None, Sequence[str], Fault | None]:
        """Ask some at once: the connection, or who has failed and why, if that has a code."""
        patience = self._settings.patience_seconds if others else math.inf
        failed = asked
        deadline = trio.current_time() + timeout
        try:
            with trio.move_on_after(patience if good is not None else math.inf):
                hosts = [self._settings.hosts.get(address, address) for address in asked]
                number, stream = await dial_first(
                    hosts, self._settings.server_port, timeout=min(timeout, patience)
                )
                failed = [asked[number]]
                left = deadline - trio.current_time()
                with trio.move_on_after(patience):
                    return await prove(failed[0], stream, left), (), None
                raise TimedOutError("judging took too long")
        except (TlsError, ClosedError) as error:
            fault = Fault("ssl_authentication_failed", f"TLS handshake failed: {error}")
            return None, failed, fault
        except NetError:
            pass
        except Fault as fault:
            return None, failed, fault
        return None, failed, None

    def _find_good(self, everybody: frozenset[str]) -> str | None:
        good, since = self._good.get(everybody, (None, 0.0))
        if good is not None and self._monotonic() - since >= self._settings.remember_seconds:
            del self._good[everybody]
            return None
        return good

    def _remember(self, everybody: frozenset[str], address: str) -> None:
        if not self._settings.remember_seconds or len(everybody) < 2:
            return
        self._good.setdefault(everybody, (address, self._monotonic()))
        while len(self._good) > _REMEMBERED:
            del self._good[next(iter(self._good))]

    def _unreachable(self, addresses: Sequence[str]) -> Fault:
        port = self._settings.server_port
        targets = ", ".join(f"https://{in_url(address)}:{port}/" for address in addresses)
        return Fault("network_error", f"Could not connect to any target host ([{targets}])")
