"""Sending to a peer that may hang up before it has heard all.

The rule: a server that refuses early says why and then closes, or takes no more; a send that fails
or stands still is therefore followed by a short listening, and what was said counts more than the
broken pipe (pipeline 16 trap 5). For the answer to a whole request there is much time, no more.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from functools import partial

import trio

from xgate.errors import SERVICE_FAILED, Fault, faults_under
from xgate.net.client import ClientConnection
from xgate.net.errors import ClosedError, NetError, RefusedError, ResetError, TimedOutError
from xgate.net.http import HeaderList
from xgate.net.stream import Octets
from xgate.securityserver.aside import read_aside
from xgate.wire.faults import read_soap_fault
from xgate.wire.transport import FaultHead, TransportLimits, read_response_head

__all__ = ["Outlet", "PeerSaidError", "read_fault_body"]

_LISTEN_SECONDS = 2.0
_STANDSTILL_SECONDS = 30.0


class PeerSaidError(Exception):
    """The peer ended the exchange while we were sending, with this ``fault``."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(str(fault))
        self.fault = fault


class Outlet:
    """The sending side of a connection; errors as ``ClientConnection``, and ``PeerSaidError``."""

    def __init__(
        self,
        peer: ClientConnection,
        standstill: float = _STANDSTILL_SECONDS,
        *,
        patience: float = math.inf,
        rate: int = 0,
        limits: TransportLimits | None = None,
    ) -> None:
        """:param standstill: how many seconds one send may take.

        :param patience: how many the answer may take. :param rate: and beyond that, how many octets
            a second it must have. :param limits: of a fault that it answers with.
        """
        self._peer = peer
        self._limits = limits or TransportLimits()
        self._patience, self._rate = patience, rate
        self._sound = True
        peer.timeout, peer.rate = standstill, 0

    async def start(
        self, method: str, target: str, headers: HeaderList, first: Octets = b""
    ) -> None:
        """Send the head of a chunked request with the first octets of its body."""
        await self._try(partial(self._peer.start, method, target, headers, first))

    async def send(self, data: Octets) -> None:
        """Send some of the body."""
        await self._try(partial(self._peer.send, data))

    async def finish(self, last: Octets) -> None:
        """Send the last of the body; the answer may take its time."""
        await self._try(partial(self._peer.finish, last))
        self._peer.timeout, self._peer.rate = self._patience, self._rate

    async def _try(self, send: Callable[[], Awaitable[None]]) -> None:
        if self._peer.heard:
            raise await self._reason(ClosedError("the server hung up in the middle of the request"))
        try:
            await send()
        except (ClosedError, TimedOutError) as error:
            self._sound = False
            raise await self._reason(error) from None

    async def _reason(self, error: NetError) -> Exception:
        with trio.move_on_after(_LISTEN_SECONDS):
            try:
                head = await self._peer.receive_head()
                read = read_response_head(head.status, head.reason, head.headers)
                if isinstance(read, FaultHead):
                    return PeerSaidError(await read_fault_body(self._peer, self._limits))
            except Fault as fault:
                return PeerSaidError(fault)
            except RefusedError as refusal:
                if self._sound:  # an alert; after a failed send OpenSSL has nothing to say
                    text = f"TLS handshake failed: {refusal}"
                    return PeerSaidError(Fault("ssl_authentication_failed", text))
            except ResetError as reset:
                return reset
            except NetError:
                pass  # nothing was said
        return error


async def read_fault_body(peer: ClientConnection, limits: TransportLimits) -> Fault:
    """The fault that is the whole body of an answer.

    :param limits: of its octets and its form.
    :raises Fault: ``service_failed...`` when it is none. :raises NetError: as the connection.
    """
    octets = bytearray()
    while data := await peer.receive():
        octets += data
        if len(octets) > limits.fault:
            text = f"The fault document is larger than {limits.fault} bytes"
            raise Fault("service_failed.io_error", text)
    read = partial(read_soap_fault, limit=limits.fault, bounds=limits.xml)
    with faults_under(SERVICE_FAILED):
        return await read_aside(bytes(octets), read)
