"""Fetching the description of a service from its provider's information system.

The rule: as the service itself is called, but with patience of its own, and never more than a
document's worth; no redirect is followed (metaservices trap 9).
"""

from __future__ import annotations

from collections.abc import Container

import msgspec
import trio

from xgate.errors import Fault
from xgate.securityserver.service_link import connected, target_of_url
from xgate.securityserver.services import Services
from xgate.serverconf.model import Service
from xgate.wire.descriptions import DESCRIPTION_LIMIT

__all__ = ["FetchedDescription", "fetch_description"]

_SECONDS = 30.0  # to connect, and for each reading: whatever the service's own may be
_WHOLE_SECONDS = 60.0  # or a server that sends an octet now and then is waited for for ever


class FetchedDescription(msgspec.Struct, frozen=True):
    """The answer of whoever has the document, whatever its status."""

    status: int
    reason: str
    content_type: str
    octets: bytes


async def fetch_description(
    service: Service, certificates: Container[bytes], services: Services
) -> FetchedDescription:
    """Get what is at ``service.description``.

    :param certificates: DER, as for ``connected``.
    :raises Fault: as ``connected``; ``internal_error`` for more than a document; ``io_error`` when
        it takes longer than a minute.
    """
    with trio.move_on_after(_WHOLE_SECONDS):
        return await _fetch(service, certificates, services)
    raise Fault("io_error", f"The description did not come within {_WHOLE_SECONDS:g} seconds")


async def _fetch(
    service: Service, certificates: Container[bytes], services: Services
) -> FetchedDescription:
    url = service.description
    patient = msgspec.structs.replace(service, timeout=_SECONDS)
    async with connected(url, patient, certificates, services) as connection:
        await connection.request("GET", target_of_url(url), [("Accept", "*/*")])
        head = await connection.receive_head()
        octets = bytearray()
        while data := await connection.receive():
            octets += data
            if len(octets) > DESCRIPTION_LIMIT:
                text = f"The description is larger than {DESCRIPTION_LIMIT} octets"
                raise Fault("internal_error", text)
    content_type = head.find_header("content-type") or ""
    return FetchedDescription(head.status, head.reason, content_type, bytes(octets))
