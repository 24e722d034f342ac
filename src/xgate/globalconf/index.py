"""One instance's shared parameters, arranged so that every question is one look-up.

The rule: built once when a configuration is taken up, never changed after. Where the file says a
thing twice, the later place wins, as in the reference (globalconf 8, 11.20). A certificate that
cannot be parsed is left out and noted, and nothing else suffers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from xgate.errors import Fault
from xgate.globalconf.shared import (
    CaInfo,
    CertificationService,
    Member,
    OcspInfo,
    SecurityServer,
    SharedParameters,
)
from xgate.ids import ClientId, GlobalGroupId, ServerId
from xgate.trust.anchors import ApprovedCa
from xgate.trust.certificate import Certificate, Name

__all__ = ["Authorities", "MemberInfo", "MemberNames", "SharedIndex", "infos_of"]


class MemberNames(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """By what people know a member or subsystem."""

    member_name: str
    subsystem_name: str | None = None


class MemberInfo(msgspec.Struct, frozen=True):
    """A member or subsystem with the names that people know it by."""

    id: ClientId
    member_name: str
    subsystem_name: str | None = None


class Authorities:
    """The services of one instance that others trust: few, so always objects; read only.

    :param warnings: what was noted before.
    """

    def __init__(self, shared: SharedParameters, warnings: Iterable[str]) -> None:
        self.shared = shared
        noted = list(warnings)
        self._note_certificates(noted)
        self.warnings = tuple(noted)

    def _note_certificates(self, warnings: list[str]) -> None:
        load = _Loader(self.shared.instance, warnings)
        cas: list[ApprovedCa] = []
        self.responders: dict[bytes, tuple[OcspInfo, ...]] = {}  # by DER of the CA's certificate
        for service in self.shared.certification_services:
            for info in (service.top, *service.intermediates):
                ca = load.ca(service, info)
                if ca is not None:
                    cas.append(ca)
                    known = self.responders.get(ca.certificate.der, ())
                    self.responders[ca.certificate.der] = known + info.ocsp
        self.cas = tuple(cas)
        self.cas_by_subject: dict[Name, tuple[ApprovedCa, ...]] = {}
        for ca in reversed(cas):
            subject = ca.certificate.subject
            self.cas_by_subject[subject] = (*self.cas_by_subject.get(subject, ()), ca)
        self.tsa_certificates = load.all(
            ("timestamping service " + tsa.name, tsa.certificate)
            for tsa in self.shared.timestamping_services
        )


class SharedIndex(Authorities):
    """The look-up tables of one instance; read only."""

    def __init__(self, shared: SharedParameters) -> None:
        self.shared = shared
        warnings: list[str] = []
        self.servers: dict[ServerId, SecurityServer] = {}
        self.servers_of: dict[ClientId, tuple[SecurityServer, ...]] = {}
        self.by_auth_hash: dict[bytes, SecurityServer] = {}
        self._note_servers(warnings)
        self.addresses_of = {
            client: tuple(dict.fromkeys(_addresses(servers)))
            for client, servers in self.servers_of.items()
        }
        self.notices = {  # by address, the last server with it decides
            server.address: server.maintenance for server in shared.servers if server.address
        }
        self.members = {
            info.id: info for member in shared.members for info in infos_of(shared.instance, member)
        }
        self.groups = {group.code: group for group in shared.groups}
        self.group_members = {
            GlobalGroupId(shared.instance, code): frozenset(group.members)
            for code, group in self.groups.items()
        }
        super().__init__(shared, warnings)

    def everybody(self) -> tuple[MemberInfo, ...]:
        """Members, each followed by its subsystems, in the order of the file."""
        return tuple(self.members.values())

    def find_member(self, client: ClientId) -> MemberNames | None:
        """The names of a member or subsystem, if it is registered."""
        found = self.members.get(client)
        return None if found is None else MemberNames(found.member_name, found.subsystem_name)

    def knows(self, client: ClientId) -> bool:
        """Whether a member or subsystem is registered."""
        return client in self.members

    def serves(self, client: ClientId, server: ServerId) -> bool:
        """Whether ``client`` is registered on this server, or owns it."""
        found = self.servers.get(server)
        return found is not None and found.serves(client)

    def is_registered(self, value: bytes, client: ClientId) -> bool:
        """Whether a server of ``client`` registered this hash of an authentication certificate."""
        return any(value in server.auth_cert_hashes for server in self.servers_of.get(client, ()))

    def is_in_group(self, client: ClientId, group: GlobalGroupId) -> bool:
        """Whether exactly this identifier is a member of the group."""
        return client in self.group_members.get(group, ())

    def _note_servers(self, warnings: list[str]) -> None:
        by_client: dict[ClientId, dict[ServerId, SecurityServer]] = {}
        for server in self.shared.servers:
            identifier = server.id
            self.servers[identifier] = server
            for client in (server.owner, *server.clients):
                by_client.setdefault(client, {})[identifier] = server
            for value in server.auth_cert_hashes:
                other = self.by_auth_hash.get(value)
                if other is not None and other.id != identifier:
                    warnings.append(f"{identifier} has an authentication certificate of {other.id}")
                self.by_auth_hash[value] = server
        self.servers_of = {client: tuple(found.values()) for client, found in by_client.items()}


class _Loader:
    """Parses certificates, noting those that do not parse; equal octets are parsed once."""

    def __init__(self, instance: str, warnings: list[str]) -> None:
        self._instance = instance
        self._warnings = warnings
        self._seen: dict[bytes, Certificate | None] = {}

    def find(self, what: str, octets: bytes) -> Certificate | None:
        if octets not in self._seen:
            try:
                self._seen[octets] = Certificate.load(octets)
            except Fault as fault:
                self._seen[octets] = None
                self._warnings.append(
                    f"{self._instance}: the certificate of {what} is left out: {fault.text}"
                )
        return self._seen[octets]

    def all(self, named: Iterable[tuple[str, bytes]]) -> tuple[Certificate, ...]:
        found = (self.find(what, octets) for what, octets in named)
        return tuple(certificate for certificate in found if certificate is not None)

    def ca(self, service: CertificationService, info: CaInfo) -> ApprovedCa | None:
        certificate = self.find("certification service " + service.name, info.certificate)
        if certificate is None:
            return None
        return ApprovedCa(
            instance=self._instance,
            certificate=certificate,
            profile=service.profile,
            authentication_only=service.authentication_only,
            ocsp_urls=tuple(ocsp.url for ocsp in info.ocsp),
            ocsp_certificates=self.all(
                ("OCSP responder " + ocsp.url, ocsp.certificate)
                for ocsp in info.ocsp
                if ocsp.certificate is not None
            ),
        )


def _addresses(servers: Iterable[SecurityServer]) -> Iterable[str]:
    return (server.address for server in servers if server.address and server.address.strip())


def infos_of(instance: str, member: Member) -> Iterator[MemberInfo]:
    """The member itself, then its subsystems."""
    identifier = ClientId(instance, member.member_class.code, member.code)
    yield MemberInfo(identifier, member.name)
    for subsystem in member.subsystems:
        client = ClientId(instance, member.member_class.code, member.code, subsystem.code)
        yield MemberInfo(client, member.name, subsystem.name)
