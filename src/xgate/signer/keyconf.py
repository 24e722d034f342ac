"""The reference's registry and software token on disk, read: ``keyconf.xml`` and ``softtoken/``.

The rule: the registry is never schema-valid in the field, so it is read by what is needed; the keys
open with the token's PIN, under whatever alias, by old ciphers too; nothing is written back. Keys
on other tokens come with what is known of them. Source: signer 2 and 6.
"""

from __future__ import annotations

import base64
import errno
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from cryptography.hazmat.primitives.serialization import pkcs12
from lxml import etree

from xgate.algorithms import key_octets
from xgate.errors import Fault
from xgate.ids import ClientId
from xgate.signer.entries import SOFTWARE, KeyEntry, StoredCertificate, StoredRequest, Usage
from xgate.signer.software import PrivateKey, key_kind, public_octets
from xgate.trust.certificate import Certificate
from xgate.trust.profile import short_profile
from xgate.trust.profile_fields import is_subject_field
from xgate.wire.names import read_id
from xgate.wire.xml import parse

__all__ = ["ImportedKey", "read_registry", "read_token_folder"]

ImportedKey = tuple[KeyEntry, PrivateKey | None]
"""A key's entry, and the key itself if it is the software token's."""

_SOFT_TOKEN = "softToken"  # noqa: S105  the reference's name of the device type, no secret
_USAGES: dict[str | None, Usage] = {"SIGNING": "SIGNING", "AUTHENTICATION": "AUTHENTICATION"}
_MOST_KEYS = 10_000
_MOST_OCTETS = 16 << 20


def read_token_folder(folder: Path, pin: str) -> list[ImportedKey]:
    """All keys of a reference signer: those of its software token with their private halves, those
    of other tokens as they are registered. Key files that the registry does not name come last.

    :param folder: the one that holds ``keyconf.xml`` and ``softtoken/``.
    :raises Fault: ``token_not_found`` (no such files), ``pin_incorrect``, ``invalid_xml``,
        ``key_not_found`` (a registered key without its file, or with another one).
    """
    registry = folder / "keyconf.xml"
    try:
        octets = _read_file(registry)
    except OSError as error:
        raise Fault("token_not_found", f"Cannot read {registry}: {error.strerror}") from None
    keys: list[ImportedKey] = [
        (entry, _read_key(folder, entry, pin) if entry.token == SOFTWARE else None)
        for entry in read_registry(octets)
    ]
    named = {entry.id for entry, _ in keys if entry.token == SOFTWARE}
    for path in sorted((folder / "softtoken").glob("*.p12"))[:_MOST_KEYS]:
        if path.stem not in named and path.stem.isalnum():
            entry = KeyEntry(path.stem, "", None)
            keys.append((entry, _read_key(folder, entry, pin)))
    return keys


def read_registry(octets: bytes) -> list[KeyEntry]:
    """The entries of a ``keyconf.xml``; of two with one id on one token the first.

    :raises Fault: ``invalid_xml``; ``key_not_found`` for an id that is none.
    """
    entries: dict[tuple[str, str], KeyEntry] = {}
    for device in parse(octets).iterfind("device"):
        kind, device_id = device.findtext("deviceType"), _text(device, "id")
        token = SOFTWARE if kind == _SOFT_TOKEN else device_id
        for element in device.iterfind("key"):
            entry = _read_entry(element, token)
            if entry is not None:
                entries.setdefault((token, entry.id), entry)
    return list(entries.values())


def _read_entry(element: etree._Element, token: str) -> KeyEntry | None:
    key_id = _text(element, "keyId")
    if not key_id:
        return None
    if not key_id.isalnum():
        raise Fault("key_not_found", f"'{key_id}' is not a key id")
    certificates = tuple(map(_read_cert, element.iterfind("cert")))
    return KeyEntry(
        # On hardware it is CKA_ID in hex, and older registries have that in small letters.
        id=key_id if token == SOFTWARE else key_id.upper(),
        label=_text(element, "label") or _text(element, "friendlyName"),
        usage=_USAGES.get(element.get("usage")),
        certificates=certificates,
        token=token,
        public_key=_octets(element.findtext("publicKey")) or _certified(certificates),
        requests=tuple(_read_requests(element)),
    )


def _certified(certificates: tuple[StoredCertificate, ...]) -> bytes:
    """The public key as the first certificate has it; an old registry has it nowhere else."""
    for stored in certificates:
        try:
            return key_octets(Certificate.load(stored.der).public_key)
        except Fault:
            continue
    return b""


def _read_cert(element: etree._Element) -> StoredCertificate:
    return StoredCertificate(
        der=_octets(element.findtext("contents")),
        member=_read_member(element),
        active=element.get("active", "true") in ("true", "1"),
        status=_text(element, "status") or "saved",
        id=element.get("id", ""),
        problem=_text(element, "ocspVerifyBeforeActivationError") or None,
    )


def _read_requests(element: etree._Element) -> Iterator[StoredRequest]:
    """Those that can be signed again: a subject that is no list of known fields cannot."""
    for request in element.iterfind("certRequest"):
        pairs = [part.partition("=") for part in _text(request, "subjectName").split(", ")]
        if all(sign and is_subject_field(name) for name, sign, _ in pairs):
            yield StoredRequest(
                request.get("id") or secrets.token_hex(20).upper(),
                _read_member(request),
                tuple((name, value) for name, _, value in pairs),
                _text(request, "subjectAlternativeName") or None,
                short_profile(_text(request, "certificateProfile")) or None,
            )


def _read_member(element: etree._Element) -> str | None:
    member = element.find("memberId")
    identifier = None if member is None else read_id(member)
    return identifier.short if isinstance(identifier, ClientId) else None


def _read_key(folder: Path, entry: KeyEntry, pin: str) -> PrivateKey:
    path = folder / "softtoken" / f"{entry.id}.p12"
    try:
        octets = _read_file(path)
    except OSError as error:
        raise Fault("key_not_found", f"Cannot read {path}: {error.strerror}") from None
    try:
        key, _, _ = pkcs12.load_key_and_certificates(octets, pin.encode())
    except ValueError:
        raise Fault("pin_incorrect", f"The PIN does not open {path.name}") from None
    kind = key_kind(key)
    if entry.public_key not in (b"", public_octets(key)):  # type: ignore[arg-type]  # key_kind has refused every other type
        raise Fault("key_not_found", f"{path.name} holds another {kind} key than keyconf.xml names")
    return key  # type: ignore[return-value]  # as above


def _read_file(path: Path) -> bytes:
    with path.open("rb") as file:
        octets = file.read(_MOST_OCTETS + 1)
    if len(octets) > _MOST_OCTETS:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
    return octets


def _text(element: etree._Element, name: str) -> str:
    return (element.findtext(name) or "").strip()


def _octets(text: str | None) -> bytes:
    try:
        return base64.b64decode("".join((text or "").split()), validate=True)
    except ValueError:
        raise Fault("invalid_xml", "keyconf.xml holds text that is not base64") from None
