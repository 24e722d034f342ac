"""A small country with two organisations: its authorities, its registry, its two security servers.

The rule: everything is made of real keys, real certificates and a signed configuration, written to
one folder; only the size is a toy's. ``authority`` serves it, ``pair`` runs its servers.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from xgate.ids import ClientId, ServerId
from xgate.sandbox.hardware import equip
from xgate.sandbox.places import CONSUMER, PROVIDER, Country, Place, Ports, Tenant
from xgate.sandbox.ports import find_free_ports
from xgate.sandbox.publication import publish_country
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

__all__ = [
    "CONSUMER",
    "PROVIDER",
    "Country",
    "KeyKind",
    "Place",
    "Ports",
    "Tenant",
    "found_country",
]

KeyKind = EcKind | RsaKind
"""What all keys of a country are."""

_ADDRESSES = ("127.0.0.1", "127.0.0.2", "127.0.0.3")


def found_country(
    folder: Path,
    now: datetime,
    *,
    kind: KeyKind = "RSA-2048",
    services: str = "",
    tenants: Sequence[Tenant] = (),
    stamp_seconds: float = 1.0,
    signers: bool = False,
    hsm: Path | None = None,
) -> Country:
    """Make all keys and certificates, sign the configuration, write every file.

    :param folder: exists; everything goes below it.
    :param services: TOML tables ``[[client.service]]`` of the provider, in which ``{base}`` stands
        for the address of its information system; empty: the demo's two.
    :param tenants: further clients, likewise.
    :param stamp_seconds: how often messages are timestamped.
    :param signers: leave the keys of each server to a signer beside it (``pair.start_signer``).
    :param hsm: SoftHSM2's library: both keys of each server are on a token of it, which a signer
        beside the server uses.
    :raises SoftHsmError: no token can be made.
    """
    ports = Ports(*find_free_ports(len(Ports.__struct_fields__), _ADDRESSES))
    ca = make_ca("Sandbox CA", key=make_key("sandbox ca", kind))
    country = Country(
        folder=folder,
        ports=ports,
        ca=ca,
        ocsp=issue_ocsp(ca, key=make_key("sandbox ocsp", kind)),
        tsa=issue_tsa(ca, key=make_key("sandbox tsa", kind)),
        configuration=make_ca("Sandbox configuration", key=make_key("sandbox conf", kind)),
        consumer=_place(folder, ca, "consumer", CONSUMER, tenants, kind),
        provider=_place(folder, ca, "provider", PROVIDER, tenants, kind),
    )
    for place in country.places:
        place.folder.mkdir()
    if hsm is not None:
        consumer, provider = (equip(place, ca, kind, hsm) for place in country.places)
        country = msgspec.structs.replace(country, consumer=consumer, provider=provider)
    for place in country.places:
        if place.hardware is None:
            _write_keys(place)
        offered = (services or _SERVICES) if place.client == PROVIDER else ""
        text = _settings(ports, place, offered, stamp_seconds)
        text = text.replace("[keys]\n", _KEYS[hsm is not None] if signers or hsm else "[keys]\n")
        place.settings.write_text(text.replace("{base}", f"http://127.0.0.1:{ports.services}"))
    publish_country(country, now)
    return country


def _place(
    folder: Path,
    ca: Credential,
    name: str,
    client: ClientId,
    tenants: Sequence[Tenant],
    kind: KeyKind,
) -> Place:
    return Place(
        name=name,
        id=ServerId(client.member, name.upper()),
        client=client,
        address=_ADDRESSES[1 if client == CONSUMER else 2],
        folder=folder / name,
        sign=issue_sign(ca, client, key=make_key(f"sign {name}", kind)),
        auth=issue_auth(ca, name, key=make_key(f"auth {name}", kind)),
        tenants=tuple(tenant for tenant in tenants if tenant.id.member == client.member),
    )


def _write_keys(place: Place) -> None:
    """Seal the server's two keys under a PIN of its own."""
    pin = secrets.token_urlsafe(12)
    member = place.client.member.short
    signing = StoredCertificate(place.sign.certificate.der, member)
    authentication = StoredCertificate(place.auth.certificate.der)
    write_store(
        place.folder / "keys.xgate",
        pin,
        [
            (KeyEntry("SIGN", "sign", "SIGNING", (signing,)), place.sign.key),
            (KeyEntry("AUTH", "auth", "AUTHENTICATION", (authentication,)), place.auth.key),
        ],
    )
    pin_file = place.folder / "pin"
    pin_file.touch(mode=0o600)
    pin_file.write_text(pin + "\n")


def _settings(ports: Ports, place: Place, services: str, stamp_seconds: float) -> str:
    tenants = "".join(
        f'\n[[client]]\nid = "{tenant.id.url}"\n{tenant.settings}\n' for tenant in place.tenants
    )
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
interval-seconds = {stamp_seconds}

[[client]]
id = "{place.client.short}"
authentication = "NOSSL"
{services}{tenants}"""


_KEYS = {
    False: '[keys]\nsigner = "run/signer.sock"\n',
    True: '[keys]\nsigner = "run/signer.sock"\ndevices = "devices.ini"\nauth-on-any-token = true\n',
}
_SERVICES = f"""
[[client.service]]
code = "people"
type = "REST"
url = "{{base}}"
allow = ["{CONSUMER.short}"]

[[client.service]]
code = "secret"
type = "REST"
url = "{{base}}"

[[client.service]]
code = "getRandom"
version = "v1"
type = "SOAP"
url = "{{base}}/soap"
allow = ["{CONSUMER.short}"]
"""
