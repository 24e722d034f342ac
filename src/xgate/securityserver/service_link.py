"""A connection to a provider's information system, by the address that is set for a service.

The rule: an https service shows a certificate that is listed for its client, octet for octet,
unless that is switched off; what the network does becomes a Fault (pipeline 9).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Container
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

import trio

from xgate.errors import Fault
from xgate.net.client import ClientConnection, ResponseHead
from xgate.net.errors import (
    ClosedError,
    ConnectError,
    HttpError,
    NetError,
    ResetError,
    TimedOutError,
    UnknownHostError,
)
from xgate.securityserver.services import Services
from xgate.serverconf.model import Service

__all__ = ["ask", "connected", "target_of_url"]

_LISTEN_SECONDS = 2.0


@asynccontextmanager
async def connected(
    url: str, service: Service, certificates: Container[bytes], services: Services
) -> AsyncIterator[ClientConnection]:
    """A connection to where ``url`` leads, for one call by the rules of ``service``.

    :param certificates: DER of those that are listed for the service's client.
    :param services: where connections are kept.

    :raises Fault: ``unknown_host``, ``network_error``, ``io_error``, ``ssl_authentication_failed``.
    """
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    try:
        connection = await services.open(
            parts.hostname or "", parts.port or (443 if secure else 80), secure, service.timeout
        )
        try:
            connection.timeout = service.timeout
            if secure and service.verify_tls:
                _check_pinned(connection.stream.peer_chain, service, certificates)
            yield connection
        except BaseException:
            await services.drop(connection)
            raise
        await services.give_back(connection)
    except (NetError, HttpError) as error:
        where = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        cause = f"{where}: {error} (timeout-seconds = {service.timeout:g})"
        raise Fault(*_told(error), cause=cause) from error


def _told(error: Exception) -> tuple[str, str]:
    """Code and text for the caller, who need not know where the service lives."""
    match error:
        case UnknownHostError():
            return "unknown_host", "The host of the service has no address"
        case ConnectError():
            return "network_error", "No connection to the service could be made"
        case ResetError():
            return "network_error", str(error)
        case TimedOutError():
            return "io_error", "The service took too long"
    return "io_error", str(error)


async def ask(connection: ClientConnection, send: Callable[[], Awaitable[None]]) -> ResponseHead:
    """Send a request, and receive the head of its answer.

    A service may answer before it has heard all, and hang up or take no more, as one does that
    finds a body too large: its answer counts more than the broken pipe.

    :param send: sends the whole request. Errors as ``ClientConnection``.
    """
    try:
        await send()
    except (ClosedError, TimedOutError):
        with trio.move_on_after(_LISTEN_SECONDS), suppress(NetError):
            return await connection.receive_head()
        raise
    return await connection.receive_head()


def _check_pinned(
    chain: tuple[bytes, ...], service: Service, certificates: Container[bytes]
) -> None:
    """An https service shows a certificate that is listed for its client, octet for octet."""
    if not certificates:
        client = service.id.client
        raise Fault("ssl_authentication_failed", f"Client '{client}' has no IS certificates")
    if not chain or chain[0] not in certificates:
        raise Fault("ssl_authentication_failed", "IS certificate is not trusted")


def target_of_url(url: str) -> str:
    """Path and query as written; nothing is decoded or dropped (rest-protocol trap 5)."""
    rest = url.split("://", 1)[1]
    cut = next((i for i, char in enumerate(rest) if char in "/?"), len(rest))
    target = rest[cut:].partition("#")[0]
    return target if target.startswith("/") else "/" + target
