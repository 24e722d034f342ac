"""The global configuration as a security server asks it: frozen, indexed, shared by all.

The rule: one value holds every instance and never changes; what is fresher is a new value. An
instance that is not known is an error, never an empty answer that could pass for a fact (globalconf
8, federation 4). The hash of an authentication certificate is taken by the algorithm of the file
that lists it (federation, trap 4), and the own instance wins where two claim the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final, TypeVar

import msgspec

from xgate.errors import Fault
from xgate.globalconf.index import MemberInfo, MemberNames
from xgate.globalconf.mapped import Index, index_of
from xgate.globalconf.optional import Settings
from xgate.globalconf.private import ManagementService, PrivateParameters
from xgate.globalconf.responders import OcspOrder, named_responders, order_responders
from xgate.globalconf.shared import (
    GlobalGroup,
    MemberClass,
    SecurityServer,
    SharedParameters,
    TimestampingService,
)
from xgate.ids import ClientId, GlobalGroupId, ServerId
from xgate.trust.anchors import ApprovedCa
from xgate.trust.certificate import Certificate, Name

__all__ = ["GlobalConf", "Instance", "auth_certificate_hash"]

_T = TypeVar("_T")
_FIRST_WITH_COST = 6
_LEAST_FETCH_INTERVAL = 60
_LONGEST_CHAIN = 10


class Instance(msgspec.Struct, frozen=True):
    """What is known of one instance.

    :param version: configuration version of its shared parameters.
    :param expires: the earlier end of its private and shared parameters; None: never.
    """

    name: str
    shared: SharedParameters | None = None
    private: PrivateParameters | None = None
    settings: Settings = Settings()
    version: int = 2
    expires: datetime | None = None


class GlobalConf:
    """Every known instance, one of them our own.

    :param warnings: what was passed over while reading (``noted``); what indexing adds follows it.
    :param previous: an older value, whose tables are shared where the parameters are the same.
    """

    def __init__(
        self,
        own: str,
        instances: Mapping[str, Instance],
        *,
        warnings: Sequence[str] = (),
        previous: GlobalConf | None = None,
    ) -> None:
        self.own: Final = own
        self.instances: Final = MappingProxyType(dict(instances))
        self.noted: Final = tuple(warnings)
        self._own = self.instances.get(own, Instance(own))
        self._index = {
            name: _index_of(name, instance.shared, previous)
            for name, instance in _last(self.instances, own).items()
            if instance.shared is not None
        }
        indexes = self._index.values()
        self._by_hash = tuple(
            (_hash_size(self.instances[name].version), index.by_auth_hash)
            for name, index in reversed(self._index.items())
        )
        self._hash_versions = _hash_versions(self.instances, own)
        self._cas = tuple(ca for index in reversed(indexes) for ca in index.cas)
        self.warnings: Final = (*warnings, *(text for index in indexes for text in index.warnings))

    # validity

    def valid_at(self, now: datetime) -> bool:
        """Whether messages may be exchanged by this configuration at ``now`` (aware)."""
        own = self._own
        if own.shared is None or own.private is None:
            return False
        return own.expires is None or now <= own.expires

    def check_valid(self, now: datetime) -> None:
        """Refuse to work with an expired or incomplete configuration.

        :raises Fault: ``global_conf_outdated``.
        """
        if not self.valid_at(now):
            raise Fault("global_conf_outdated", "Global configuration is expired")

    def without_expired(self, now: datetime) -> GlobalConf:
        """The same without the foreign instances that have expired: they count as unknown."""
        kept = {
            name: instance
            for name, instance in self.instances.items()
            if name == self.own or instance.expires is None or now < instance.expires
        }
        if len(kept) == len(self.instances):
            return self
        gone = [name for name in self.instances if name not in kept]
        expired = [f"the configuration of partner {name} has expired" for name in gone]
        return GlobalConf(self.own, kept, warnings=(*self.noted, *expired), previous=self)

    @property
    def version(self) -> int:
        """The configuration version of the own instance."""
        return self._own.version

    # members, servers, groups

    def members(self, instance: str) -> Sequence[MemberInfo]:
        """Members, each followed by its subsystems, in the order of the file.

        :raises Fault: ``internal_error`` for an unknown instance.
        """
        return self._known(instance).everybody()

    def find_member(self, client: ClientId) -> MemberNames | None:
        """The names of a member or subsystem, if it is registered."""
        index = self._index.get(client.instance)
        return None if index is None else index.find_member(client)

    def knows_member(self, client: ClientId) -> bool:
        """Whether a member or subsystem is registered."""
        index = self._index.get(client.instance)
        return index is not None and index.knows(client)

    def member_classes(self, instance: str) -> Sequence[MemberClass]:
        """The member classes of an instance.

        :raises Fault: ``internal_error`` for an unknown instance.
        """
        return self._known(instance).shared.member_classes

    def provider_addresses(self, client: ClientId) -> Sequence[str]:
        """Where servers of ``client`` answer, without repeats; empty if it is on none.

        :raises Fault: ``internal_error`` for an unknown instance.
        """
        return self._known(client.instance).addresses_of.get(client, ())

    def servers_of(self, client: ClientId) -> Sequence[SecurityServer]:
        """The servers on which ``client`` is registered or which it owns."""
        index = self._index.get(client.instance)
        return () if index is None else index.servers_of.get(client, ())

    def servers(self, instance: str) -> Sequence[SecurityServer]:
        """All servers of an instance.

        :raises Fault: ``internal_error`` for an unknown instance.
        """
        return self._known(instance).shared.servers

    def find_server(self, server: ServerId) -> SecurityServer | None:
        """The registered server of this identifier."""
        index = self._index.get(server.owner.instance)
        return None if index is None else index.servers.get(server)

    def is_client_of(self, client: ClientId, server: ServerId) -> bool:
        """Whether ``client`` is registered on ``server`` or owns it."""
        index = self._index.get(server.owner.instance)
        return index is not None and index.serves(client, server)

    def known_addresses(self) -> frozenset[str]:
        """The addresses of all servers everywhere."""
        return frozenset(a for index in self._index.values() for a in index.notices if a.strip())

    def server_maintenance(self, server: ServerId) -> str | None:
        """The notice of a server in maintenance (may be empty); None if it is in service."""
        found = self.find_server(server)
        return None if found is None else found.maintenance

    def address_maintenance(self, instance: str, address: str) -> str | None:
        """As ``server_maintenance``, for the last server of the instance with this address."""
        index = self._index.get(instance)
        return None if index is None else index.notices.get(address)

    def find_group(self, group: GlobalGroupId) -> GlobalGroup | None:
        """A group of its own instance."""
        index = self._index.get(group.instance)
        return None if index is None else index.groups.get(group.group_code)

    def groups(self, instance: str) -> Sequence[GlobalGroup]:
        """All groups of an instance.

        :raises Fault: ``internal_error`` for an unknown instance.
        """
        return self._known(instance).shared.groups

    def is_in_group(self, client: ClientId, group: GlobalGroupId) -> bool:
        """Whether exactly this identifier is a member of the group."""
        index = self._index.get(group.instance)
        return index is not None and index.is_in_group(client, group)

    # authentication certificates

    def auth_hash(self, certificate: Certificate, instance: str | None = None) -> bytes:
        """The hash by which an instance, by default the own, registers a certificate."""
        known = self.instances.get(instance or self.own, self._own)
        return auth_certificate_hash(certificate.der, known.version)

    def server_by_auth_hash(self, certificate: Certificate) -> ServerId | None:
        """The server that registered this certificate: of our own instance if one did, else of any.

        Whoever is about to trust that server asks ``auth_certificate_matches``: any instance may
        list any hash.
        """
        server = self._find_by_auth(certificate.der)
        return None if server is None else server.id

    def auth_certificate_matches(self, certificate: Certificate, client: ClientId) -> bool:
        """Whether a server of ``client``, in its own instance, registered this certificate."""
        index = self._index.get(client.instance)
        value = self.auth_hash(certificate, client.instance)
        return index is not None and index.is_registered(value, client)

    def knows_auth_certificate(self, der: bytes) -> bool:
        """Whether any server of any instance registered this certificate (the TLS handshake)."""
        return self._find_by_auth(der) is not None

    def known_auth_hashes(self) -> frozenset[bytes]:
        """The hashes of all registered authentication certificates."""
        return frozenset(v for size, table in self._by_hash for v in table if len(v) == size)

    # certification, OCSP and timestamping services

    def find_cas(self, instance: str, issuer: Name) -> Sequence[ApprovedCa]:
        """The approved CAs with this subject, the last in the file first.

        :raises Fault: ``internal_error`` for an unknown instance.
        """
        return self._known(instance).cas_by_subject.get(issuer, ())

    def all_cas(self, instance: str | None = None) -> Sequence[ApprovedCa]:
        """The approved CAs of an instance; by default of all, the own ones first.

        :raises Fault: ``internal_error`` for an unknown instance.
        """
        return self._cas if instance is None else self._known(instance).cas

    def ocsp_certificates(self, instance: str | None = None) -> Sequence[Certificate]:
        """The certificates of the OCSP responders that an instance, by default any, lists.

        :raises Fault: ``internal_error`` for an unknown instance.
        """
        return tuple(c for ca in self.all_cas(instance) for c in ca.ocsp_certificates)

    def chain_of(self, instance: str, certificate: Certificate) -> Sequence[Certificate]:
        """The certificate and its issuers as far as they are known by name; no signature counts.

        :raises Fault: ``internal_error`` for an unknown instance.
        """
        chain = [certificate]
        while not chain[-1].self_issued and len(chain) < _LONGEST_CHAIN:
            issuers = self.find_cas(instance, chain[-1].issuer)
            if not issuers:
                break
            chain.append(issuers[0].certificate)
        return tuple(chain)

    def ocsp_urls_for(
        self, certificate: Certificate, issuer: ApprovedCa, order: OcspOrder = "none"
    ) -> Sequence[str]:
        """Which responders to ask about a certificate, in turn, the one it names itself last.

        :param issuer: its CA; what other instances say of that CA does not count (federation 5).
        :param order: effective from version 6, when responders have a cost type.
        :raises Fault: ``internal_error`` for an unknown instance.
        """
        found = self._known(issuer.instance).responders.get(issuer.certificate.der, ())
        if self.version >= _FIRST_WITH_COST:
            found = tuple(order_responders(found, order))
        return tuple(dict.fromkeys((*(info.url for info in found), *named_responders(certificate))))

    def tsas(self, instance: str | None = None) -> Sequence[TimestampingService]:
        """The timestamping services of an instance, by default the own.

        :raises Fault: ``internal_error`` for an unknown instance.
        """
        return self._known(instance or self.own).shared.timestamping_services

    def tsa_certificates(self, instances: Collection[str] | None = None) -> Sequence[Certificate]:
        """The timestamping certificates of these instances and of the own; by default of all."""
        return tuple(
            certificate
            for name, index in self._index.items()
            if instances is None or name in instances or name == self.own
            for certificate in index.tsa_certificates
        )

    # settings of the own instance

    @property
    def ocsp_freshness(self) -> timedelta:
        """How old an OCSP response may be.

        :raises Fault: ``internal_error`` without shared parameters of the own instance.
        """
        return timedelta(seconds=self._known(self.own).shared.ocsp_freshness_seconds)

    @property
    def verify_next_update(self) -> bool:
        """Whether nextUpdate of OCSP responses is checked."""
        return self._own.settings.verify_next_update

    @property
    def ocsp_fetch_interval(self) -> timedelta:
        """How often OCSP responses are fetched; never more often than once in a minute."""
        seconds = max(_LEAST_FETCH_INTERVAL, self._own.settings.ocsp_fetch_interval_seconds)
        return timedelta(seconds=seconds)

    @property
    def monitoring_client(self) -> ClientId | None:
        """Who may query environmental monitoring besides the owner."""
        return self._own.settings.monitoring_client

    @property
    def timestamping_interval(self) -> timedelta:
        """How often the message log is timestamped.

        :raises Fault: ``internal_error`` without private parameters.
        """
        return timedelta(seconds=self._private().timestamping_interval_seconds)

    @property
    def management(self) -> ManagementService:
        """Where management requests go.

        :raises Fault: ``internal_error`` without private parameters.
        """
        return self._private().management

    def _private(self) -> PrivateParameters:
        if self._own.private is None:
            raise Fault("internal_error", "There are no private parameters")
        return self._own.private

    def _known(self, instance: str) -> Index:
        index = self._index.get(instance)
        if index is None:
            raise Fault(
                "internal_error", f"Shared params for instance identifier {instance} not found"
            )
        return index

    def _find_by_auth(self, der: bytes) -> SecurityServer | None:
        for version in self._hash_versions:
            value = auth_certificate_hash(der, version)
            for size, table in self._by_hash:
                if size == len(value) and (found := table.get(value)) is not None:
                    return found
        return None


def _index_of(name: str, shared: SharedParameters, previous: GlobalConf | None) -> Index:
    old = None if previous is None else previous._index.get(name)  # noqa: SLF001 - of our own kind
    return old if old is not None and old.shared is shared else index_of(shared)


def auth_certificate_hash(der: bytes, version: int) -> bytes:
    """How a certificate is registered: by SHA-1 in version 2, by SHA-256 from version 3."""
    digest = hashlib.sha1 if version <= 2 else hashlib.sha256
    return digest(der).digest()


def _hash_size(version: int) -> int:
    """How many octets ``auth_certificate_hash`` has; a listed hash of another size is none."""
    return 20 if version <= 2 else 32


def _hash_versions(instances: Mapping[str, Instance], own: str) -> tuple[int, ...]:
    """One version for each algorithm in use, the own instance's first."""
    versions = [instance.version for instance in reversed(_last(instances, own).values())]
    return tuple({_hash_size(version): version for version in versions}.values())


def _last(instances: Mapping[str, _T], own: str) -> dict[str, _T]:
    """The instances with the own one last, so that it wins in tables filled in this order."""
    ordered = {name: instance for name, instance in instances.items() if name != own}
    return {**ordered, own: instances[own]} if own in instances else ordered
