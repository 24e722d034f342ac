"""shared-params.xml: who is in the country, on which servers, and whom it trusts.

The rule: one reader for versions 2 to 6. What a later version added is optional, unknown elements
are passed over, and what every version has must be there (globalconf 6, 11.11, 11.17). References
between elements (``xs:IDREF``) are resolved here, so nobody else ever meets them. Certificates stay
octets, DER or PEM as the registry stored them: one that is broken spoils nothing but itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, cast

import msgspec
from lxml import etree

from xgate.errors import Fault
from xgate.globalconf.elements import Node, decode_base64, malformed_as, open_document
from xgate.globalconf.private import read_client
from xgate.ids import ClientId, ServerId
from xgate.wire.names import read_text

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
    "read_shared",
]

CostType = Literal["FREE", "PAID", "UNDEFINED"]

_COST_TYPES = ("FREE", "PAID", "UNDEFINED")
_YEAR = 31_536_000
_MEMBER = ["memberClass", "memberCode", "name"]
_HASH_SIZES = (20, 32)


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
    with malformed_as("malformed_global_conf", "shared parameters"):
        conf = open_document(data, "conf")
        instance = conf.text("instanceIdentifier")
        clients: dict[str, ClientId] = {}
        members = tuple(
            _read_member(element, instance, clients) for element in conf.elements("member")
        )
        settings = conf.node("globalSettings")
        return SharedParameters(
            instance,
            tuple(map(_read_source, conf.nodes("source"))),
            tuple(map(_read_certification_service, conf.nodes("approvedCA"))),
            tuple(map(_read_timestamping_service, conf.nodes("approvedTSA"))),
            members,
            tuple(_read_server(node, clients) for node in conf.nodes("securityServer")),
            tuple(map(_read_group, conf.nodes("globalGroup"))),
            tuple(map(_read_class, settings.elements("memberClass"))),
            settings.integer("ocspFreshnessSeconds", least=1, most=_YEAR),
        )


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


def _read_class(element: etree._Element) -> MemberClass:
    texts = _find_two(element, "code", "description")
    if texts is None:
        node = Node(element)
        texts = node.text("code"), node.text("description")
    return MemberClass(*texts)


def _read_member(element: etree._Element, instance: str, clients: dict[str, ClientId]) -> Member:
    """Read a member, and note under which reference it and its subsystems are known."""
    children = list(element)
    if [child.tag for child in children[:3]] == _MEMBER and all(
        child.tag == "subsystem" for child in children[3:]
    ):
        described, code_of, name_of, *inside = children
    else:
        node = Node(element)
        described, code_of, name_of = map(node.element_of, _MEMBER)
        inside = node.elements("subsystem")
    member_class = _read_class(described)
    code = read_text(code_of)
    _note(clients, element, ClientId(instance, member_class.code, code))
    subsystems = []
    for child in inside:
        subsystem = _read_subsystem(child)
        _note(clients, child, ClientId(instance, member_class.code, code, subsystem.code))
        subsystems.append(subsystem)
    return Member(member_class, code, read_text(name_of), tuple(subsystems))


def _read_subsystem(element: etree._Element) -> Subsystem:
    texts = _find_two(element, "subsystemCode", "subsystemName")
    if texts is not None:
        return Subsystem(*texts)
    node = Node(element)
    return Subsystem(node.text("subsystemCode"), node.find_text("subsystemName"))


def _find_two(element: etree._Element, first: str, second: str) -> tuple[str, str] | None:
    """The texts of two children that are all there is, as nearly always; None: look closer.

    A country has some hundred thousand such elements, and a ``Node`` costs more than its texts.
    """
    if len(element) != 2:
        return None
    one, other = element
    return (read_text(one), read_text(other)) if (one.tag, other.tag) == (first, second) else None


def _note(clients: dict[str, ClientId], element: etree._Element, client: ClientId) -> None:
    reference = element.get("id")
    if reference is None:
        return
    reference = reference.strip()
    if reference in clients:
        raise Fault("malformed_global_conf", "two elements have the same id")
    clients[reference] = client


def _read_server(node: Node, clients: dict[str, ClientId]) -> SecurityServer:
    owner = _resolve(node.text("owner"), clients)
    if owner.subsystem_code is not None:
        raise Fault("malformed_global_conf", "the owner of a security server is not a member")
    maintenance = node.find("inMaintenanceMode")
    return SecurityServer(
        owner,
        node.text("serverCode"),
        node.find_text("address"),
        tuple(map(_read_hash, node.texts("authCertHash"))),
        tuple(_resolve(text, clients) for text in node.texts("client")),
        None if maintenance is None else maintenance.find_text("message") or "",
    )


def _resolve(reference: str, clients: dict[str, ClientId]) -> ClientId:
    client = clients.get(reference.strip())
    if client is None:
        raise Fault("malformed_global_conf", "a reference leads to no member or subsystem")
    return client


def _read_hash(text: str) -> bytes:
    value = decode_base64(text)
    if len(value) not in _HASH_SIZES:
        raise Fault("malformed_global_conf", "the hash of a certificate has no known length")
    return value


def _read_group(node: Node) -> GlobalGroup:
    return GlobalGroup(
        node.text("groupCode"),
        node.text("description"),
        tuple(map(read_client, node.nodes("groupMember"))),
    )
