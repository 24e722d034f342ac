"""The keys under which message bodies are encrypted at rest, and the form of what is encrypted.

The rule: AES-256-GCM under a key of each record's own (HKDF-SHA-512 of the key file, salted with
the record's key), so nonces need not be counted and a log that is restored from a copy repeats
none. What is encrypted is bound to its key id, its record, its owner and query id, and its place
among the parts: put anywhere else, or changed, it does not open. One key is current; the others
only read. The reference's own form (messagelog 6) is not authenticated and is not read here.
"""

from __future__ import annotations

import os
import re
import secrets
import stat
from collections.abc import Iterator, Mapping
from itertools import starmap
from pathlib import Path
from typing import NoReturn

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import GCM
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from xgate.errors import Fault
from xgate.messagelog.record import Body, LoggedRecord, Outline, Record, new_key, pieces_of, whole

__all__ = ["RecordKeys", "opened_outline", "read_keys"]

_LEAST_OCTETS = 32
_MOST_OCTETS = 4096
_FORM = b"\x01"
_NONCE_OCTETS = 12
_BEFORE = len(_FORM) + _NONCE_OCTETS
_TAG_OCTETS = 16
_ADDED = _BEFORE + _TAG_OCTETS  # octets that encryption adds to a part
_INFO = b"xgate messagelog record 1"
_KEY_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class _SealedBody:
    """A part that is encrypted while it is read, under a new nonce each time."""

    def __init__(self, key: bytes, bound: bytes, part: Body) -> None:
        self._key = key
        self._bound = bound
        self._part = part

    def __len__(self) -> int:
        return len(self._part) + _ADDED

    def pieces(self, size: int) -> Iterator[bytes]:
        """See ``Body.pieces``."""
        nonce = secrets.token_bytes(_NONCE_OCTETS)
        encryptor = Cipher(AES256(self._key), GCM(nonce)).encryptor()
        encryptor.authenticate_additional_data(self._bound)
        yield _FORM + nonce
        for piece in pieces_of(self._part, size):
            yield encryptor.update(piece)
        yield encryptor.finalize() + encryptor.tag


class RecordKeys:
    """Keys by their ids, and the one that encrypts; with none of them, nothing is encrypted."""

    def __init__(self, secrets_by_id: Mapping[str, bytes], current: str = "") -> None:
        """:param current: the id of the key for new records; "": they stay clear.
        :raises Fault: ``logging_failed`` when ``current`` is none of the keys.
        """
        self._secrets = dict(secrets_by_id)
        self._current = current
        if current:
            self._secret(current)

    def seal(self, record: Record) -> Record:
        """The record as it is stored."""
        if not self._current:
            return record
        record = msgspec.structs.replace(record, key_id=self._current, key=record.key or new_key())
        key = self._key(record)

        def sealed(place: int, part: bytes | Body | None) -> bytes | Body | None:
            if part is None or isinstance(part, bytes):
                return None if part is None else _sealed(key, _bound(record, place), part)
            return _SealedBody(key, _bound(record, place), part)

        return msgspec.structs.replace(
            record,
            message=sealed(0, record.message),
            attachments=tuple(starmap(sealed, enumerate(record.attachments, start=1))),
        )

    def open(self, logged: LoggedRecord) -> LoggedRecord:
        """The record as it was given to the log.

        :raises Fault: ``logging_failed``: its key is not here, or it was tampered with.
        """
        record = logged.record
        if not record.key_id:
            return logged
        cipher = AESGCM(self._key(record))

        def opened(place: int, part: bytes | Body) -> bytes:
            octets = memoryview(whole(part))
            form, nonce, text = octets[:1], octets[1:_BEFORE], octets[_BEFORE:]
            try:
                if form != _FORM:
                    raise InvalidTag
                return cipher.decrypt(nonce, text, _bound(record, place))
            except (InvalidTag, ValueError):
                raise _not_what_was_logged(logged.id, record.key_id) from None

        clear = msgspec.structs.replace(
            record,
            message=opened(0, record.message),
            attachments=tuple(
                None if part is None else opened(place, part)
                for place, part in enumerate(record.attachments, start=1)
            ),
        )
        return LoggedRecord(logged.id, clear, logged.stamp)

    def open_part(self, outline: Outline, place: int, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """One part of a record as it was given to the log, in pieces.

        :param pieces: as they are stored. :raises Fault: as ``open``; but with the last piece only.
        """
        if not outline.key_id:
            yield from pieces
            return
        key, bound = self._key(outline), _bound(outline, place)
        try:
            yield from _opened(key, bound, pieces)
        except (InvalidTag, ValueError):
            raise _not_what_was_logged(outline.id, outline.key_id) from None

    def _key(self, record: Record | Outline) -> bytes:
        secret = self._secret(record.key_id)
        hkdf = HKDF(algorithm=SHA512(), length=32, salt=record.key, info=_INFO)
        return hkdf.derive(secret)

    def _secret(self, key_id: str) -> bytes:
        try:
            return self._secrets[key_id]
        except KeyError:
            raise Fault(
                "logging_failed", f"The key '{key_id}' of the message log is not among its keys"
            ) from None


def read_keys(files: Mapping[str, Path], current: str = "") -> RecordKeys:
    """The keys in these files, by id: any octets, 32 at least (of 256 random bits).

    :raises Fault: ``logging_failed``, naming the key, when its file cannot be read, is open to
        others than its owner, or is too short or too long; or when ``current`` is none of them.
    """
    return RecordKeys({key_id: _read_key(key_id, path) for key_id, path in files.items()}, current)


def _sealed(key: bytes, bound: bytes, octets: bytes) -> bytes:
    nonce = secrets.token_bytes(_NONCE_OCTETS)
    return _FORM + nonce + AESGCM(key).encrypt(nonce, octets, bound)


def _opened(key: bytes, bound: bytes, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """:raises InvalidTag, ValueError: it is not what was sealed."""
    held = b""
    while len(held) < _BEFORE:
        held += next(pieces, b"") or _broken_off()
    form, nonce, held = held[:1], held[1:_BEFORE], held[_BEFORE:]
    if form != _FORM:
        raise InvalidTag
    decryptor = Cipher(AES256(key), GCM(nonce)).decryptor()
    decryptor.authenticate_additional_data(bound)
    for piece in pieces:
        held += piece
        yield decryptor.update(held[:-_TAG_OCTETS])
        held = held[-_TAG_OCTETS:]
    yield decryptor.update(held[:-_TAG_OCTETS]) + decryptor.finalize_with_tag(held[-_TAG_OCTETS:])


def _broken_off() -> NoReturn:
    raise ValueError("it is shorter than anything that is sealed")


def _not_what_was_logged(number: int, key_id: str) -> Fault:
    text = f"Record {number} of the message log does not open with the key '{key_id}'"
    return Fault("logging_failed", f"{text}: it is not what was logged")


def opened_outline(outline: Outline) -> Outline:
    """The outline as ``open`` would find it; that takes no key, and proves nothing."""
    if not outline.key_id:
        return outline
    return msgspec.structs.replace(
        outline,
        message_octets=outline.message_octets - _ADDED,
        attachment_octets=tuple(
            None if count is None else count - _ADDED for count in outline.attachment_octets
        ),
    )


def _read_key(key_id: str, path: Path) -> bytes:
    def refuse(text: str) -> Fault:
        return Fault("logging_failed", f"The key '{key_id}' of the message log, {path}: {text}")

    if not _KEY_ID.fullmatch(key_id):
        raise refuse("a key id has 1 to 64 letters, digits, dots, dashes or underscores")
    try:
        with path.open("rb") as file:
            state = os.fstat(file.fileno())
            octets = file.read(_MOST_OCTETS + 1)
    except OSError as error:
        raise refuse(error.strerror or "cannot be read") from None
    if not stat.S_ISREG(state.st_mode):
        raise refuse("it is no file")
    if stat.S_IMODE(state.st_mode) & 0o077:
        raise refuse("others may read it; it needs mode 0600")
    if not _LEAST_OCTETS <= len(octets) <= _MOST_OCTETS:
        raise refuse(f"it must have {_LEAST_OCTETS} to {_MOST_OCTETS} octets")
    return octets


def _bound(record: Record | Outline, place: int) -> bytes:
    """What an encrypted part belongs to."""
    attachments = record.attachments if isinstance(record, Record) else record.attachment_octets
    return msgspec.msgpack.encode(
        (
            record.key_id,
            record.key,
            place,
            len(attachments),
            record.owner.url,
            record.query_id.encode("utf-8", "surrogatepass"),  # the store refuses those
            record.response,
        )
    )
