"""The signed directory: what a configuration consists of, proven by a key that the location knows.

The rule: nothing of the signed octets is interpreted before their signature holds under one of the
location's own certificates, found by the hash of its octets; the certificate's dates and issuer do
not count. Then the directory must not have expired, and every part says by digest which octets it
means (globalconf 3). Digests and signatures by MD5 and SHA-1 are taken only on request.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NoReturn

import msgspec

from xgate.algorithms import Digest, find_digest, find_signature, verify_signature
from xgate.errors import Fault
from xgate.globalconf.elements import decode_base64
from xgate.globalconf.mimeparts import HeaderValue, RawPart, read_part, read_value, split_parts
from xgate.globalconf.times import read_time
from xgate.ids import decode_segment
from xgate.trust.certificate import Certificate

__all__ = [
    "DIRECTORY_LIMIT",
    "NEWEST_VERSION",
    "OLDEST_VERSION",
    "PRIVATE_PARAMETERS",
    "SHARED_PARAMETERS",
    "Directory",
    "DirectoryPart",
    "read_directory",
]

OLDEST_VERSION = 2
NEWEST_VERSION = 6
PRIVATE_PARAMETERS = "PRIVATE-PARAMETERS"
SHARED_PARAMETERS = "SHARED-PARAMETERS"
DIRECTORY_LIMIT = 1024 * 1024
"""Octets of a directory: about two thousand parts."""

_MOST_PARTS = 1000
_FIXED_NAMES = {
    PRIVATE_PARAMETERS: "private-params.xml",
    SHARED_PARAMETERS: "shared-params.xml",
}
_MD5 = Digest("MD5", "http://www.w3.org/2001/04/xmldsig-more#md5", 16)
_WEAK = ("MD5", "SHA-1")
_LOCATION = re.compile(r"(?:/[A-Za-z0-9\-._~!$&'()*+,;=:@%]+)+")
_FILE_NAME = re.compile(r"[A-Za-z0-9\-_~!$&'()+,;=@.%]{1,200}")


class DirectoryPart(msgspec.Struct, frozen=True):
    """One file of the configuration.

    :param location: absolute path on the host that serves the directory.
    :param value: the digest of the file's octets by ``digest``.
    :param content_file_name: the name the source asks for; no central server writes one.
    """

    identifier: str | None
    instance: str | None
    location: str
    digest: Digest
    value: bytes
    content_file_name: str | None = None

    @property
    def file_name(self) -> str:
        """The name under which the file is kept (globalconf 3.5)."""
        fixed = _FIXED_NAMES.get(self.identifier or "")
        return fixed or (self.content_file_name or self.location).rpartition("/")[2]

    def check_octets(self, octets: bytes) -> None:
        """Refuse octets that are not the ones this part means.

        :raises Fault: ``global_conf_part_downloaded_file_integrity_failure``.
        """
        if self.digest.of(octets) != self.value:
            raise Fault(
                "global_conf_part_downloaded_file_integrity_failure",
                f"Hash of the configuration part {self.location} does not match",
            )


class Directory(msgspec.Struct, frozen=True):
    """A verified directory."""

    version: int
    expires: datetime
    parts: tuple[DirectoryPart, ...]


def read_directory(
    data: bytes, certificates: Sequence[bytes], now: datetime, *, weak: bool = False
) -> Directory:
    """Verify and read a signed directory.

    :param certificates: those of the location it came from, as given there.
    :param now: aware; no allowance is made for clocks that differ.
    :param weak: take MD5 and SHA-1 as well.
    :raises Fault: the codes of globalconf 3.3; ``global_conf_outdated`` after its expiry.
    """
    if len(data) > DIRECTORY_LIMIT:
        _unreadable("the directory is too large")
    signed, signature = _outer_parts(data)
    _check_signature(signed.body, signature, certificates, weak=weak)
    inner = read_value(_header(signed, "content-type"))
    raw_parts = split_parts(signed.body, inner.parameters.get("boundary", ""), _MOST_PARTS)
    if not raw_parts:
        raise Fault("global_conf_missing_signed_data_expiration_date", "The directory is empty")
    head, *parts = map(read_part, raw_parts)
    expires = _read_expiry(_header(head, "expire-date"))
    if now > expires:
        raise Fault("global_conf_outdated", f"The configuration expired on {expires.isoformat()}")
    version = _read_version(head.headers.get("version", "2"))
    directory = Directory(version, expires, tuple(_read_entry(part, weak=weak) for part in parts))
    _check_names(directory.parts)
    return directory


def _outer_parts(data: bytes) -> tuple[RawPart, RawPart]:
    """The signed data and its signature; a third part would be a second signature: refused."""
    message = read_part(data)
    outer = read_value(_header(message, "content-type"))
    if not outer.base.lower().startswith("multipart/"):
        raise Fault("global_conf_missing_signed_data", "The directory is not a multipart")
    parts = split_parts(message.body, outer.parameters.get("boundary", ""), 2)
    if not parts:
        raise Fault("global_conf_missing_signed_data", "The directory has no signed data")
    if len(parts) == 1:
        raise Fault(
            "global_conf_missing_signed_data_expiration_date", "The directory has no signature"
        )
    return read_part(parts[0]), read_part(parts[1])


def _check_signature(
    signed: bytes, part: RawPart, certificates: Sequence[bytes], *, weak: bool
) -> None:
    try:
        signature = decode_base64(part.body.decode("ascii")) if part.body.strip() else b""
    except (Fault, UnicodeDecodeError) as error:
        raise Fault(
            "global_conf_signature_decode_failure", "The signature cannot be decoded"
        ) from error
    _check_encoding(part)
    uri = _header(part, "signature-algorithm-id")
    _check_algorithm(uri, weak=weak)
    named = read_value(_header(part, "verification-certificate-hash"))
    digest = _digest(_parameter(named, "hash-algorithm-id", "verification-certificate-hash"), weak)
    certificate = _find_certificate(named.base, digest, certificates)
    key = _public_key(certificate)
    if not verify_signature(uri, key, signature, signed, raw_ecdsa=False):
        raise Fault(
            "global_conf_signature_verification_failure",
            "The signature of the configuration does not hold",
        )


def _find_certificate(hash_text: str, digest: Digest, certificates: Sequence[bytes]) -> bytes:
    value = _read_digest(hash_text, digest)
    for certificate in certificates:
        if digest.of(certificate) == value:
            return certificate
    raise Fault(
        "global_conf_missing_verification_cert",
        f"The source names no verification certificate with the hash {hash_text}",
    )


def _public_key(certificate: bytes) -> object:
    try:
        return Certificate.load(certificate).public_key
    except Fault as fault:
        raise Fault(
            "global_conf_missing_verification_cert",
            f"The verification certificate cannot be read: {fault.text}",
        ) from fault


def _read_expiry(text: str) -> datetime:
    try:
        return read_time(text)
    except Fault as fault:
        raise _wrong("expire-date") from fault


def _read_version(text: str) -> int:
    if not re.fullmatch("[0-9]", text) or not OLDEST_VERSION <= int(text) <= NEWEST_VERSION:
        raise _wrong("version")
    return int(text)


def _read_entry(part: RawPart, *, weak: bool) -> DirectoryPart:
    _check_encoding(part)
    identifier, instance = _read_identifier(part.headers.get("content-identifier"))
    location = _header(part, "content-location")
    if not _usable_location(location):
        raise _wrong("content-location")
    digest = _digest(_header(part, "hash-algorithm-id"), weak)
    value = _read_digest(part.body.decode("latin-1"), digest)
    named = part.headers.get("content-file-name")
    entry = DirectoryPart(identifier, instance, location, digest, value, named)
    taken = identifier not in _FIXED_NAMES and entry.file_name in _FIXED_NAMES.values()
    if taken or not _usable_name(entry.file_name):
        raise _wrong("content-location" if named is None else "content-file-name")
    return entry


def _read_identifier(text: str | None) -> tuple[str | None, str | None]:
    if text is None:
        return None, None
    value = read_value(text)
    if value.base in _FIXED_NAMES:
        _parameter(value, "instance", "content-identifier")
    return value.base, value.parameters.get("instance")


def _usable_location(location: str) -> bool:
    """An absolute path of plain segments; nothing that leads elsewhere (globalconf 11.18)."""
    if len(location) > 1000 or not _LOCATION.fullmatch(location):
        return False
    try:
        segments = [decode_segment(segment) for segment in location[1:].split("/")]
    except Fault:
        return False
    return not any(
        segment in (".", "..") or any(char in "/\\" or not char.isprintable() for char in segment)
        for segment in segments
    )


def _usable_name(name: str) -> bool:
    """Whether a part may be kept under this name beside our own files (globalconf 11.23)."""
    reserved = name.endswith(("files", ".metadata", "instance-identifier"))
    return bool(_FILE_NAME.fullmatch(name)) and not name.startswith(".") and not reserved


def _check_names(parts: Sequence[DirectoryPart]) -> None:
    seen = {(part.instance, part.file_name) for part in parts}
    if len(seen) != len(parts):
        _unreadable("two parts would be kept under one name")


def _check_encoding(part: RawPart) -> None:
    if _header(part, "content-type") != "application/octet-stream":
        raise _wrong("content-type")
    if _header(part, "content-transfer-encoding") != "base64":
        raise _wrong("content-transfer-encoding")


def _check_algorithm(uri: str, *, weak: bool) -> None:
    algorithm = find_signature(uri)
    if algorithm is None or (algorithm.digest.name in _WEAK and not weak):
        raise _wrong("signature-algorithm-id")


def _digest(uri: str, weak: bool) -> Digest:
    digest = _MD5 if uri == _MD5.uri else find_digest(uri)
    if digest is None or (digest.name in _WEAK and not weak):
        raise _wrong("hash-algorithm-id")
    return digest


def _read_digest(text: str, digest: Digest) -> bytes:
    try:
        value = decode_base64(text)
    except Fault as fault:
        raise _wrong("hash") from fault
    if len(value) != digest.size:
        raise _wrong("hash")
    return value


def _header(part: RawPart, name: str) -> str:
    return _present(part.headers, name)


def _present(headers: Mapping[str, str], name: str) -> str:
    value = headers.get(name)
    if not value:
        raise Fault("global_conf_header_field_missing", f"Missing header {name}")
    return value


def _parameter(value: HeaderValue, name: str, header: str) -> str:
    parameter = value.parameters.get(name)
    if not parameter:
        raise Fault(
            "global_conf_header_field_missing_parameter",
            f"Field {header} is missing parameter {name}",
        )
    return parameter


def _wrong(what: str) -> Fault:
    return Fault("global_conf_header_field_wrong_value", f"Field {what} has a wrong value")


def _unreadable(text: str) -> NoReturn:
    raise Fault("global_conf_parsing_downloaded_conf_directory_failure", text)
