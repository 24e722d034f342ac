"""Which key signs for whom, and which key this server shows to its peers.

The rule: the ring holds candidates; a key is chosen at the moment of use by what is true then: the
certificate registered and active, within its validity, and a fresh good OCSP response at hand
(ocsp-tls-certs 7, "Use"). The first that holds wins; when none does, the refusal says why.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

import msgspec

from xgate.algorithms import key_octets
from xgate.errors import Fault
from xgate.globalconf.conf import GlobalConf
from xgate.ids import ClientId, ServerId, parse_short_client
from xgate.net.key_reference import KeyReference
from xgate.signer.entries import SOFTWARE, KeyEntry, StoredCertificate
from xgate.signer.ocsp_cache import OcspCache, find_issuer
from xgate.signer.software import PrivateKey
from xgate.signer.token import ManagedToken, SigningToken, TokenKey
from xgate.trust.certificate import Certificate

__all__ = [
    "AuthKey",
    "KeyOnToken",
    "Keyring",
    "SignKey",
    "choose_auth_key",
    "choose_sign_key",
    "read_keyring",
]


class SignKey(msgspec.Struct, frozen=True):
    """A signing key with one of its certificates, registered for ``member``.

    :param merges: one signature may cover several messages.
    """

    member: ClientId
    certificate: Certificate
    key: TokenKey
    token: SigningToken
    merges: bool = True


class KeyOnToken(msgspec.Struct, frozen=True):
    """A key that never leaves its token."""

    key: TokenKey
    token: SigningToken


class AuthKey(msgspec.Struct, frozen=True):
    """An authentication key with one of its certificates.

    :param private: the key; or what stands here for one that the signer's process holds; or, in
        that process only, where it is.
    """

    certificate: Certificate
    private: PrivateKey | KeyReference | KeyOnToken

    def __repr__(self) -> str:
        return f"AuthKey({self.certificate.sha1})"


class Keyring(msgspec.Struct, frozen=True):
    """Every key with an active, registered certificate.

    :param absent: why there is none, when that is known.
    """

    signing: tuple[SignKey, ...]
    authentication: tuple[AuthKey, ...]
    absent: str = ""

    def sign_keys(self, client: ClientId) -> tuple[SignKey, ...]:
        """The keys that may sign for ``client``: registered for it or for its member."""
        return tuple(k for k in self.signing if k.member in (client, client.member))

    def certificates(self) -> tuple[Certificate, ...]:
        """All certificates whose OCSP responses must be kept fresh."""
        signing = (key.certificate for key in self.signing)
        return (*signing, *(key.certificate for key in self.authentication))


def read_keyring(
    entries: Iterable[KeyEntry],
    tokens: Mapping[str, SigningToken],
    private: Callable[[str], PrivateKey | None],
    refused: Callable[[Fault], None],
) -> Keyring:
    """The ring of the keys that can be used now.

    :param tokens: by id; entries of other tokens are left out.
    :param private: the software token's authentication key of this id, if it is open.
    :param refused: told of each active certificate that cannot be used, which hides no other:
        ``incorrect_certificate``, naming the key, when it cannot be read, is another key's, or is
        for a member whose name cannot be read.
    """
    signing: list[SignKey] = []
    authentication: list[AuthKey] = []
    usable = {(t, key.id): key for t, token in tokens.items() for key in token.keys()}
    merging = {name: _merges(token) for name, token in tokens.items()}
    for entry, stored in _active(entries):
        key = usable.get((entry.token, entry.id))
        if key is None:
            continue
        try:
            certificate = _certificate(entry, stored, key.public_key)
            if entry.usage == "SIGNING" and stored.member is not None:
                member = _member(entry, stored.member)
                token = tokens[entry.token]
                signing.append(SignKey(member, certificate, key, token, merging[entry.token]))
            elif entry.usage == "AUTHENTICATION":
                elsewhere = KeyOnToken(key, tokens[entry.token])
                held = private(entry.id) if entry.token == SOFTWARE else elsewhere
                if held is not None:
                    authentication.append(AuthKey(certificate, held))
        except Fault as fault:
            refused(fault)
    return Keyring(tuple(signing), tuple(authentication))


def _active(entries: Iterable[KeyEntry]) -> Iterable[tuple[KeyEntry, StoredCertificate]]:
    for entry in entries:
        for stored in entry.certificates:
            if stored.active and stored.status == "registered":
                yield entry, stored


def _merges(token: SigningToken) -> bool:
    """A token may be set to sign each message by itself (signer 10)."""
    return not isinstance(token, ManagedToken) or token.state().batch_signing


def _certificate(entry: KeyEntry, stored: StoredCertificate, public_key: bytes) -> Certificate:
    """The certificate, if it is this key's: under another one nobody could verify a signature."""
    try:
        certificate = Certificate.load(stored.der)
        certified = key_octets(certificate.public_key)
    except Fault as fault:
        raise _unusable(entry, f"cannot be read: {fault.text}") from None
    if certified != public_key:
        raise _unusable(entry, f"with serial number {certificate.serial} is another key's")
    return certificate


def _member(entry: KeyEntry, name: str) -> ClientId:
    try:
        return parse_short_client(name)
    except Fault as fault:
        raise _unusable(entry, f"is for nobody: {fault.text}") from None


def _unusable(entry: KeyEntry, why: str) -> Fault:
    return Fault("incorrect_certificate", f"A certificate of key '{entry.id}' {why}")


def choose_sign_key(
    ring: Keyring, client: ClientId, conf: GlobalConf, cache: OcspCache, now: datetime
) -> tuple[SignKey, bytes]:
    """The key that signs for ``client`` now, and the OCSP response that goes into the signature.

    :raises Fault: ``internal_error`` with the signer's own code in the text (soap-protocol 9) and
        what is wrong with each candidate.
    """
    candidates = ring.sign_keys(client)
    if not candidates:
        raise Fault(
            "internal_error",
            f"signer.unknown_member: Could not find any certificates for member '{client}'. "
            f"{ring.absent or 'Are you sure tokens containing the certificates are logged in?'}",
        )
    causes: list[str] = []
    for candidate in candidates:
        try:
            return candidate, _response(candidate.certificate, conf, cache, now)
        except Fault as fault:
            causes.append(str(fault))
    raise Fault(
        "internal_error",
        f"signer.internal_error: Member '{client}' has no suitable certificates "
        f"({'; '.join(causes)})",
    )


def choose_auth_key(
    ring: Keyring, server: ServerId, conf: GlobalConf, cache: OcspCache, now: datetime
) -> tuple[AuthKey, bytes]:
    """The authentication key that this server shows now, with its OCSP response.

    :raises Fault: ``ssl_authentication_failed`` saying what is wrong with each candidate.
    """
    causes: list[str] = []
    for candidate in ring.authentication:
        if conf.server_by_auth_hash(candidate.certificate) != server:
            causes.append(f"certificate {candidate.certificate.serial} is not of {server}")
            continue
        if isinstance(candidate.private, KeyOnToken):
            causes.append(
                f"the key of certificate {candidate.certificate.serial} is on token "
                f"{candidate.private.token.id}, where TLS reaches it only by way of a signer's "
                "process: run xgate signer and set [keys] signer"
            )
            continue
        try:
            return candidate, _response(candidate.certificate, conf, cache, now)
        except Fault as fault:
            causes.append(str(fault))
    why = "; ".join(causes) or ring.absent or "no authentication key is in the key store"
    raise Fault(
        "ssl_authentication_failed",
        f"Security server has no valid authentication certificate ({why})",
    )


def _response(certificate: Certificate, conf: GlobalConf, cache: OcspCache, now: datetime) -> bytes:
    return cache.usable(certificate, find_issuer(conf, certificate, now), conf, now)
