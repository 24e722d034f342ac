"""A small country with two organisations: its authorities, its registry, its two security servers.

The rule: everything is made of real keys, real certificates and a signed configuration, written to
one folder; only the size is a toy's. ``authority`` serves it, ``pair`` runs its servers.
"""

from __future__ import annotations

import secrets
import socket
import string
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from xgate.globalconf.anchor import Anchor, AnchorSource
from xgate.globalconf.disk import write_disk
from xgate.globalconf.file_source import TreeSource
from xgate.globalconf.generate import (
    PRIVATE_PARAMETERS,
    SHARED_PARAMETERS,
    Boundaries,
    register_server,
    software_signer,
    write_anchor,
    write_private,
    write_shared,
)
from xgate.globalconf.private import ManagementService, PrivateParameters
from xgate.globalconf.publish import PublishedPart, publish
from xgate.globalconf.shared import (
    CaInfo,
    CertificationService,
    Member,
    MemberClass,
    OcspInfo,
    SharedParameters,
    Source,
    Subsystem,
    TimestampingService,
)
from xgate.ids import ClientId, ServerId
from xgate.signer.store import KeyEntry, StoredCertificate, write_store
from xgate.testing.pki import (
    Credential,
    EcKind,
    RsaKind,
    issue_auth,
    issue_ocsp,
    issue_sign,
    issue_tsa,
    make_ca,
    make_key,
)

__all__ = ["CONSUMER", "PROVIDER", "Country", "KeyKind", "Place", "Ports", "found_country"]

CONSUMER = ClientId("XG", "COM", "100", "portal")
PROVIDER = ClientId("XG", "GOV", "200", "registry")
KeyKind = EcKind | RsaKind
"""What all keys of a country are."""

_SERVERS = {"consumer": (CONSUMER, "127.0.0.2"), "provider": (PROVIDER, "127.0.0.3")}
_MONTH = timedelta(days=30)
_ALPHABET = string.ascii_letters + string.digits


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


class Place(msgspec.Struct, frozen=True):
    """One security server: where it lives and where its files are."""

    name: str
    id: ServerId
    client: ClientId
    address: str
    folder: Path

    @property
    def settings(self) -> Path:
        """Its settings file."""
        return self.folder / "xgate.toml"


class Country(msgspec.Struct, frozen=True):
    """The country: its authorities' keys, its places and its folder."""

    folder: Path
    ports: Ports
    ca: Credential
    ocsp: Credential
    tsa: Credential
    consumer: Place
    provider: Place

    @property
    def web_root(self) -> Path:
        """What its configuration source publishes."""
        return self.folder / "web"

    @property
    def verification(self) -> Path:
        """Its configuration in the layout that ``xgate verify --globalconf`` reads."""
        return self.folder / "globalconf"


def found_country(
    folder: Path, now: datetime, *, kind: KeyKind = "RSA-2048", services: str = ""
) -> Country:
    """Make all keys and certificates, sign the configuration, write every file.

    :param folder: exists; everything goes below it.
    :param services: TOML tables ``[[client.service]]`` of the provider; empty: the demo's two.
    """
    ports = _free_ports()
    ca = make_ca("Sandbox CA", key=make_key("sandbox ca", kind))
    country = Country(
        folder=folder,
        ports=ports,
        ca=ca,
        ocsp=issue_ocsp(ca, key=make_key("sandbox ocsp", kind)),
        tsa=issue_tsa(ca, key=make_key("sandbox tsa", kind)),
        consumer=_place(folder, "consumer"),
        provider=_place(folder, "provider"),
    )
    auth = {place.name: _write_keys(country, place, kind) for place in _places(country)}
    _publish(country, auth, now, kind)
    for place in _places(country):
        place.settings.write_text(_settings(country, place, services or _services(ports)))
    return country


def _places(country: Country) -> tuple[Place, Place]:
    return country.consumer, country.provider


def _place(folder: Path, name: str) -> Place:
    client, address = _SERVERS[name]
    return Place(name, ServerId(client.member, name.upper()), client, address, folder / name)


def _write_keys(country: Country, place: Place, kind: KeyKind) -> Credential:
    """Seal the server's two keys; returns its authentication credential."""
    sign = issue_sign(country.ca, place.client, key=make_key(f"sign {place.name}", kind))
    auth = issue_auth(country.ca, place.name, key=make_key(f"auth {place.name}", kind))
    member = place.client.member.short
    place.folder.mkdir()
    pin = secrets.token_urlsafe(12)
    write_store(
        place.folder / "keys.xgate",
        pin,
        [
            (_entry("SIGN", "SIGNING", sign, member), sign.key),
            (_entry("AUTH", "AUTHENTICATION", auth, None), auth.key),
        ],
    )
    pin_file = place.folder / "pin"
    pin_file.touch(mode=0o600)
    pin_file.write_text(pin + "\n")
    return auth


def _entry(key_id: str, usage: str, credential: Credential, member: str | None) -> KeyEntry:
    certificate = StoredCertificate(credential.certificate.der, member)
    return msgspec.convert(
        {"id": key_id, "label": key_id.lower(), "usage": usage, "certificates": [certificate]},
        KeyEntry,
        from_attributes=True,
    )


def _publish(country: Country, auth: dict[str, Credential], now: datetime, kind: KeyKind) -> None:
    """Sign the configuration, put it under the web root, and keep a verified copy."""
    key = make_key("sandbox configuration", kind)
    certificate = make_ca("Sandbox configuration", key=key).certificate.der
    shared = _shared(country, auth, certificate)
    management = ManagementService("https://127.0.0.1:4001/managementservice/", PROVIDER)
    private = PrivateParameters("XG", management, 60)
    files = publish(
        "XG",
        [
            PublishedPart(PRIVATE_PARAMETERS, "private-params.xml", write_private(private)),
            PublishedPart(SHARED_PARAMETERS, "shared-params.xml", write_shared(shared)),
        ],
        software_signer(key, certificate),
        Boundaries(_letters(), _letters()),
        generation=f"{now:%Y%m%d%H%M%S}{now.microsecond:06}000",
        expires=now + _MONTH,
    )
    for name, octets in files.items():
        path = country.web_root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(octets)
    url = f"http://127.0.0.1:{country.ports.authority}/internalconf"
    anchor = Anchor("XG", (AnchorSource(url, (certificate,)),), now)
    (country.folder / "configuration-anchor.xml").write_bytes(write_anchor(anchor))
    write_disk(country.verification, TreeSource(anchor, country.web_root).fetch(now))


def _shared(country: Country, auth: dict[str, Credential], certificate: bytes) -> SharedParameters:
    base = f"http://127.0.0.1:{country.ports.authority}"
    responder = OcspInfo(f"{base}/ocsp", country.ocsp.certificate.der, "FREE")
    classes = (MemberClass("COM", "Companies"), MemberClass("GOV", "Authorities"))
    return SharedParameters(
        instance="XG",
        sources=(Source(f"127.0.0.1:{country.ports.authority}", (certificate,)),),
        certification_services=(
            CertificationService(
                "Sandbox CA",
                CaInfo(country.ca.certificate.der, (responder,)),
                "ee.ria.xroad.common.certificateprofile.impl.BasicCertificateProfileInfoProvider",
            ),
        ),
        timestamping_services=(
            TimestampingService("Sandbox TSA", f"{base}/tsa", country.tsa.certificate.der, "FREE"),
        ),
        members=(
            Member(classes[0], "100", "Harbour Insurance", (Subsystem("portal", "Portal"),)),
            Member(classes[1], "200", "Population Office", (Subsystem("registry", "Registry"),)),
        ),
        servers=tuple(
            register_server(
                place.client.member,
                place.id.server_code,
                place.address,
                [auth[place.name].certificate.der],
                [place.client],
            )
            for place in _places(country)
        ),
        member_classes=classes,
    )


def _settings(country: Country, place: Place, services: str) -> str:
    ports = country.ports
    own = services if place.client == PROVIDER else ""
    return f"""# A security server of the sandbox country.
server = "{place.id.short}"

[listen]
client-host = "{place.address}"
client-http-port = {ports.client}
client-https-port = {ports.client_tls}
server-host = "{place.address}"
server-port = {ports.server}
ocsp-host = "{place.address}"
ocsp-port = {ports.ocsp}

[peers]
server-port = {ports.server}
ocsp-port = {ports.ocsp}

[globalconf]
use = "http"
anchor = "../configuration-anchor.xml"

[keys]
pin-file = "pin"

[messagelog.timestamping]
interval-seconds = 1.0

[[client]]
id = "{place.client.short}"
authentication = "NOSSL"
{own}"""


def _services(ports: Ports) -> str:
    base = f"http://127.0.0.1:{ports.services}"
    return f"""
[[client.service]]
code = "people"
type = "REST"
url = "{base}"
allow = ["{CONSUMER.short}"]

[[client.service]]
code = "secret"
type = "REST"
url = "{base}"

[[client.service]]
code = "getRandom"
version = "v1"
type = "SOAP"
url = "{base}/soap"
allow = ["{CONSUMER.short}"]
"""


def _letters() -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(20))


def _free_ports() -> Ports:
    """Ports that are free now on all the country's addresses."""
    addresses = ("127.0.0.1", *(address for _, address in _SERVERS.values()))
    held: list[socket.socket] = []
    try:
        return Ports(*(_hold(addresses, held) for _ in Ports.__struct_fields__))
    finally:
        for sock in held:
            sock.close()


def _hold(addresses: tuple[str, ...], held: list[socket.socket]) -> int:
    for _ in range(100):
        socks = [socket.socket() for _ in addresses]
        held += socks
        try:
            socks[0].bind((addresses[0], 0))
            port: int = socks[0].getsockname()[1]
            for sock, address in zip(socks[1:], addresses[1:], strict=True):
                sock.bind((address, port))
        except OSError:
            continue  # taken on another of our addresses: try a new one
        return port
    raise OSError("no free ports on loopback")
