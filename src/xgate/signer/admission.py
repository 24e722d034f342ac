"""Whether a certificate may come into the registry, under which key, for whom, in which state.

The rule: a certificate is taken for a key that is here, from a CA that the global configuration
approves, for one use, for a member that is known (signer 7). Whoever gives it is not believed
anything: the key is matched by its octets, the member is read out of the subject.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

import msgspec

from xgate.algorithms import key_octets
from xgate.errors import Fault
from xgate.globalconf.conf import GlobalConf
from xgate.ids import ClientId, ServerId
from xgate.signer.entries import SOFTWARE, KeyEntry, StoredCertificate, Usage
from xgate.signer.ocsp_cache import find_issuer
from xgate.trust.anchors import ApprovedCa
from xgate.trust.certificate import Certificate, is_auth_certificate, member_of

__all__ = ["Admission", "Terms", "admit_certificate"]


class Terms(msgspec.Struct, frozen=True):
    """What certificates are judged by.

    :param server: this one. :param members: those that are clients of this server.
    :param auth_on_any_token: whether an authentication key may lie on any token.
    """

    conf: GlobalConf
    server: ServerId
    members: Collection[ClientId]
    now: datetime
    auth_on_any_token: bool = False


class Admission(msgspec.Struct, frozen=True):
    """A certificate that was let in: the key's entry with it, its request removed."""

    entry: KeyEntry
    stored: StoredCertificate


def admit_certificate(
    octets: bytes, keys: Iterable[KeyEntry], terms: Terms, member: ClientId | None = None
) -> Admission:
    """The entry of the certificate's key, with the certificate in it.

    A signing certificate is registered and active, an authentication certificate saved and not
    active, or registered when the global configuration lists it for this server already.

    :param octets: DER, PEM or base64. :param keys: all that are here, with their public keys.
    :param member: the member or subsystem that it is to sign for; as the subject says if None.
    :raises Fault: ``incorrect_certificate`` (cannot be read, no known use, another member),
        ``wrong_cert_usage``, ``key_not_found``, ``cert_exists``, ``cert_import_failed`` (not of an
        approved CA, not valid now), ``unknown_member``.
    """
    certificate = Certificate.load(octets)
    usage = _usage(certificate)
    entry = _entry(certificate, keys)
    _check_fits(entry, usage, certificate, terms)
    issuer = _issuer(certificate, usage, terms)
    if usage == "SIGNING":
        named = _member(certificate, issuer, terms, member)
        stored = StoredCertificate(certificate.der, named.short)
    else:
        if member is not None:
            raise Fault("wrong_cert_usage", "An authentication certificate is for no member")
        listed = terms.conf.server_by_auth_hash(certificate) == terms.server
        stored = StoredCertificate(
            certificate.der, active=False, status="registered" if listed else "saved"
        )
    return Admission(_with(entry, usage, stored), stored)


def _usage(certificate: Certificate) -> Usage:
    signs = "nonRepudiation" in (certificate.key_usage or ())
    authenticates = is_auth_certificate(certificate)
    if signs and authenticates:
        raise Fault(
            "wrong_cert_usage", "The certificate is for signing and for authentication at once"
        )
    if not (signs or authenticates):
        raise Fault(
            "incorrect_certificate", "The certificate is neither for signing nor authentication"
        )
    return "SIGNING" if signs else "AUTHENTICATION"


def _entry(certificate: Certificate, keys: Iterable[KeyEntry]) -> KeyEntry:
    wanted = key_octets(certificate.public_key)
    for entry in keys:
        if entry.public_key == wanted:
            return entry
    raise Fault("key_not_found", "No token holds the key of this certificate")


def _check_fits(entry: KeyEntry, usage: Usage, certificate: Certificate, terms: Terms) -> None:
    if any(stored.der == certificate.der for stored in entry.certificates):
        raise Fault("cert_exists", f"Key '{entry.id}' has this certificate already")
    if entry.usage not in (None, usage):
        raise Fault(
            "wrong_cert_usage",
            f"The certificate is for {usage}, and key '{entry.id}' is for {entry.usage}",
        )
    if usage == "AUTHENTICATION" and entry.token != SOFTWARE and not terms.auth_on_any_token:
        raise Fault(
            "wrong_cert_usage",
            f"Key '{entry.id}' is on token '{entry.token}', and authentication keys belong on the "
            "software token unless auth-on-any-token is set",
        )


def _issuer(certificate: Certificate, usage: Usage, terms: Terms) -> ApprovedCa:
    try:
        terms.conf.check_valid(terms.now)
        issuer = find_issuer(terms.conf, certificate, terms.now)
    except Fault as fault:
        raise Fault("cert_import_failed", fault.text) from fault
    if issuer.authentication_only and usage == "SIGNING":
        raise Fault("cert_import_failed", "Its CA may issue authentication certificates only")
    return issuer


def _member(
    certificate: Certificate, issuer: ApprovedCa, terms: Terms, wanted: ClientId | None
) -> ClientId:
    own = ClientId(terms.conf.own, "?", "?")  # gives the instance to names that carry none
    named = member_of(certificate, issuer.profile, own if wanted is None else wanted)
    if wanted is not None and wanted.member != named:
        raise Fault(
            "incorrect_certificate",
            f"The certificate is for '{named.short}', not for '{wanted.short}'",
        )
    members = {client.member for client in (*terms.members, terms.server.owner)}
    if named not in members and not terms.conf.knows_member(named):
        raise Fault(
            "unknown_member", f"The certificate is for '{named.short}', whom nobody knows here"
        )
    return wanted or named


def _with(entry: KeyEntry, usage: Usage, stored: StoredCertificate) -> KeyEntry:
    """With the certificate, and without the request that asked for it (signer 7)."""
    answered = next(
        (r for r in entry.requests if usage == "AUTHENTICATION" or r.member == stored.member), None
    )
    return msgspec.structs.replace(
        entry,
        usage=usage,
        certificates=(*entry.certificates, stored),
        requests=tuple(r for r in entry.requests if r is not answered),
    )
