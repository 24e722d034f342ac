"""Two instances that trust each other's central servers, and each its own CA: messages across.

Both name their CA alike, each certifies its own members alone, each stamps by a service of its
own; and the partner may still publish version 2, whose servers are registered by SHA-1.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from xgate.clock import Clock, SystemClock
from xgate.globalconf.anchor import Anchor, AnchorSource
from xgate.globalconf.disk import read_disk
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
from xgate.messagelog.evidence import write_evidence
from xgate.messagelog.record import LoggedRecord
from xgate.messagelog.sqlite import SqliteStore
from xgate.sandbox import country as sandbox
from xgate.sandbox.authority import Authority
from xgate.sandbox.country import CONSUMER, Country
from xgate.sandbox.lines import Lines
from xgate.sandbox.places import Place, Ports
from xgate.sandbox.ports import find_free_ports
from xgate.testing.pki import Credential, issue_ocsp, issue_tsa, make_ca, make_key
from xgate.testing.responders import GOOD, answer_ocsp, answer_timestamp
from xgate.trust.verify import ContainerProof, verify_container

if TYPE_CHECKING:
    from tests.journeys.conftest import Started, Starter

PARTNER = ClientId("YY", "GOV", "200", "population")
_PROFILE = "ee.ria.xroad.common.certificateprofile.impl.BasicCertificateProfileInfoProvider"


class Instance(msgspec.Struct, frozen=True):
    """One of the two: its authorities, what its central server publishes, and its only server."""

    name: str
    ca: Credential
    ocsp: Credential
    tsa: Credential
    place: Place
    version: int
    internal: Credential
    external: Credential


class Authorities(Authority):
    """Those of both instances: the partner's answer at ``/ocsp-yy`` and ``/tsa-yy``."""

    def __init__(self, country: Country, partner: Instance, clock: Clock) -> None:
        super().__init__(country, clock)
        self._partner = partner
        self._time = clock
        self._doors |= {"/ocsp-yy": self._their_ocsp, "/tsa-yy": self._their_tsa}

    def _their_ocsp(self, request: bytes) -> tuple[str, bytes]:
        known, ca = self._partner.ocsp, self._partner.ca.certificate
        answer = answer_ocsp(
            request,
            known,
            ca,
            lambda serial: self.revoked.get(serial, GOOD),
            self._time.now(),
            certificates=(known.certificate,),
        )
        return "application/ocsp-response", answer

    def _their_tsa(self, request: bytes) -> tuple[str, bytes]:
        tsa, now = self._partner.tsa, self._time.now()
        return "application/timestamp-reply", answer_timestamp(
            request, tsa, now, next(self._serials)
        )


def found_instances(folder: Path, version: int) -> tuple[Country, Instance]:
    """A country whose provider's server lives in ``YY``, and ``YY``, of this version."""
    ports = Ports(
        *find_free_ports(len(Ports.__struct_fields__), ["127.0.0.1", "127.0.0.2", "127.0.0.3"])
    )
    instances = []
    for name, client, kind in (("XG", CONSUMER, "consumer"), ("YY", PARTNER, "provider")):
        ca = make_ca("The approved CA", key=make_key(f"CA of {name}"))
        instances.append(
            Instance(
                name,
                ca,
                issue_ocsp(ca, f"{name} OCSP"),
                issue_tsa(ca, f"{name} TSA"),
                sandbox._place(folder, ca, kind, client, (), "P-256"),
                6 if name == "XG" else version,
                make_ca(f"{name} internal configuration"),
                make_ca(f"{name} external configuration"),
            )
        )
    ours, theirs = instances
    country = Country(
        folder, ports, ours.ca, ours.ocsp, ours.tsa, ours.internal, ours.place, theirs.place
    )
    for one in instances:
        _settle(country, one)
    publish_instances(country, [ours, theirs])
    country.verification.symlink_to(country.consumer.folder / "globalconf")
    return country, theirs


def _settle(country: Country, one: Instance) -> None:
    place = one.place
    place.folder.mkdir()
    sandbox._write_keys(place)
    service = ""
    if one.name == "YY":
        url = f"http://127.0.0.1:{country.ports.services}"
        for code, kind, path in (("echo", "REST", "/rest/echo"), ("tell", "SOAP", "/soap/tell")):
            service += f'\n[[client.service]]\ncode = "{code}"\ntype = "{kind}"\n'
            service += f'url = "{url}{path}"\nallow = ["{CONSUMER.short}"]\n'
    text = sandbox._settings(country.ports, place, service, 0.1)
    other = "YY" if one.name == "XG" else "XG"
    anchor = f'anchor = "../anchor-{one.name}.xml"\nallowed-federations = ["{other}"]\n'
    place.settings.write_text(text.replace('anchor = "../configuration-anchor.xml"\n', anchor))


def publish_instances(country: Country, instances: Sequence[Instance]) -> None:
    """What both central servers publish: everything for their own, members for the partner."""
    now = SystemClock().now()
    base = f"http://127.0.0.1:{country.ports.authority}"
    outer = [
        Anchor(one.name, (AnchorSource(f"{base}/{one.name}-out/conf", (_der(one.external),)),), now)
        for one in instances
    ]
    for one, others in zip(instances, reversed(outer), strict=True):
        shared = write_shared(_members(one, base), version=one.version)
        management = ManagementService("https://127.0.0.1:4001/", one.place.client)
        private = PrivateParameters(one.name, management, 60, (others,))
        parts = [
            PublishedPart(SHARED_PARAMETERS, "shared-params.xml", shared),
            PublishedPart(PRIVATE_PARAMETERS, "private-params.xml", write_private(private)),
        ]
        _publish(country, one, f"{one.name}", parts, one.internal, now)
        _publish(country, one, f"{one.name}-out", parts[:1], one.external, now)
        inner = AnchorSource(f"{base}/{one.name}/conf", (_der(one.internal),))
        anchor = write_anchor(Anchor(one.name, (inner,), now))
        (country.folder / f"anchor-{one.name}.xml").write_bytes(anchor)


def _publish(
    country: Country,
    one: Instance,
    name: str,
    parts: Sequence[PublishedPart],
    signer: Credential,
    now: datetime,
) -> None:
    files = publish(
        one.name,
        parts,
        software_signer(signer.key, _der(signer)),
        Boundaries("outer" * 4, "inner" * 4),
        generation=name,
        expires=now + timedelta(days=1),
        version=one.version,
    )
    for path, octets in files.items():
        if path.endswith("/internalconf"):
            path = f"{name}/conf-v{one.version}"
        target = country.web_root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(octets)


def _members(one: Instance, base: str) -> SharedParameters:
    place, member = one.place, one.place.client.member
    end = "" if one.name == "XG" else "-yy"
    responder = OcspInfo(f"{base}/ocsp{end}", _der(one.ocsp))
    member_class = MemberClass(member.member_class, "A class")
    subsystem = Subsystem(place.client.subsystem_code or "", "A subsystem")
    return SharedParameters(
        one.name,
        sources=(
            Source(base.removeprefix("http://"), (_der(one.internal),), (_der(one.external),)),
        ),
        certification_services=(
            CertificationService("The CA", CaInfo(_der(one.ca), (responder,)), _PROFILE),
        ),
        timestamping_services=(TimestampingService("TSA", f"{base}/tsa{end}", _der(one.tsa)),),
        members=(Member(member_class, member.member_code, "A member", (subsystem,)),),
        servers=(
            register_server(
                member,
                place.id.server_code,
                place.address,
                [_der(place.auth)],
                place.clients,
                version=one.version,
            ),
        ),
        member_classes=(member_class,),
    )


def _der(credential: Credential) -> bytes:
    return credential.certificate.der


async def ask(started: Started, query: str) -> list[str]:
    """The same question in both protocols; the codes of the answers."""
    caller, head = started.caller, [("X-Road-Id", f"{query}-rest")]
    rest = await caller.rest("POST", "", head, b"x", service="echo", provider=PARTNER)
    return [rest.code, (await caller.soap("tell", f"{query}-soap", provider=PARTNER)).code]


async def prove(place: Place, lines: Lines, query: str) -> list[ContainerProof]:
    """What a server has logged under this query id, proven by its own configuration."""
    conf = read_disk(place.folder / "globalconf", SystemClock().now()).conf
    with closing(SqliteStore(place.messagelog)) as store:
        records: list[LoggedRecord] = []
        while not records or not all(record.stamp for record in records):
            since = len(lines)
            records = list(store.find(query_id=query))
            if not all(record.stamp for record in records):
                await lines.wait("timestamped", since=since)
        return [verify_container(conf, write_evidence(record)[1]) for record in records]


@pytest.mark.parametrize("version", [6, 2])
async def test_messages_cross_the_border_and_are_proven_on_both_sides(
    start: Starter, tmp_path: Path, version: int
) -> None:
    country, partner = found_instances(tmp_path, version)
    authority = Authorities(country, partner, SystemClock())
    async with start(country, authority=authority) as started:
        assert await ask(started, "across") == ["", ""]
        running = started.running
        for place, lines, tsa in (
            (country.consumer, running.consumer, country.tsa),
            (country.provider, running.provider, partner.tsa),
        ):
            for query in ("across-rest", "across-soap"):
                request, answer = await prove(place, lines, query)
                assert request.proven.signer == CONSUMER.member
                assert request.proven.path[-1] == country.ca.certificate
                assert answer.proven.signer == PARTNER.member
                assert answer.proven.path[-1] == partner.ca.certificate
                assert request.timestamp.certificate == tsa.certificate


async def test_what_a_partner_revokes_is_revoked_here(start: Starter, tmp_path: Path) -> None:
    country, partner = found_instances(tmp_path, 6)
    authority = Authorities(country, partner, SystemClock())
    authority.revoked[partner.place.auth.certificate.serial] = SystemClock().now()
    async with start(country, authority=authority) as started:
        assert await ask(started, "x") == ["server.clientproxy.ssl_authentication_failed"] * 2


async def test_who_does_not_allow_the_partner_knows_nobody_there(
    start: Starter, tmp_path: Path
) -> None:
    country, partner = found_instances(tmp_path, 6)
    settings = country.consumer.settings
    settings.write_text(settings.read_text().replace('["YY"]', '["none"]'))
    authority = Authorities(country, partner, SystemClock())
    async with start(country, authority=authority) as started:
        codes = await ask(started, "x")
    assert codes == ["server.clientproxy.internal_error"] * 2
