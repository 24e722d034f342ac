"""ASiC-E containers: one message with all that proves it, in one file for people and courts.

The rule: reading checks that everything a proof needs is there, in the reference's order and with
its codes, and proves nothing (``trust.verify`` does); entries of other names are passed over.
Writing gives exactly the entries of asic 1. Sources: asic 1, 2, 5 and 7.
"""

from __future__ import annotations

import io
import re
from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import chain
from typing import IO
from urllib.parse import quote_plus

import msgspec

from xgate.algorithms import SHA512
from xgate.errors import Fault
from xgate.trust.strict_zip import read_zip, write_zip_to
from xgate.trust.xades_read import read_signature

__all__ = [
    "MIME_TYPE",
    "SIZE_LIMIT",
    "Container",
    "container_name",
    "read_container",
    "write_container",
    "write_container_to",
]

MIME_TYPE = "application/vnd.etsi.asic-e+zip"
"""The media type of a container."""
SIZE_LIMIT = 640 << 20
"""The largest container that is read: the largest body that may be logged, and what proves it."""
_ATTACHMENT = re.compile("attachment([1-9][0-9]{0,5})")
_MANIFEST = "META-INF/manifest.xml"
_ASIC_MANIFEST = "META-INF/ASiCManifest.xml"
# The entries that hold a container's fields.
_ENTRIES = {
    "message": "message.xml",
    "signature": "META-INF/signatures.xml",
    "chain_result": "sig-hashchainresult.xml",
    "chain": "sig-hashchain.xml",
    "timestamp_chain_result": "ts-hashchainresult.xml",
    "timestamp_chain": "ts-hashchain.xml",
    "timestamp": "META-INF/timestamp.tst",
}


class Container(msgspec.Struct, frozen=True):
    """What one container holds, as octets.

    ``timestamp`` is the token of a batch time-stamp (DER); a single one is in the signature.
    ``attachments`` are (``attachment1``, octets) pairs; those that were not logged are missing.
    """

    message: bytes
    signature: bytes
    chain_result: bytes | None = None
    chain: bytes | None = None
    timestamp_chain_result: bytes | None = None
    timestamp_chain: bytes | None = None
    timestamp: bytes | None = None
    attachments: tuple[tuple[str, bytes], ...] = ()

    def find(self, uri: str) -> bytes | None:
        """The octets that a signature or hash chain calls by ``/name``, or None.

        Attachments are not among them: their digests are compared, not their octets resolved.
        """
        return next((self._of(f) for f, entry in _ENTRIES.items() if uri == f"/{entry}"), None)

    @property
    def token(self) -> bytes:
        """The time-stamp token (DER), wherever it is.

        :raises Fault: ``malformed_signature``, ``invalid_xml``, ``asic_timestamp_not_found``.
        """
        token = self.timestamp
        if token is None:
            token = read_signature(self.signature).timestamp
        if token is None:
            raise Fault("malformed_signature", "The signature has no time-stamp in it")
        if _blank(token):
            raise Fault("asic_timestamp_not_found", "The time-stamp is empty")
        return token

    def _of(self, field: str) -> bytes | None:
        value: bytes | None = getattr(self, field)
        return value


def read_container(data: bytes, *, limit: int = SIZE_LIMIT) -> Container:
    """Take a container apart; rows 1 to 6 of asic 5.

    :param limit: the largest sum of all files' sizes, in octets.
    :raises Fault: ``asic_invalid_container`` for a damaged or tricky zip, otherwise as listed
        there, for the first thing that is missing.
    """
    files = read_zip(data, limit=limit)
    _check_mime_type(files.get("mimetype"))
    _check_there(files, "message.xml", "asic_message_not_found")
    _check_there(files, "META-INF/signatures.xml", "asic_signature_not_found")
    _check_pair(files, "sig-hashchainresult.xml", "sig-hashchain.xml")
    container = msgspec.convert(
        {
            **{field: files[entry] for field, entry in _ENTRIES.items() if entry in files},
            "attachments": tuple(_attachments(files)),
        },
        Container,
    )
    _ = container.token
    _check_pair(files, "ts-hashchainresult.xml", "ts-hashchain.xml")
    for manifest in (_MANIFEST, _ASIC_MANIFEST):
        if manifest in files:
            _check_there(files, manifest, "asic_manifest_not_found")
    return container


def write_container(container: Container, at: datetime) -> bytes:
    """The container as a zip: the mimetype first and stored, as ASiC wants it.

    :param at: the record's time, aware.
    :raises Fault: as ``Container.token``: without a time-stamp there is no proof to hand out.
    """
    out = io.BytesIO()
    write_container_to(out, container, [(n, (octets,)) for n, octets in container.attachments], at)
    return out.getvalue()


def write_container_to(
    out: IO[bytes],
    container: Container,
    attachments: Sequence[tuple[str, Iterable[bytes]]],
    at: datetime,
) -> None:
    """The same octets, with attachments that are not held in memory.

    :param out: empty, seekable. :param container: its own attachments are not looked at.
    :raises Fault: as ``write_container``.
    """
    _ = container.token
    files = chain(
        ((name, (content,)) for name, content in _files(container, [n for n, _ in attachments])),
        attachments,
    )
    write_zip_to(out, files, at=at, comment=f"mimetype={MIME_TYPE}")


def container_name(query_id: str, response: bool, record_id: int) -> str:
    """The file name of a container: ``<query id>-request-<record id>.asice`` (asic 2).

    :param record_id: of the log record, 64 bits; a negative one counts as unsigned.
    """
    query = quote_plus(query_id, safe="*", errors="replace").replace("~", "%7E")[:226]
    return f"{query}-{'response' if response else 'request'}-{_base32(record_id % 2**64)}.asice"


def _base32(number: int) -> str:
    digits = ""
    while number or not digits:
        number, digit = divmod(number, 32)
        digits = "0123456789abcdefghijklmnopqrstuv"[digit] + digits
    return digits


def _check_mime_type(value: bytes | None) -> None:
    if value is None:
        raise Fault("asic_mime_type_not_found", "The container has no mimetype")
    if value.strip().lower() != MIME_TYPE.encode():
        raise Fault("asic_invalid_mime_type", "The container's mimetype is not that of ASiC-E")


def _check_there(files: dict[str, bytes], name: str, code: str) -> None:
    if _blank(files.get(name)):
        raise Fault(code, f"The container has no {name}, or an empty one")


def _check_pair(files: dict[str, bytes], result: str, chain: str) -> None:
    there, both = not _blank(files.get(result)), not _blank(files.get(chain))
    if both and not there:
        _check_there(files, result, "asic_hash_chain_result_not_found")
    if there and not both:
        _check_there(files, chain, "asic_hash_chain_not_found")


def _blank(content: bytes | None) -> bool:
    return not content or content.isspace()


def _attachments(files: dict[str, bytes]) -> Iterator[tuple[str, bytes]]:
    found = {int(m[1]): name for name in files if (m := _ATTACHMENT.fullmatch(name))}
    for number in sorted(found):
        yield found[number], files[found[number]]


def _files(container: Container, attachments: list[str]) -> Iterator[tuple[str, bytes]]:
    """All but the attachments, which come last."""
    yield "mimetype", MIME_TYPE.encode()
    parts = [
        (entry, content)
        for field, entry in _ENTRIES.items()
        if field != "timestamp" and (content := container.find(f"/{entry}")) is not None
    ]
    yield from parts
    named = [entry for entry, _ in parts if not entry.startswith("META-INF/")]
    yield _MANIFEST, _manifest(named, attachments)
    if container.timestamp is not None:
        yield _ASIC_MANIFEST, _asic_manifest(container.timestamp_chain_result or b"")
        yield _ENTRIES["timestamp"], container.timestamp


def _manifest(documents: list[str], attachments: list[str]) -> bytes:
    types = [
        (MIME_TYPE, "/"),
        *(("text/xml", name) for name in documents),
        *(("application/octet-stream", name) for name in attachments),
    ]
    entries = "".join(
        f'    <manifest:file-entry manifest:media-type="{kind}" manifest:full-path="{name}"/>\n'
        for kind, name in types
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"'
        f' manifest:version="1.2">\n{entries}</manifest:manifest>\n'
    ).encode()


def _asic_manifest(timestamped: bytes) -> bytes:
    """The namespace and the media type are wrong by the standard, and what X-Road has."""
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        '<asic:ASiCManifest xmlns:asic="http://uri.etsi.org/2918/v1.2.1#"'
        ' xmlns:ds="http://www.w3.org/2000/09/xmldsig#">\n'
        '<asic:SigReference URI="META-INF/timestamp.tst" MimeType="vnd.etsi.timestamp-token"/>\n'
        '<asic:DataObjectReference URI="ts-hashchainresult.xml" MimeType="text/xml">\n'
        f'<ds:DigestMethod Algorithm="{SHA512.uri}" />\n'
        f"<ds:DigestValue>{b64encode(SHA512.of(timestamped)).decode()}</ds:DigestValue>\n"
        "</asic:DataObjectReference>\n"
        "</asic:ASiCManifest>"
    ).encode()
