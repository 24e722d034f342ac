"""Reading the descriptions of a document's services anew: what a WSDL or OpenAPI file says now.

The rule: all of them are read, side by side, and each that cannot be is named; nothing of a
document is changed in place. A description is fetched by the rules of the services in it, and one
that says what cannot be, or is another's to say, is not read.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
import trio

from xgate.errors import Fault
from xgate.ids import ClientId, ServiceId
from xgate.net.context import TlsIdentity, service_context
from xgate.securityserver.client_settings import (
    ClientSettings,
    DescriptionSettings,
    Document,
    ReadService,
)
from xgate.securityserver.description_fetch import fetch_description
from xgate.securityserver.registry import check_client, read_certificates, read_client_id
from xgate.securityserver.section import SettingsError
from xgate.securityserver.services import Services
from xgate.serverconf.model import Protocol, Service
from xgate.wire.described import read_openapi, read_wsdl

__all__ = ["Problem", "read_descriptions"]

_OK = 200
_AT_ONCE = 20


class Problem(msgspec.Struct, frozen=True):
    """A description that could not be read, and why."""

    client: str
    url: str
    cause: str


async def read_descriptions(
    document: Document, folder: Path, identity: TlsIdentity | None = None
) -> tuple[Document, Sequence[Problem]]:
    """The document as its descriptions are now; one that cannot be read stays as it was.

    :param folder: where relative certificate paths count from.
    :param identity: offered to https services; None: nothing is.
    :raises SettingsError: a client or certificate cannot be used.
    """
    context = service_context(identity)
    reader = _Reader(folder, Services(lambda: context, time.monotonic))
    clients: dict[int, ClientSettings] = {}

    async def read(number: int, client: ClientSettings) -> None:
        clients[number] = await reader.client(client)

    try:
        async with trio.open_nursery() as nursery:
            for number, client in enumerate(document.client):
                nursery.start_soon(read, number, client)
    finally:
        with trio.CancelScope(shield=True):
            await reader.services.aclose()
    whole = tuple(clients[number] for number in range(len(document.client)))
    return msgspec.structs.replace(document, client=whole), reader.problems


class _Reader:
    def __init__(self, folder: Path, services: Services) -> None:
        self.services = services
        self.problems: list[Problem] = []
        self._folder = folder
        self._turn = trio.CapacityLimiter(_AT_ONCE)

    async def client(self, client: ClientSettings) -> ClientSettings:
        certificates = frozenset(read_certificates(client.certificates, self._folder))
        identifier = read_client_id(client.id)
        described: list[DescriptionSettings] = []
        for description in client.description:
            try:
                async with self._turn:
                    read = await self._read(description, identifier, certificates)
                so_far = (*described, read)
                check_client(msgspec.structs.replace(client, description=so_far), self._folder)
                described.append(read)
            except (Fault, SettingsError) as error:
                self.problems.append(Problem(client.id, description.url, str(error)))
                described.append(description)
        return msgspec.structs.replace(client, description=tuple(described))

    async def _read(
        self, description: DescriptionSettings, client: ClientId, certificates: frozenset[bytes]
    ) -> DescriptionSettings:
        url = description.url
        code = description.code or "description"
        service = Service(
            ServiceId(client, code),
            Protocol.REST,
            url,
            verify_tls=description.verify_tls,
            description=url,
        )
        answer = await fetch_description(service, certificates, self.services)
        if answer.status != _OK:
            raise Fault("http_error", f"{url} answers {answer.status} {answer.reason}".rstrip())
        if description.type == "WSDL":
            found = read_wsdl(answer.octets)
            services = tuple(ReadService(one.code, one.url, one.version) for one in found)
            return msgspec.structs.replace(description, services=services)
        api = read_openapi(answer.octets, answer.content_type, url)
        if not api.url and not description.service_url:
            text = "The document names no server: say service-url"
            raise Fault("openapi_parsing_error", text)
        endpoints = tuple(f"{method} {path}" for method, path in api.endpoints)
        return msgspec.structs.replace(description, endpoints=endpoints, read_url=api.url)
