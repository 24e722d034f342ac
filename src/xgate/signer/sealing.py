"""Private keys sealed under a PIN: how the software token's keys lie in the key store.

The PIN goes through scrypt; each private key (PKCS#8 DER) is sealed by AES-256-GCM under what comes
out, bound to its id and its public key: a sealed key opens as that key or not at all. What else is
known of a key (its certificates, their states) is not bound, so it changes without the PIN.
``check`` is a sealed empty text, so that a wrong PIN is told from a damaged key.

The rule: neither the PIN nor a key appears in an error or a ``repr``.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)

from xgate.errors import Fault
from xgate.signer.software import PrivateKey, key_kind, public_octets

__all__ = ["Opener", "SealedKeys", "damaged", "new_opener", "read_private"]

_SCRYPT_N, _SCRYPT_R, _SCRYPT_P = 1 << 15, 8, 1  # 32 MiB, about 0.1 s: once per login


class SealedKeys(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The software token as it lies in the file.

    :param check: tells whether a PIN is right. :param keys: by key id.
    """

    salt: bytes
    check: bytes
    keys: Mapping[str, bytes] = {}

    def opener(self, pin: str) -> Opener:
        """What opens these keys.

        :raises Fault: ``pin_incorrect``.
        """
        opener = Opener(self.salt, pin)
        try:
            opener.open_octets(self.check, b"")
        except InvalidTag:
            raise Fault("pin_incorrect", "The PIN of the key store is not correct") from None
        return opener

    def __repr__(self) -> str:
        return f"SealedKeys({len(self.keys)} keys)"


class Opener:
    """Opens and seals keys under one PIN, which it does not keep: only what scrypt made of it."""

    def __init__(self, salt: bytes, pin: str) -> None:
        self.salt = salt
        kdf = Scrypt(salt=salt, length=32, n=_SCRYPT_N, r=_SCRYPT_R, p=_SCRYPT_P)
        self._cipher = AESGCM(kdf.derive(pin.encode()))

    def __repr__(self) -> str:
        return "<Opener>"

    def empty(self) -> SealedKeys:
        """A token under this PIN that holds no key yet."""
        return SealedKeys(self.salt, self.seal_octets(b"", b""))

    def seal(self, key_id: str, private: PrivateKey) -> bytes:
        """The sealed octets of a key."""
        octets = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        return self.seal_octets(octets, _bound(key_id, public_octets(private)))

    def open(self, key_id: str, public_key: bytes, sealed: bytes) -> PrivateKey:
        """The key of this id with this public key (SubjectPublicKeyInfo).

        :raises Fault: ``cannot_sign``, when it is not that key, or damaged.
        """
        try:
            octets = self.open_octets(sealed, _bound(key_id, public_key))
        except InvalidTag:
            raise damaged(key_id) from None
        return read_private(octets)

    def seal_octets(self, octets: bytes, bound: bytes) -> bytes:
        """Sealed: nonce, ciphertext, tag."""
        nonce = secrets.token_bytes(12)
        return nonce + self._cipher.encrypt(nonce, octets, bound)

    def open_octets(self, sealed: bytes, bound: bytes) -> bytes:
        """What was sealed.

        :raises InvalidTag: under another PIN, with something else bound to it, or changed since.
        """
        if len(sealed) < 28:
            raise InvalidTag
        return self._cipher.decrypt(sealed[:12], sealed[12:], bound)


def new_opener(pin: str) -> Opener:
    """For a new token, or one that gets a new PIN."""
    return Opener(secrets.token_bytes(16), pin)


def read_private(octets: bytes) -> PrivateKey:
    """A private key from PKCS#8.

    :raises Fault: ``unsupported_sign_algorithm`` for a kind that cannot sign here.
    """
    key = load_der_private_key(octets, None)
    key_kind(key)
    return key  # type: ignore[return-value]  # key_kind has refused every other type


def damaged(key_id: str) -> Fault:
    """The refusal of sealed octets that do not open."""
    return Fault("cannot_sign", f"The entry of key '{key_id}' was changed or is damaged")


def _bound(key_id: str, public_key: bytes) -> bytes:
    return msgspec.json.encode(("xgate key", key_id, public_key))
