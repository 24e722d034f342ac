"""The country's global configuration: what it says, and publishing it.

The rule: signed as a central server signs it, by the key that the anchor names; whoever wants the
country changed changes the shared parameters and publishes again.
"""

from __future__ import annotations

import secrets
import string
from collections.abc import Sequence
from datetime import datetime, timedelta

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
from xgate.ids import ClientId
from xgate.sandbox.places import PROVIDER, Country, Place

__all__ = ["VALID_FOR", "describe_country", "publish_country"]

VALID_FOR = timedelta(days=30)
"""How long what was published holds."""

_PROFILE = "ee.ria.xroad.common.certificateprofile.impl.BasicCertificateProfileInfoProvider"
_CLASSES = {"COM": MemberClass("COM", "Companies"), "GOV": MemberClass("GOV", "Authorities")}
_NAMES = {"100": "Harbour Insurance", "200": "Population Office"}
_ALPHABET = string.ascii_letters + string.digits


def describe_country(country: Country) -> SharedParameters:
    """The shared parameters of a country as it was founded."""
    base = f"http://127.0.0.1:{country.ports.authority}"
    responder = OcspInfo(f"{base}/ocsp", country.ocsp.certificate.der, "FREE")
    configuration = country.configuration.certificate.der
    return SharedParameters(
        instance="XG",
        sources=(Source(f"127.0.0.1:{country.ports.authority}", (configuration,)),),
        certification_services=(
            CertificationService(
                "Sandbox CA", CaInfo(country.ca.certificate.der, (responder,)), _PROFILE
            ),
        ),
        timestamping_services=(
            TimestampingService("Sandbox TSA", f"{base}/tsa", country.tsa.certificate.der, "FREE"),
        ),
        members=tuple(map(_member, country.places)),
        servers=tuple(
            register_server(
                place.client.member,
                place.id.server_code,
                place.address,
                [place.auth_certificate.der],
                place.clients,
            )
            for place in country.places
        ),
        member_classes=tuple(_CLASSES.values()),
    )


def publish_country(
    country: Country,
    now: datetime,
    shared: SharedParameters | None = None,
    *,
    valid_for: timedelta = VALID_FOR,
) -> None:
    """Sign the configuration, put it under the web root, and keep a verified copy.

    :param shared: what it says; None: the country as it was founded.
    """
    management = ManagementService("https://127.0.0.1:4001/managementservice/", PROVIDER)
    private = PrivateParameters("XG", management, 60)
    certificate = country.configuration.certificate.der
    shared = shared or describe_country(country)
    files = publish(
        "XG",
        [
            PublishedPart(PRIVATE_PARAMETERS, "private-params.xml", write_private(private)),
            PublishedPart(SHARED_PARAMETERS, "shared-params.xml", write_shared(shared)),
        ],
        software_signer(country.configuration.key, certificate),
        Boundaries(_letters(), _letters()),
        generation=f"{now:%Y%m%d%H%M%S}{now.microsecond:06}000",
        expires=now + valid_for,
    )
    for name, octets in files.items():
        path = country.web_root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(octets)
    url = f"http://127.0.0.1:{country.ports.authority}/internalconf"
    anchor = Anchor("XG", (AnchorSource(url, (certificate,)),), now)
    (country.folder / "configuration-anchor.xml").write_bytes(write_anchor(anchor))
    write_disk(country.verification, TreeSource(anchor, country.web_root).fetch(now))


def _member(place: Place) -> Member:
    owner = place.client.member
    codes = _subsystems(place.clients)
    return Member(
        _CLASSES[owner.member_class],
        owner.member_code,
        _NAMES[owner.member_code],
        tuple(Subsystem(code, code.capitalize()) for code in codes),
    )


def _subsystems(clients: Sequence[ClientId]) -> list[str]:
    return [c.subsystem_code for c in clients if c.subsystem_code is not None]


def _letters() -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(20))
