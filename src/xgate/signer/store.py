"""xgate's own encrypted key store: one file that holds keys, their certificates and their use.

Layout (JSON): ``{"format": "xgate keys 1", "salt", "check", "keys": [{..., "sealed"}]}``.
The PIN goes through scrypt; each private key (PKCS#8 DER) is sealed by AES-256-GCM under what comes
out, with the key's own public entry as associated data: an entry that was edited does not open.
``check`` is a sealed empty text, so that a wrong PIN is told from a damaged entry.

The rule: written whole to a temporary file (mode 0600), made durable, then renamed. The PIN and the
keys never appear in an error.
"""

from __future__ import annotations

import os
import secrets
import stat
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

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
from xgate.signer.software import PrivateKey, SoftwareToken, key_kind

__all__ = [
    "KeyEntry",
    "KeyStore",
    "StoredCertificate",
    "Unlocked",
    "Usage",
    "read_store",
    "write_store",
]

Usage = Literal["SIGNING", "AUTHENTICATION"]
_FORMAT = "xgate keys 1"
_MAX_BYTES = 4 << 20
_SCRYPT_N, _SCRYPT_R, _SCRYPT_P = 1 << 15, 8, 1  # 32 MiB, about 0.1 s: once per start


class StoredCertificate(msgspec.Struct, frozen=True):
    """A certificate of a key: for whom it signs (None: authentication), and whether it is in use.

    :param der: the certificate.
    :param member: ``INST/CLASS/CODE[/SUB]`` as registered; None for authentication certificates.
    :param status: as in the reference's registry: ``saved``, ``registered``...
    """

    der: bytes
    member: str | None = None
    active: bool = True
    status: str = "registered"


class KeyEntry(msgspec.Struct, frozen=True):
    """The public side of a key."""

    id: str
    label: str
    usage: Usage
    certificates: tuple[StoredCertificate, ...] = ()


class _Sealed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    entry: KeyEntry
    sealed: bytes


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: str
    salt: bytes
    check: bytes
    keys: tuple[_Sealed, ...]


class Unlocked(msgspec.Struct, frozen=True):
    """An opened key store.

    :param entries: the public entries, proven unchanged.
    :param token: signs with the signing keys and gives none away.
    :param authentication: the authentication keys by id; TLS needs them themselves.
    """

    entries: tuple[KeyEntry, ...]
    token: SoftwareToken
    authentication: Mapping[str, PrivateKey]

    def __repr__(self) -> str:
        return f"Unlocked({len(self.entries)} keys)"


class KeyStore(msgspec.Struct, frozen=True):
    """A key store as read from its file, still locked: entries are visible, keys are not."""

    file: _File

    def entries(self) -> tuple[KeyEntry, ...]:
        """The public entries; nothing proves them before ``unlock``."""
        return tuple(sealed.entry for sealed in self.file.keys)

    def unlock(self, pin: str) -> Unlocked:
        """Open every key and prove every entry.

        :raises Fault: ``pin_incorrect``, or ``cannot_sign`` naming a damaged entry.
        """
        cipher = _cipher(pin, self.file.salt)
        try:
            _open(cipher, self.file.check, b"")
        except InvalidTag:
            raise Fault("pin_incorrect", "The PIN of the key store is not correct") from None
        opened = [(sealed.entry, _unseal(cipher, sealed)) for sealed in self.file.keys]
        signing = {e.id: (e.label, key) for e, key in opened if e.usage == "SIGNING"}
        authentication = {e.id: key for e, key in opened if e.usage == "AUTHENTICATION"}
        return Unlocked(self.entries(), SoftwareToken(signing), authentication)


def read_store(path: Path) -> KeyStore:
    """Read a key store file.

    :raises Fault: ``token_not_initialized`` when there is none, ``token_not_available`` when it is
        not one or others may read it.
    """
    try:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise Fault(
                "token_not_available",
                f"The key store {path} is open to other users; run: chmod 600 {path}",
            )
        with path.open("rb") as file:
            octets = file.read(_MAX_BYTES + 1)
    except FileNotFoundError:
        raise Fault(
            "token_not_initialized", f"There is no key store at {path}; run: xgate keys import"
        ) from None
    try:
        if len(octets) > _MAX_BYTES:
            raise ValueError("larger than any key store")
        content = msgspec.json.decode(octets, type=_File)
        if content.format != _FORMAT:
            raise ValueError("another format")
    except (msgspec.MsgspecError, ValueError) as error:
        raise Fault("token_not_available", f"{path} is not a key store: {error}") from None
    return KeyStore(content)


def write_store(path: Path, pin: str, keys: Iterable[tuple[KeyEntry, PrivateKey]]) -> None:
    """Write all keys, sealed under ``pin``, replacing the file at once or not at all.

    :raises OSError: the file cannot be written; the old one is as it was.
    """
    salt = secrets.token_bytes(16)
    cipher = _cipher(pin, salt)
    sealed = tuple(
        _Sealed(entry, _seal(cipher, _pkcs8(private), _bound(entry))) for entry, private in keys
    )
    content = _File(_FORMAT, salt, _seal(cipher, b"", b""), sealed)
    _replace(path, msgspec.json.format(msgspec.json.encode(content), indent=1))


def _replace(path: Path, octets: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # made with 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(octets)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _cipher(pin: str, salt: bytes) -> AESGCM:
    kdf = Scrypt(salt=salt, length=32, n=_SCRYPT_N, r=_SCRYPT_R, p=_SCRYPT_P)
    return AESGCM(kdf.derive(pin.encode()))


def _seal(cipher: AESGCM, octets: bytes, bound: bytes) -> bytes:
    nonce = secrets.token_bytes(12)
    return nonce + cipher.encrypt(nonce, octets, bound)


def _open(cipher: AESGCM, sealed: bytes, bound: bytes) -> bytes:
    if len(sealed) < 28:
        raise InvalidTag
    return cipher.decrypt(sealed[:12], sealed[12:], bound)


def _bound(entry: KeyEntry) -> bytes:
    return msgspec.json.encode(entry)


def _pkcs8(private: PrivateKey) -> bytes:
    return private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def _unseal(cipher: AESGCM, sealed: _Sealed) -> PrivateKey:
    try:
        key = load_der_private_key(_open(cipher, sealed.sealed, _bound(sealed.entry)), None)
    except InvalidTag:
        raise Fault(
            "cannot_sign", f"The entry of key '{sealed.entry.id}' was changed or is damaged"
        ) from None
    key_kind(key)
    return key  # type: ignore[return-value]  # key_kind has refused every other type
