"""shared-params.xml: who is in the country, on which servers, and whom it trusts.

The rule: one reader for versions 2 to 6. What a later version added is optional, unknown elements
are passed over, and what every version has must be there (globalconf 6, 11.11, 11.17). Of what
there may be a million, ``rows`` has the reading. Certificates stay octets, DER or PEM as the
registry stored them: one that is broken spoils nothing but itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, cast

import msgspec

from xgate.errors import Fault
from xgate.globalconf.elements import Node, check_size, malformed_as, open_document
from xgate.globalconf.plain import MARK, Plain, cut_members
from xgate.globalconf.rows import GroupRow, MemberRow, Rows, ServerRow, read_rows
from xgate.ids import ClientId, GlobalGroupId, ServerId

__all__ = [
    "AcmeServer",
    "CaInfo",
    "CertificationService",
    "CostType",
    "GlobalGroup",
    "Member",
    "MemberClass",
    "OcspInfo",
    "SecurityServer",
    "SharedParameters",
    "Source",
    "Subsystem",
    "TimestampingService",
    "build_group",
    "build_member",
    "build_server",
    "read_in_rows",
    "read_shared",
    "rows_of",
]

CostType = Literal["FREE", "PAID", "UNDEFINED"]

_COST_TYPES = ("FREE", "PAID", "UNDEFINED")
_YEAR = 31_536_000


class Source(msgspec.Struct, frozen=True):
    """A node that serves the configuration (version 3+), with the certificates of its keys."""

    address: str
    internal_certificates: tuple[bytes, ...] = ()
    external_certificates: tuple[bytes, ...] = ()


class OcspInfo(msgspec.Struct, frozen=True):
    """An OCSP responder of a CA."""

    url: str
    certificate: bytes | None = None
    cost_type: CostType | None = None


class CaInfo(msgspec.Struct, frozen=True):
    """A CA certificate and the responders for what it issued."""

    certificate: bytes
    ocsp: tuple[OcspInfo, ...] = ()


class AcmeServer(msgspec.Struct, frozen=True):
    """How to order certificates of a service by ACME."""

    directory_url: str
    ip_address: str | None = None
    authentication_profile_id: str | None = None
    signing_profile_id: str | None = None


class CertificationService(msgspec.Struct, frozen=True):
    """An approved CA (``approvedCA``); ``profile`` is the class name of its certificate profile."""

    name: str
    top: CaInfo
    profile: str
    intermediates: tuple[CaInfo, ...] = ()
    authentication_only: bool = False
    csr_format: str | None = None
    acme: AcmeServer | None = None


class TimestampingService(msgspec.Struct, frozen=True):
    """An approved timestamping authority (``approvedTSA``)."""

    name: str
    url: str
    certificate: bytes
    cost_type: CostType | None = None


class MemberClass(msgspec.Struct, frozen=True):
    """A class of members and its description."""

    code: str
    description: str


class Subsystem(msgspec.Struct, frozen=True):
    """A subsystem of a member; its name exists from version 5."""

    code: str
    name: str | None = None


class Member(msgspec.Struct, frozen=True):
    """A member with its subsystems."""

    member_class: MemberClass
    code: str
    name: str
    subsystems: tuple[Subsystem, ...] = ()


class SecurityServer(msgspec.Struct, frozen=True):
    """A registered security server.

    :param auth_cert_hashes: digests of its authentication certificates (DER): SHA-1 in version 2,
        SHA-256 from version 3.
    :param clients: members and subsystems registered on it; the owner is a client without entry.
    :param maintenance: None in service; else in maintenance, with a message or the empty string.
    """

    owner: ClientId
    server_code: str
    address: str | None = None
    auth_cert_hashes: tuple[bytes, ...] = ()
    clients: tuple[ClientId, ...] = ()
    maintenance: str | None = None

    @property
    def id(self) -> ServerId:
        """The server's identifier."""
        return ServerId(self.owner, self.server_code)

    def serves(self, client: ClientId) -> bool:
        """Whether ``client`` is registered here, or is the owner."""
        return client == self.owner or client in self.clients


class GlobalGroup(msgspec.Struct, frozen=True):
    """A group of members and subsystems, kept by the registry."""

    code: str
    description: str
    members: tuple[ClientId, ...] = ()


class SharedParameters(msgspec.Struct, frozen=True):
    """The content of shared-params.xml."""

    instance: str
    sources: tuple[Source, ...] = ()
    certification_services: tuple[CertificationService, ...] = ()
    timestamping_services: tuple[TimestampingService, ...] = ()
    members: Sequence[Member] = ()
    servers: Sequence[SecurityServer] = ()
    groups: Sequence[GlobalGroup] = ()
    member_classes: tuple[MemberClass, ...] = ()
    ocsp_freshness_seconds: int = 3600


def read_shared(data: bytes) -> SharedParameters:
    """Read shared-params.xml of any version.

    :raises Fault: ``malformed_global_conf``.
    """
    shared, rows = read_in_rows(data)
    return msgspec.structs.replace(
        shared,
        members=tuple(map(build_member, rows.members)),
        servers=tuple(map(build_server, rows.servers)),
        groups=tuple(map(build_group, rows.groups)),
    )


def read_in_rows(data: bytes) -> tuple[SharedParameters, Rows]:
    """As ``read_shared``, with members, servers and groups beside it in rows.

    :raises Fault: ``malformed_global_conf``.
    """
    with malformed_as("malformed_global_conf", "shared parameters"):
        conf, taken = _open(data)
        instance = conf.text("instanceIdentifier")
        settings = conf.node("globalSettings")
        shared = SharedParameters(
            instance,
            tuple(map(_read_source, conf.nodes("source"))),
            tuple(map(_read_certification_service, conf.nodes("approvedCA"))),
            tuple(map(_read_timestamping_service, conf.nodes("approvedTSA"))),
            member_classes=tuple(map(_read_class, settings.nodes("memberClass"))),
            ocsp_freshness_seconds=settings.integer("ocspFreshnessSeconds", least=1, most=_YEAR),
        )
        return shared, read_rows(conf, instance, taken)


def _open(data: bytes) -> tuple[Node, list[list[Plain]]]:
    """The root element, without the plain members if they are members of it."""
    check_size(data)
    left, taken = cut_members(data)
    if taken:
        try:
            conf = open_document(left, "conf")
        except Fault:
            pass  # the refusal is to tell of the document as it came
        else:
            if len(conf.elements(MARK)) == len(taken):
                return conf, taken
    return open_document(data, "conf"), []


def rows_of(shared: SharedParameters) -> Rows:
    """The rows that tell of the members, servers and groups of these parameters.

    :raises Fault: ``internal_error``: a part of an identifier is blank.
    """
    return Rows(
        [_member_row(shared.instance, member) for member in shared.members],
        list(map(_server_row, shared.servers)),
        [_group_row(shared.instance, group) for group in shared.groups],
    )


def build_member(row: MemberRow) -> Member:
    """The member that a row tells of."""
    class_code, description, code, name, subsystems = row
    inside = tuple(Subsystem(*names) for names in subsystems)
    return Member(MemberClass(class_code, description), code, name, inside)


def build_server(row: ServerRow) -> SecurityServer:
    """The server that a row tells of."""
    owner, code, address, maintenance, hashes, clients = row
    served = tuple(ClientId(*parts) for parts in clients)
    return SecurityServer(ClientId(*owner), code, address, hashes, served, maintenance)


def build_group(row: GroupRow) -> GlobalGroup:
    """The group that a row tells of."""
    code, description, members = row
    return GlobalGroup(code, description, tuple(ClientId(*parts) for parts in members))


def _member_row(instance: str, member: Member) -> MemberRow:
    class_code, description = member.member_class.code, member.member_class.description
    for code in (None, *(subsystem.code for subsystem in member.subsystems)):
        ClientId(instance, class_code, member.code, code)
    inside = tuple((subsystem.code, subsystem.name) for subsystem in member.subsystems)
    return class_code, description, member.code, member.name, inside


def _server_row(server: SecurityServer) -> ServerRow:
    owner, code = server.id.owner.parts, server.server_code
    clients = tuple(client.parts for client in server.clients)
    return owner, code, server.address, server.maintenance, server.auth_cert_hashes, clients


def _group_row(instance: str, group: GlobalGroup) -> GroupRow:
    code = GlobalGroupId(instance, group.code).group_code
    return code, group.description, tuple(client.parts for client in group.members)


def _read_source(node: Node) -> Source:
    return Source(
        node.text("address").strip(),
        node.all_octets("internalVerificationCert"),
        node.all_octets("externalVerificationCert"),
    )


def _read_certification_service(node: Node) -> CertificationService:
    acme = node.find("acmeServer")
    csr_format = node.find_text("defaultCsrFormat")
    if csr_format not in (None, "PEM", "DER"):
        raise Fault("malformed_global_conf", "the default CSR format is neither PEM nor DER")
    return CertificationService(
        node.text("name"),
        _read_ca(node.node("topCA")),
        node.text("certificateProfileInfo").strip(),
        tuple(map(_read_ca, node.nodes("intermediateCA"))),
        node.boolean("authenticationOnly", default=False),
        csr_format,
        None if acme is None else _read_acme(acme),
    )


def _read_acme(node: Node) -> AcmeServer:
    return AcmeServer(
        node.text("directoryURL"),
        node.find_text("ipAddress"),
        node.find_text("authenticationCertificateProfileId"),
        node.find_text("signingCertificateProfileId"),
    )


def _read_ca(node: Node) -> CaInfo:
    return CaInfo(node.octets("cert"), tuple(map(_read_ocsp, node.nodes("ocsp"))))


def _read_ocsp(node: Node) -> OcspInfo:
    return OcspInfo(node.text("url").strip(), node.find_octets("cert"), _read_cost(node))


def _read_timestamping_service(node: Node) -> TimestampingService:
    return TimestampingService(
        node.text("name"), node.text("url").strip(), node.octets("cert"), _read_cost(node)
    )


def _read_cost(node: Node) -> CostType | None:
    text = node.find_text("costType")
    if text is not None and text not in _COST_TYPES:
        raise Fault("malformed_global_conf", "a cost type is not known")
    return cast("CostType | None", text)


def _read_class(node: Node) -> MemberClass:
    return MemberClass(node.text("code"), node.text("description"))
