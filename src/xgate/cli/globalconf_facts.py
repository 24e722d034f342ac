"""What a configuration says, fact by fact, so that two can be compared.

The rule: a fact is a name that says what it is about, and a value; the order of a file is no fact.
Certificates are told by their SHA-256.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from xgate.globalconf.conf import GlobalConf, Instance
from xgate.globalconf.private import PrivateParameters
from xgate.globalconf.shared import CaInfo, CertificationService, SharedParameters
from xgate.ids import ClientId

__all__ = ["facts_of"]

_Fact = tuple[str, str]


def facts_of(conf: GlobalConf) -> dict[str, str]:
    """Every fact of every instance; who expires when is none."""
    facts = {"own instance": conf.own}
    for name, instance in conf.instances.items():
        facts |= {f"{name}: {what}": value for what, value in _of_instance(instance)}
    return facts


def _of_instance(instance: Instance) -> Iterator[_Fact]:
    yield "version", str(instance.version)
    if instance.private is not None:
        yield from _of_private(instance.private)
    yield "OCSP fetch interval", f"{instance.settings.ocsp_fetch_interval_seconds} s"
    yield "nextUpdate verified", str(instance.settings.verify_next_update).lower()
    if instance.settings.monitoring_client is not None:
        yield "monitoring client", instance.settings.monitoring_client.short
    if instance.shared is not None:
        yield from _of_shared(instance.shared)


def _of_private(private: PrivateParameters) -> Iterator[_Fact]:
    yield "timestamping interval", f"{private.timestamping_interval_seconds} s"
    yield "management service", private.management.provider.short
    yield "registration service", private.management.registration_url
    for anchor in private.anchors:
        for source in anchor.sources:
            yield f"partner {anchor.instance} at {source.url}", _hashes(source.certificates)


def _of_shared(shared: SharedParameters) -> Iterator[_Fact]:
    yield "OCSP freshness", f"{shared.ocsp_freshness_seconds} s"
    for source in shared.sources:
        internal, external = source.internal_certificates, source.external_certificates
        yield f"source {source.address} internal keys", _hashes(internal)
        yield f"source {source.address} external keys", _hashes(external)
    for service in shared.certification_services:
        yield from _of_service(service)
    for tsa in shared.timestamping_services:
        what = f"timestamping service {tsa.url}"
        yield what, f"{tsa.name}, {_hash(tsa.certificate)}, {tsa.cost_type or 'no cost type'}"
    for member in shared.members:
        owner = ClientId(shared.instance, member.member_class.code, member.code)
        yield f"member {owner.short}", member.name
        for subsystem in member.subsystems:
            yield f"subsystem {owner.short}/{subsystem.code}", subsystem.name or ""
    for member_class in shared.member_classes:
        yield f"member class {member_class.code}", member_class.description
    yield from _of_servers(shared)
    for group in shared.groups:
        yield f"group {group.code}", group.description
        for client in group.members:
            yield f"group {group.code} member {client.short}", ""


def _of_servers(shared: SharedParameters) -> Iterator[_Fact]:
    for server in shared.servers:
        what = f"server {server.id.short}"
        yield f"{what} address", server.address or ""
        if server.maintenance is not None:
            yield f"{what} in maintenance", server.maintenance
        for value in server.auth_cert_hashes:
            yield f"{what} authentication certificate {value.hex()}", ""
        for client in server.clients:
            yield f"{what} client {client.short}", ""


def _of_service(service: CertificationService) -> Iterator[_Fact]:
    what = f"certification service {service.name}"
    yield f"{what} profile", service.profile
    yield f"{what} authentication only", str(service.authentication_only).lower()
    if service.acme is not None:
        yield f"{what} ACME", service.acme.directory_url
    for ca in (service.top, *service.intermediates):
        yield from _of_ca(f"{what} CA {_hash(ca.certificate)}", ca)


def _of_ca(what: str, ca: CaInfo) -> Iterator[_Fact]:
    yield what, ""
    for responder in ca.ocsp:
        certificate = "" if responder.certificate is None else f", {_hash(responder.certificate)}"
        yield f"{what} OCSP {responder.url}", f"{responder.cost_type or ''}{certificate}"


def _hashes(certificates: tuple[bytes, ...]) -> str:
    return ", ".join(sorted(map(_hash, certificates)))


def _hash(octets: bytes) -> str:
    return f"sha256 {hashlib.sha256(octets).hexdigest()}"
