"""What a country of the sandbox consists of: its places, its ports, its authorities' keys.

The rule: plain values; nothing here makes or runs anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from xgate.ids import ClientId, ServerId
from xgate.signer.token import TokenKey
from xgate.testing.pki import Credential
from xgate.trust.certificate import Certificate

__all__ = ["CONSUMER", "PROVIDER", "Country", "Hardware", "HardwareKey", "Place", "Ports", "Tenant"]

CONSUMER = ClientId("XG", "COM", "100", "portal")
PROVIDER = ClientId("XG", "GOV", "200", "registry")


class Ports(msgspec.Struct, frozen=True):
    """The ports of the country; all are on loopback.

    :param authority: OCSP, timestamps and configuration, on 127.0.0.1.
    :param services: the provider's information system, on 127.0.0.1.
    :param client: both servers, for information systems. :param client_tls: the same with TLS.
    :param server: both servers, for each other. :param ocsp: likewise.
    """

    authority: int
    services: int
    client: int
    client_tls: int
    server: int
    ocsp: int


class Tenant(msgspec.Struct, frozen=True):
    """A further client, on the server of its member.

    :param settings: TOML: its keys after ``id``, and its services.
    """

    id: ClientId
    settings: str = 'authentication = "NOSSL"'


class HardwareKey(msgspec.Struct, frozen=True):
    """A key on a hardware token, and its certificate."""

    key: TokenKey
    certificate: Certificate


class Hardware(msgspec.Struct, frozen=True):
    """The hardware token of a server.

    :param environment: what a process that uses the token has in its environment.
    :param token: its id.
    """

    environment: Mapping[str, str]
    token: str
    sign: HardwareKey
    auth: HardwareKey


class Place(msgspec.Struct, frozen=True):
    """One security server: where it lives, its keys, and where its files are.

    :param hardware: where its keys are instead, if they are on a hardware token.
    """

    name: str
    id: ServerId
    client: ClientId
    address: str
    folder: Path
    sign: Credential
    auth: Credential
    tenants: tuple[Tenant, ...] = ()
    hardware: Hardware | None = None

    @property
    def auth_certificate(self) -> Certificate:
        """What other servers know it by."""
        return self.auth.certificate if self.hardware is None else self.hardware.auth.certificate

    @property
    def settings(self) -> Path:
        """Its settings file."""
        return self.folder / "xgate.toml"

    @property
    def messagelog(self) -> Path:
        """Its message log."""
        return self.folder / "messagelog.sqlite"

    @property
    def clients(self) -> tuple[ClientId, ...]:
        """Everyone registered on it."""
        return (self.client, *(tenant.id for tenant in self.tenants))


class Country(msgspec.Struct, frozen=True):
    """The country: its authorities' keys, its places and its folder.

    :param configuration: signs the global configuration.
    """

    folder: Path
    ports: Ports
    ca: Credential
    ocsp: Credential
    tsa: Credential
    configuration: Credential
    consumer: Place
    provider: Place

    @property
    def places(self) -> tuple[Place, Place]:
        """Both servers."""
        return self.consumer, self.provider

    @property
    def web_root(self) -> Path:
        """What its configuration source publishes."""
        return self.folder / "web"

    @property
    def verification(self) -> Path:
        """Its configuration in the layout that ``xgate verify --globalconf`` reads."""
        return self.folder / "globalconf"
