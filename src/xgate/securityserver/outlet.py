"""Sending to a peer that may hang up before it has heard all.

The rule: a server that refuses early says why and closes; a send that fails is therefore followed
by a short listening, and what was said counts more than the broken pipe (pipeline 16 trap 5).
"""

from __future__ import annotations

import trio

from xgate.errors import SERVICE_FAILED, Fault, faults_under
from xgate.net.client import ClientConnection
from xgate.net.errors import ClosedError, NetError, TlsError
from xgate.net.http import HeaderList
from xgate.net.stream import Octets
from xgate.wire.faults import read_soap_fault
from xgate.wire.transport import FaultHead, read_response_head

__all__ = ["Outlet", "PeerSaidError", "read_fault_body"]

_FAULT_BYTES = 1 << 20
_LISTEN_SECONDS = 2.0


class PeerSaidError(Exception):
    """The peer ended the exchange while we were sending, with this ``fault``."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(str(fault))
        self.fault = fault


class Outlet:
    """The sending side of a connection; errors as ``ClientConnection``, and ``PeerSaidError``."""

    def __init__(self, peer: ClientConnection) -> None:
        self._peer = peer

    async def start(self, method: str, target: str, headers: HeaderList) -> None:
        """Send the head of a chunked request."""
        try:
            await self._peer.start(method, target, headers)
        except ClosedError as error:
            raise await self._reason(error) from None

    async def send(self, data: Octets) -> None:
        """Send some of the body."""
        try:
            await self._peer.send(data)
        except ClosedError as error:
            raise await self._reason(error) from None

    async def finish(self, last: Octets) -> None:
        """Send the last of the body."""
        try:
            await self._peer.finish(last)
        except ClosedError as error:
            raise await self._reason(error) from None

    async def _reason(self, error: ClosedError) -> Exception:
        with trio.move_on_after(_LISTEN_SECONDS):
            try:
                head = await self._peer.receive_head()
                read = read_response_head(head.status, head.reason, head.headers)
                if isinstance(read, FaultHead):
                    return PeerSaidError(await read_fault_body(self._peer))
            except TlsError as refusal:
                text = f"TLS handshake failed: {refusal}"
                return PeerSaidError(Fault("ssl_authentication_failed", text))
            except Fault as fault:
                return PeerSaidError(fault)
            except NetError:
                return error
        return error


async def read_fault_body(peer: ClientConnection) -> Fault:
    """The fault that is the whole body of an answer.

    :raises Fault: ``service_failed...`` when it is none. :raises NetError: as the connection.
    """
    octets = bytearray()
    while data := await peer.receive():
        octets += data
        if len(octets) > _FAULT_BYTES:
            raise Fault("service_failed.io_error", "The fault document is too large")
    with faults_under(SERVICE_FAILED):
        return read_soap_fault(bytes(octets))
