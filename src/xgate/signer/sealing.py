"""Private keys sealed under a PIN: how the software token's keys lie in the key store.

The PIN goes through scrypt; each private key (PKCS#8 DER) is sealed by AES-256-GCM under what comes
out, bound to its id and its public key: a sealed key opens as that key or not at all. What else is
known of a key (its certificates, their states) is not bound, so it changes without the PIN.
``check`` is a sealed empty text, so that a wrong PIN is told from a damaged key.

The rule: neither the PIN nor a key appears in an error or a ``repr``; what was decrypted is wiped
as soon as the key is loaded.
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
from xgate.signer.hardening import wiped
from xgate.signer.software import PrivateKey, key_kind, public_octets

__all__ = ["Opener", "SealedKeys", "new_opener"]

_SCRYPT_N, _SCRYPT_R, _SCRYPT_P = 1 << 15, 8, 1  # 32 MiB, about 0.1 s: once per login
_NONCE, _TAG = 12, 16


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
        if not opener.fits(self.check):
            raise Fault("pin_incorrect", "The PIN of the key store is not correct")
        return opener

    def __repr__(self) -> str:
        return f"SealedKeys({len(self.keys)} keys)"


class Opener:
    """Opens and seals keys under one PIN, which it does not keep: only what scrypt made of it."""

    def __init__(self, salt: bytes, pin: str) -> None:
        self.salt = salt
        kdf = Scrypt(salt=salt, length=32, n=_SCRYPT_N, r=_SCRYPT_R, p=_SCRYPT_P)
        with wiped(32) as key:
            kdf.derive_into(pin.encode(), key)
            self._cipher = AESGCM(key)

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
        return self.open_bound(key_id, sealed, _bound(key_id, public_key))

    def open_bound(self, key_id: str, sealed: bytes, bound: bytes) -> PrivateKey:
        """``open``, for a key that something else is bound to."""
        with wiped(max(0, len(sealed) - _NONCE - _TAG)) as octets:
            try:
                if len(sealed) < _NONCE + _TAG:
                    raise InvalidTag
                self._cipher.decrypt_into(sealed[:_NONCE], sealed[_NONCE:], bound, octets)
            except InvalidTag:
                raise _damaged(key_id) from None
            key = load_der_private_key(octets, None)
        key_kind(key)
        return key  # type: ignore[return-value]  # key_kind has refused every other type

    def seal_octets(self, octets: bytes, bound: bytes) -> bytes:
        """Sealed: nonce, ciphertext, tag."""
        nonce = secrets.token_bytes(_NONCE)
        return nonce + self._cipher.encrypt(nonce, octets, bound)

    def fits(self, check: bytes) -> bool:
        """Whether ``check`` was sealed under this PIN."""
        try:
            return self._cipher.decrypt(check[:_NONCE], check[_NONCE:], b"") == b""
        except (InvalidTag, ValueError):
            return False


def new_opener(pin: str) -> Opener:
    """For a new token, or one that gets a new PIN."""
    return Opener(secrets.token_bytes(16), pin)


def _damaged(key_id: str) -> Fault:
    """The refusal of sealed octets that do not open."""
    return Fault("cannot_sign", f"The entry of key '{key_id}' was changed or is damaged")


def _bound(key_id: str, public_key: bytes) -> bytes:
    return msgspec.json.encode(("xgate key", key_id, public_key))
