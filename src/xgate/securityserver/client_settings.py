"""The clients of this server, their services and who may call them: ``[[client]]``.

The rule: one form for the settings file and for what ``xgate apply`` puts into the server's
configuration; unknown keys are refused; nothing is opened here.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from xgate.securityserver.section import Section

__all__ = [
    "AllowSettings",
    "ClientSettings",
    "DescriptionSettings",
    "Document",
    "GroupSettings",
    "ReadService",
    "ServiceSettings",
]

_Seconds = Annotated[float, msgspec.Meta(gt=0, le=86_400)]


class AllowSettings(Section, frozen=True):
    """One right. ``subject`` is a client, ``group:INST/CODE`` or ``local:CODE``."""

    subject: str
    method: str = "*"
    path: str = "**"


class ServiceSettings(Section, frozen=True):
    """One service of a client.

    :param description: URL of its WSDL or, for a REST service, OpenAPI 3 document (JSON or YAML).
    :param endpoints: what a REST service tells callers of: ``"GET /people/*"``, ``"* /pets/**"``.
    """

    code: str
    url: str
    type: Literal["REST", "SOAP"] = "REST"
    version: str | None = None
    timeout_seconds: _Seconds = 60.0
    verify_tls: bool = True
    disabled: str | None = None
    description: str = ""
    endpoints: tuple[str, ...] = ()
    allow: tuple[str | AllowSettings, ...] = ()


class ReadService(Section, frozen=True):
    """A service as its WSDL told of it when it was last read."""

    code: str
    url: str
    version: str | None = None


class DescriptionSettings(Section, frozen=True):
    """A WSDL or OpenAPI 3 document and the services in it, all with the same rights and limits.

    :param code: of the service that an OpenAPI document describes. :param service_url: where it is;
        empty: as the document's first server says.
    :param services: what was read from a WSDL. :param endpoints: what was read from an OpenAPI
        document, and ``read_url`` its first server. ``xgate apply`` and ``xgate refresh`` read
        them; nobody needs to write them.
    """

    url: str
    type: Literal["WSDL", "OPENAPI3"] = "WSDL"
    code: str = ""
    service_url: str = ""
    timeout_seconds: _Seconds = 60.0
    verify_tls: bool = True
    disabled: str | None = None
    allow: tuple[str | AllowSettings, ...] = ()
    services: tuple[ReadService, ...] = ()
    endpoints: tuple[str, ...] = ()
    read_url: str = ""


class GroupSettings(Section, frozen=True):
    """A local group of a client."""

    code: str
    members: tuple[str, ...] = ()


class ClientSettings(Section, frozen=True):
    """A member or subsystem registered on this server.

    :param certificates: of its information systems: files, or the certificates themselves in PEM.
    :param service: single services; one of a code and version wins over a described one.
    """

    id: str
    authentication: Literal["NOSSL", "SSLNOAUTH", "SSLAUTH"] = "SSLAUTH"
    certificates: tuple[str, ...] = ()
    service: tuple[ServiceSettings, ...] = ()
    description: tuple[DescriptionSettings, ...] = ()
    group: tuple[GroupSettings, ...] = ()


class Document(Section, frozen=True):
    """A server's own configuration as a whole.

    :param timestamping_services: URLs of those to use, in order of preference; None: as the
        settings say.
    """

    client: tuple[ClientSettings, ...] = ()
    timestamping_services: tuple[str, ...] | None = None
