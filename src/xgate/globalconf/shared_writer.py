"""Writing shared-params.xml for every version that clients may still ask for.

The rule: equal parameters give equal octets, in the order and form of the central server's files.
What a version does not know is left out, and up to version 4 a server in maintenance is listed
without its subsystems, so that clients that know no better route past it (globalconf 6).
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from xgate.errors import Fault
from xgate.globalconf.directory import NEWEST_VERSION, OLDEST_VERSION
from xgate.globalconf.shared import (
    AcmeServer,
    CaInfo,
    CertificationService,
    CostType,
    GlobalGroup,
    Member,
    MemberClass,
    OcspInfo,
    SecurityServer,
    SharedParameters,
    Source,
    TimestampingService,
)
from xgate.globalconf.xmltext import Tag, base64_tag, client_tag, maybe_tag, write_document
from xgate.ids import ClientId

__all__ = ["write_shared"]

_WITH_SOURCES = 3
_WITH_PROFILE_IDS = 4
_WITH_MAINTENANCE = 5
_WITH_COSTS = 6


def write_shared(shared: SharedParameters, version: int = NEWEST_VERSION) -> bytes:
    """Write shared-params.xml.

    :param version: 2 to 6; the hashes of authentication certificates must be of that version
        (SHA-1 in version 2, SHA-256 from version 3).
    :raises Fault: ``malformed_global_conf`` for what cannot be written.
    """
    if not OLDEST_VERSION <= version <= NEWEST_VERSION:
        raise Fault("malformed_global_conf", f"version {version} is not known")
    if version >= _WITH_SOURCES and not shared.sources:
        raise Fault("malformed_global_conf", "shared parameters need a source from version 3")
    return write_document("conf", _Writer(shared, version).content())


class _Writer:
    def __init__(self, shared: SharedParameters, version: int) -> None:
        self._shared = shared
        self._version = version
        self._references: dict[ClientId, str] = {}

    def content(self) -> Iterator[Tag]:
        shared = self._shared
        yield Tag("instanceIdentifier", shared.instance)
        if self._version >= _WITH_SOURCES:
            yield from map(_source, shared.sources)
        yield from map(self._certification_service, shared.certification_services)
        yield from map(self._timestamping_service, shared.timestamping_services)
        yield from map(self._member, shared.members)
        yield from map(self._server, shared.servers)
        yield from map(_group, shared.groups)
        classes = (_class("memberClass", entry) for entry in shared.member_classes)
        freshness = Tag("ocspFreshnessSeconds", str(shared.ocsp_freshness_seconds))
        yield Tag("globalSettings", (*classes, freshness))

    def _certification_service(self, service: CertificationService) -> Tag:
        csr_format = service.csr_format if self._version >= _WITH_COSTS else None
        with_acme = service.acme is not None and self._version >= _WITH_SOURCES
        return Tag(
            "approvedCA",
            (
                Tag("name", service.name),
                Tag("authenticationOnly", str(service.authentication_only).lower()),
                self._ca("topCA", service.top),
                *(self._ca("intermediateCA", info) for info in service.intermediates),
                Tag("certificateProfileInfo", service.profile),
                *maybe_tag("defaultCsrFormat", csr_format),
                *((self._acme(service.acme),) if with_acme and service.acme else ()),
            ),
        )

    def _acme(self, acme: AcmeServer) -> Tag:
        profiles: tuple[Tag, ...] = ()
        if self._version >= _WITH_PROFILE_IDS:
            profiles = (
                *maybe_tag("authenticationCertificateProfileId", acme.authentication_profile_id),
                *maybe_tag("signingCertificateProfileId", acme.signing_profile_id),
            )
        return Tag(
            "acmeServer",
            (
                Tag("directoryURL", acme.directory_url),
                *maybe_tag("ipAddress", acme.ip_address),
                *profiles,
            ),
        )

    def _ca(self, name: str, info: CaInfo) -> Tag:
        return Tag(name, (base64_tag("cert", info.certificate), *map(self._ocsp, info.ocsp)))

    def _ocsp(self, info: OcspInfo) -> Tag:
        certificate = () if info.certificate is None else (base64_tag("cert", info.certificate),)
        return Tag("ocsp", (Tag("url", info.url), *certificate, *self._cost(info.cost_type)))

    def _timestamping_service(self, service: TimestampingService) -> Tag:
        return Tag(
            "approvedTSA",
            (
                Tag("name", service.name),
                Tag("url", service.url),
                base64_tag("cert", service.certificate),
                *self._cost(service.cost_type),
            ),
        )

    def _cost(self, cost_type: CostType | None) -> tuple[Tag, ...]:
        return maybe_tag("costType", cost_type) if self._version >= _WITH_COSTS else ()

    def _member(self, member: Member) -> Tag:
        identifier = ClientId(self._shared.instance, member.member_class.code, member.code)
        reference = self._refer(identifier)
        subsystems = []
        for subsystem in member.subsystems:
            client = msgspec.structs.replace(identifier, subsystem_code=subsystem.code)
            name = subsystem.name if self._version >= _WITH_MAINTENANCE else None
            content = (Tag("subsystemCode", subsystem.code), *maybe_tag("subsystemName", name))
            subsystems.append(Tag("subsystem", content, (("id", self._refer(client)),)))
        return Tag(
            "member",
            (
                _class("memberClass", member.member_class),
                Tag("memberCode", member.code),
                Tag("name", member.name),
                *subsystems,
            ),
            (("id", reference),),
        )

    def _server(self, server: SecurityServer) -> Tag:
        routed_past = server.maintenance is not None and self._version < _WITH_MAINTENANCE
        clients = [c for c in server.clients if c.subsystem_code is None or not routed_past]
        return Tag(
            "securityServer",
            (
                Tag("owner", self._reference(server.owner)),
                Tag("serverCode", server.server_code),
                *maybe_tag("address", server.address),
                *(base64_tag("authCertHash", value) for value in server.auth_cert_hashes),
                *(Tag("client", self._reference(client)) for client in clients),
                *self._maintenance(server.maintenance),
            ),
        )

    def _maintenance(self, message: str | None) -> tuple[Tag, ...]:
        if message is None or self._version < _WITH_MAINTENANCE:
            return ()
        return (Tag("inMaintenanceMode", maybe_tag("message", message or None)),)

    def _refer(self, client: ClientId) -> str:
        if client in self._references:
            raise Fault("malformed_global_conf", f"{client} is listed twice")
        return self._references.setdefault(client, f"id{len(self._references)}")

    def _reference(self, client: ClientId) -> str:
        reference = self._references.get(client)
        if reference is None:
            raise Fault("malformed_global_conf", f"{client} is on a server and is no member")
        return reference


def _source(source: Source) -> Tag:
    return Tag(
        "source",
        (
            Tag("address", source.address),
            *(base64_tag("internalVerificationCert", c) for c in source.internal_certificates),
            *(base64_tag("externalVerificationCert", c) for c in source.external_certificates),
        ),
    )


def _class(name: str, member_class: MemberClass) -> Tag:
    content = (Tag("code", member_class.code), Tag("description", member_class.description))
    return Tag(name, content)


def _group(group: GlobalGroup) -> Tag:
    return Tag(
        "globalGroup",
        (
            Tag("groupCode", group.code),
            Tag("description", group.description),
            *(client_tag("groupMember", member) for member in group.members),
        ),
    )
