"""Which key signs for whom, and which key this server shows to its peers.

The rule: the ring holds candidates; a key is chosen at the moment of use by what is true then: the
certificate registered and active, within its validity, and a fresh good OCSP response at hand
(ocsp-tls-certs 7, "Use"). The first that holds wins; when none does, the refusal says why.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import msgspec

from xgate.errors import Fault
from xgate.globalconf.conf import GlobalConf
from xgate.ids import ClientId, ServerId
from xgate.signer.ocsp_cache import OcspCache, find_issuer
from xgate.signer.software import PrivateKey
from xgate.signer.store import KeyEntry, Unlocked
from xgate.signer.token import SigningToken, TokenKey
from xgate.trust.certificate import Certificate

__all__ = ["AuthKey", "Keyring", "SignKey", "choose_auth_key", "choose_sign_key", "read_keyring"]


class SignKey(msgspec.Struct, frozen=True):
    """A signing key with one of its certificates, registered for ``member``."""

    member: ClientId
    certificate: Certificate
    key: TokenKey
    token: SigningToken


class AuthKey(msgspec.Struct, frozen=True):
    """An authentication key with one of its certificates."""

    certificate: Certificate
    private: PrivateKey

    def __repr__(self) -> str:
        return f"AuthKey({self.certificate.sha1})"


class Keyring(msgspec.Struct, frozen=True):
    """Every key with an active, registered certificate."""

    signing: tuple[SignKey, ...]
    authentication: tuple[AuthKey, ...]

    def sign_keys(self, client: ClientId) -> tuple[SignKey, ...]:
        """The keys that may sign for ``client``: registered for it or for its member."""
        return tuple(k for k in self.signing if k.member in (client, client.member))

    def certificates(self) -> tuple[Certificate, ...]:
        """All certificates whose OCSP responses must be kept fresh."""
        signing = (key.certificate for key in self.signing)
        return (*signing, *(key.certificate for key in self.authentication))


def read_keyring(unlocked: Unlocked) -> Keyring:
    """The ring of an opened key store.

    :raises Fault: ``incorrect_certificate`` for a certificate that cannot be read.
    """
    by_id = {key.id: key for key in unlocked.token.keys()}
    return Keyring(
        tuple(_signing(unlocked.entries, by_id, unlocked.token)),
        tuple(
            AuthKey(certificate, unlocked.authentication[entry.id])
            for entry, certificate, _ in _active(unlocked.entries, "AUTHENTICATION")
        ),
    )


def _signing(
    entries: Sequence[KeyEntry], keys: Mapping[str, TokenKey], token: SigningToken
) -> Iterable[SignKey]:
    for entry, certificate, member in _active(entries, "SIGNING"):
        if member is not None:
            yield SignKey(member, certificate, keys[entry.id], token)


def _active(
    entries: Sequence[KeyEntry], usage: str
) -> Iterable[tuple[KeyEntry, Certificate, ClientId | None]]:
    for entry in entries:
        if entry.usage != usage:
            continue
        for stored in entry.certificates:
            if stored.active and stored.status == "registered":
                member = None if stored.member is None else ClientId(*stored.member.split("/"))
                yield entry, Certificate.load(stored.der), member


def choose_sign_key(
    ring: Keyring, client: ClientId, conf: GlobalConf, cache: OcspCache, now: datetime
) -> tuple[SignKey, bytes]:
    """The key that signs for ``client`` now, and the OCSP response that goes into the signature.

    :raises Fault: ``internal_error`` with the signer's own code in the text (soap-protocol 9).
    """
    candidates = ring.sign_keys(client)
    if not candidates:
        raise Fault(
            "internal_error",
            f"signer.unknown_member: Could not find any certificates for member '{client}'. "
            "Are you sure tokens containing the certificates are logged in?",
        )
    why = ""
    for candidate in candidates:
        try:
            issuer = find_issuer(conf, candidate.certificate, now)
            return candidate, cache.usable(candidate.certificate, issuer, conf, now)
        except Fault as fault:
            why = why or str(fault)
    raise Fault(
        "internal_error",
        f"signer.internal_error: Member '{client}' has no suitable certificates ({why})",
    )


def choose_auth_key(
    ring: Keyring, server: ServerId, conf: GlobalConf, cache: OcspCache, now: datetime
) -> tuple[AuthKey, bytes]:
    """The authentication key that this server shows now, with its OCSP response.

    :raises Fault: ``ssl_authentication_failed`` saying what is wrong with each candidate.
    """
    why = "no authentication key is in the key store"
    for candidate in ring.authentication:
        try:
            if conf.server_by_auth_hash(candidate.certificate) != server:
                raise Fault("cert_validation", f"not registered for {server}")
            issuer = find_issuer(conf, candidate.certificate, now)
            return candidate, cache.usable(candidate.certificate, issuer, conf, now)
        except Fault as fault:
            why = fault.text
    raise Fault(
        "ssl_authentication_failed",
        f"Security server has no valid authentication certificate ({why})",
    )
