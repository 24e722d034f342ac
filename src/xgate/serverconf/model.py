"""What this security server knows of itself: its clients, their services and who may call them.

The rule: a frozen value, built once from the settings and replaced whole. What is not written in
it does not exist: an unlisted client is unknown, an unlisted right is denied.
Sources: pipeline 3 (row 8), 4, 8; rest-protocol 8.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from xgate.ids import ClientId, ServerId, ServiceId, Subject

__all__ = [
    "Authentication",
    "Client",
    "Endpoint",
    "Protocol",
    "Right",
    "ServerConf",
    "Service",
    "ServiceKind",
]


class Authentication(StrEnum):
    """How a client's information system proves itself to its security server (pipeline 4)."""

    NOSSL = "NOSSL"
    SSLNOAUTH = "SSLNOAUTH"
    SSLAUTH = "SSLAUTH"


class Protocol(StrEnum):
    """Which message protocol a service speaks."""

    SOAP = "SOAP"
    REST = "REST"


class ServiceKind(StrEnum):
    """By what a service is described: its WSDL, nothing, or an OpenAPI 3 document."""

    WSDL = "WSDL"
    REST = "REST"
    OPENAPI3 = "OPENAPI3"


class Endpoint(msgspec.Struct, frozen=True):
    """A method and a path pattern of a REST service, as access rights use them (rest 8)."""

    method: str
    path: str


class Service(msgspec.Struct, frozen=True):
    """A service of one of our clients and where it really lives.

    :param url: the information system's address, http or https; empty: none given.
    :param timeout: seconds to connect, and to wait between octets of the answer.
    :param verify_tls: an https service must show a certificate listed for its client.
    :param disabled: the notice for callers when the service is switched off; None: it is on.
    :param description: URL of its WSDL or OpenAPI document, fetched when somebody asks; empty: it
        has none.
    :param endpoints: of a REST service, those that it tells callers of.
    """

    id: ServiceId
    protocol: Protocol
    url: str
    timeout: float = 60.0
    verify_tls: bool = True
    disabled: str | None = None
    description: str = ""
    endpoints: tuple[Endpoint, ...] = ()

    @property
    def kind(self) -> ServiceKind:
        """By what it is described: a REST service with a document is an OpenAPI one."""
        if self.protocol is Protocol.SOAP:
            return ServiceKind.WSDL
        return ServiceKind.OPENAPI3 if self.description else ServiceKind.REST


class Right(msgspec.Struct, frozen=True):
    """``subject`` may call the service ``service_code`` (all versions), at matching endpoints."""

    subject: Subject
    service_code: str
    method: str = "*"
    path: str = "**"

    @property
    def whole_service(self) -> bool:
        """Whether this is a right for the base endpoint, the only kind that SOAP knows."""
        return self.method == "*" and self.path == "**"


class Client(msgspec.Struct, frozen=True):
    """A member or subsystem registered on this server.

    :param certificates: DER of the certificates its information systems may show or be shown.
    :param services: by service code and version (None when it has none).
    :param groups: local groups: the code and who belongs to it.
    """

    id: ClientId
    authentication: Authentication = Authentication.NOSSL
    certificates: frozenset[bytes] = frozenset()
    services: Mapping[tuple[str, str | None], Service] = {}
    rights: tuple[Right, ...] = ()
    groups: Mapping[str, frozenset[ClientId]] = {}


class ServerConf(msgspec.Struct, frozen=True):
    """The whole: who this server is and whom it serves.

    :param timestamping_services: URLs of those to use, in order; None: others say which.
    """

    server: ServerId
    clients: Mapping[ClientId, Client] = {}
    timestamping_services: tuple[str, ...] | None = None

    def find_client(self, client: ClientId) -> Client | None:
        """The client registered under exactly this identifier, or None."""
        return self.clients.get(client)

    def find_service(self, service: ServiceId) -> Service | None:
        """The service with exactly this code and version, or None."""
        client = self.clients.get(service.client)
        if client is None:
            return None
        return client.services.get((service.service_code, service.service_version))
