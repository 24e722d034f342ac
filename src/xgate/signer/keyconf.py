"""The reference's software token on disk, read: ``keyconf.xml`` and ``softtoken/<key id>.p12``.

The rule: the registry is never schema-valid in the field, so it is read by what is needed; the keys
open with the token's PIN, under whatever alias; nothing is written back. Source: signer 2 and 6.
"""

from __future__ import annotations

import base64
import binascii
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, pkcs12
from lxml import etree

from xgate.errors import Fault
from xgate.ids import ClientId
from xgate.signer.software import PrivateKey, key_kind
from xgate.signer.store import KeyEntry, StoredCertificate, Usage
from xgate.wire.names import read_id
from xgate.wire.xml import parse

__all__ = ["ImportedKey", "read_token_folder"]

ImportedKey = tuple[KeyEntry, PrivateKey]
_SOFT_TOKEN = "softToken"  # noqa: S105  the reference's name of the device type, no secret
_USAGES: dict[str, Usage] = {"SIGNING": "SIGNING", "AUTHENTICATION": "AUTHENTICATION"}


def read_token_folder(folder: Path, pin: str) -> list[ImportedKey]:
    """All keys of a reference signer's software token that have a usage.

    :param folder: the one that holds ``keyconf.xml`` and ``softtoken/``.
    :raises Fault: ``token_not_found`` (no such files), ``pin_incorrect``, ``invalid_xml``,
        ``key_not_found`` (a registered key without its file, or with another one).
    """
    registry = folder / "keyconf.xml"
    try:
        root = parse(registry.read_bytes())
    except OSError as error:
        raise Fault("token_not_found", f"Cannot read {registry}: {error.strerror}") from None
    keys = []
    for device in root.iterfind("device"):
        if device.findtext("deviceType") != _SOFT_TOKEN:
            continue
        for element in device.iterfind("key"):
            entry = _read_entry(element)
            if entry is not None:
                keys.append((entry, _read_key(folder, element, entry.id, pin)))
    return keys


def _read_entry(element: etree._Element) -> KeyEntry | None:
    usage = _USAGES.get(element.get("usage", ""))
    key_id = element.findtext("keyId") or ""
    if usage is None or not key_id:
        return None
    label = element.findtext("label") or element.findtext("friendlyName") or ""
    return KeyEntry(key_id, label, usage, tuple(map(_read_cert, element.iterfind("cert"))))


def _read_cert(element: etree._Element) -> StoredCertificate:
    member = element.find("memberId")
    identifier = None if member is None else read_id(member)
    return StoredCertificate(
        der=_octets(element.findtext("contents")),
        member=identifier.short if isinstance(identifier, ClientId) else None,
        active=element.get("active", "true") in ("true", "1"),
        status=element.findtext("status") or "saved",
    )


def _read_key(folder: Path, element: etree._Element, key_id: str, pin: str) -> PrivateKey:
    if not key_id.isalnum():
        raise Fault("key_not_found", f"'{key_id}' is not a key id")
    path = folder / "softtoken" / f"{key_id}.p12"
    try:
        octets = path.read_bytes()
    except OSError as error:
        raise Fault("key_not_found", f"Cannot read {path}: {error.strerror}") from None
    try:
        key, _, _ = pkcs12.load_key_and_certificates(octets, pin.encode())
    except ValueError:
        raise Fault("pin_incorrect", f"The PIN does not open {path.name}") from None
    kind = key_kind(key)
    spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)  # type: ignore[union-attr]  # key_kind has refused None
    if spki != _octets(element.findtext("publicKey")):
        raise Fault("key_not_found", f"{path.name} holds another {kind} key than keyconf.xml names")
    return key  # type: ignore[return-value]  # key_kind has refused every other type


def _octets(text: str | None) -> bytes:
    try:
        return base64.b64decode("".join((text or "").split()), validate=True)
    except binascii.Error:
        raise Fault("invalid_xml", "keyconf.xml holds text that is not base64") from None
