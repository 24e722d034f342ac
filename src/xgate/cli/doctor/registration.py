"""Checks of this server's certificates, and of what is registered of it and of its clients.

The rule: a certificate is told by its serial number; its dates are looked at here and nowhere
before, so that one that has expired is called that (ocsp-tls-certs 3, central-server 4).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from xgate.cli.doctor.authorities import moment_of
from xgate.cli.doctor.case import Case, serial_text
from xgate.cli.doctor.chain import Findings
from xgate.cli.doctor.finding import Finding, broken, ok, warning
from xgate.cli.doctor.times import length_text
from xgate.cli.show import name_text, time_text
from xgate.errors import Fault
from xgate.ids import ClientId
from xgate.signer.keyring import AuthKey, SignKey
from xgate.signer.ocsp_cache import find_issuer
from xgate.trust.certificate import (
    Certificate,
    check_sign_certificate,
    is_auth_certificate,
    member_of,
)

__all__ = ["check_certificates", "check_registration"]

_OPERATOR = "the operator of the central server"


async def check_certificates(case: Case) -> Findings:
    """Certificates are within their dates, for their use, and name whom they are for."""
    return [
        *(_sign_certificate(case, key) for key in case.ring.signing),
        *(_auth_certificate(case, key) for key in case.ring.authentication),
    ]


def _sign_certificate(case: Case, key: SignKey) -> Finding:
    certificate = key.certificate
    about = f"{serial_text(certificate)}, signs for {key.member.short}"
    fix = f"Get a signing certificate for {key.member.short} from an approved CA."
    try:
        check_sign_certificate(certificate)
        issuer = find_issuer(case.conf, certificate, moment_of(certificate, case.clock.now()))
        named = member_of(certificate, issuer.profile, key.member)
    except Fault as fault:
        return broken(fault.text, about=about, fix=fix)
    if named != key.member.member:
        what = f"its name ({name_text(certificate.subject)}) is of {named.short}"
        return broken(what, about=about, expected=key.member.member.short, fix=fix)
    return _dates(case, certificate, about, fix)


def _auth_certificate(case: Case, key: AuthKey) -> Finding:
    certificate = key.certificate
    about = f"{serial_text(certificate)}, authenticates"
    fix = "Get an authentication certificate from an approved CA and register it."
    try:
        usable = is_auth_certificate(certificate)
    except Fault as fault:
        return broken(fault.text, about=about, fix=fix)
    if not usable:
        seen = ", ".join(sorted(certificate.key_usage or ()))
        what = f"its key may not be used for authentication (keyUsage: {seen})"
        return broken(what, about=about, fix=fix)
    return _dates(case, certificate, about, fix)


def _dates(case: Case, certificate: Certificate, about: str, fix: str) -> Finding:
    now = case.clock.now()
    if now > certificate.not_after:
        return broken(f"it expired on {time_text(certificate.not_after)}", about=about, fix=fix)
    if now < certificate.not_before:
        return broken(
            f"it is valid only from {time_text(certificate.not_before)}",
            about=about,
            fix="Wait until then, or use another certificate.",
        )
    left = certificate.not_after - now
    said = f"valid until {time_text(certificate.not_after)} (for {length_text(left)})"
    if left < timedelta(days=case.options.days):
        return warning(said, about=about, expected=f"{case.options.days:g} days", fix=fix)
    return ok(said, about=about)


async def check_registration(case: Case) -> Findings:
    """The configuration knows this server, its certificate, and its clients."""
    server = case.settings.server_id
    registered = case.conf.find_server(server)
    if registered is None:
        what = f"{server.short} is not in the configuration of {case.conf.own}"
        fix = (
            "Correct 'server' in the settings; or register the authentication certificate and "
            f"wait until {_OPERATOR} has approved it."
        )
        return [broken(what, fix=fix)]
    found = [
        *_auth_hashes(case),
        *(_client(case, client) for client in case.serverconf.clients),
        *_strangers(case, registered.clients),
    ]
    if registered.maintenance is not None:
        notice = f": {registered.maintenance}" if registered.maintenance else ""
        fix = f"Ask {_OPERATOR} to end it when the work is done."
        found.append(warning(f"this server is in maintenance mode{notice}", fix=fix))
    if not registered.address:
        fix = f"Ask {_OPERATOR} to register an address for {server.short}."
        found.append(broken("no address of this server is registered", fix=fix))
    problems = [finding for finding in found if finding is not None]
    said = f"{server.short} at {registered.address}, with {len(case.serverconf.clients)} clients"
    return problems or [ok(said)]


def _auth_hashes(case: Case) -> list[Finding]:
    """What is wrong with the registered certificates; one good one is enough to work."""
    server, conf = case.settings.server_id, case.conf
    wrong = []
    for key in case.ring.authentication:
        of = conf.server_by_auth_hash(key.certificate)
        if of != server:
            whose = "nobody" if of is None else of.short
            value = conf.auth_hash(key.certificate).hex()
            what = f"its hash {value} is registered for {whose}"
            wrong.append((serial_text(key.certificate), what))
    tell = broken if len(wrong) == len(case.ring.authentication) else warning
    fix = f"Register this certificate for {server.short}, and wait for {_OPERATOR} to approve it."
    return [
        tell(what, about=about, expected=f"registered for {server.short}", fix=fix)
        for about, what in wrong
    ]


def _client(case: Case, client: ClientId) -> Finding | None:
    server = case.settings.server_id
    name = client.short
    if not case.conf.knows_member(client):
        fix = f"Correct [[client]] id = '{name}', or ask {_OPERATOR} to add it."
        return broken("it is no member or subsystem of the configuration", about=name, fix=fix)
    if not case.conf.is_client_of(client, server):
        return broken(
            f"it is not registered at {server.short}",
            about=name,
            fix=f"Register it there as a client, and wait for {_OPERATOR} to approve it.",
        )
    if not case.ring.sign_keys(client):
        return broken(
            "no key signs for it",
            about=name,
            fix=f"Get a signing certificate for {client.member.short}; see xgate keys list.",
        )
    return None


def _strangers(case: Case, registered: tuple[ClientId, ...]) -> Iterator[Finding]:
    for client in registered:
        if client not in case.serverconf.clients:
            yield warning(
                "it is registered at this server, and the settings do not know it",
                about=client.short,
                fix=f"Add [[client]] id = '{client.short}', or have its registration deleted.",
            )
