"""Making a configuration: its parts, the signed directory over them, and the anchor to it.

The rule: octets as a central server makes them; what is random or depends on the clock (boundaries,
moments, the path of a generation) is an argument, so equal input gives equal octets. Quoting is the
central server's, because other clients understand no other (globalconf 3.1).
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from xgate.algorithms import SHA512, Digest, signature_uri
from xgate.errors import Fault
from xgate.globalconf.anchor import Anchor
from xgate.globalconf.conf import auth_certificate_hash
from xgate.globalconf.directory import (
    NEWEST_VERSION,
    PRIVATE_PARAMETERS,
    SHARED_PARAMETERS,
    DirectoryPart,
)
from xgate.globalconf.private import PrivateParameters
from xgate.globalconf.shared import SecurityServer
from xgate.globalconf.shared_writer import write_shared
from xgate.globalconf.times import write_time
from xgate.globalconf.xmltext import Tag, base64_tag, client_tag, write_document
from xgate.ids import ClientId

__all__ = [
    "PRIVATE_PARAMETERS",
    "SHARED_PARAMETERS",
    "Boundaries",
    "DirectorySigner",
    "describe_part",
    "register_server",
    "software_signer",
    "write_anchor",
    "write_directory",
    "write_fetch_interval",
    "write_monitoring_client",
    "write_private",
    "write_shared",
    "write_verify_next_update",
]

_BOUNDARY = re.compile("[A-Za-z0-9]{1,70}")
_HEADER_TEXT = re.compile(r"[^\x00-\x1f\x7f;\"]+")


class Boundaries(msgspec.Struct, frozen=True):
    """The two delimiters of a directory: 20 random letters and digits each, fresh every time."""

    outer: str
    inner: str


class DirectorySigner(msgspec.Struct, frozen=True):
    """Whose signature stands under a directory.

    :param certificate: DER; clients know the key by the hash of these octets.
    :param algorithm: URI of the signature algorithm.
    :param sign: signs octets; ECDSA signatures are ASN.1.
    """

    certificate: bytes
    algorithm: str
    sign: Callable[[bytes], bytes]


def software_signer(
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey,
    certificate: bytes,
    digest: Digest = SHA512,
) -> DirectorySigner:
    """A signer with a key in memory: RSA PKCS#1 v1.5 or ECDSA."""
    primitive = digest.primitive
    if isinstance(key, rsa.RSAPrivateKey):
        uri, pad = signature_uri("rsa", digest), padding.PKCS1v15()
        return DirectorySigner(certificate, uri, lambda data: key.sign(data, pad, primitive))
    uri = signature_uri("ecdsa", digest)
    return DirectorySigner(certificate, uri, lambda data: key.sign(data, ec.ECDSA(primitive)))


def describe_part(
    identifier: str, instance: str, location: str, octets: bytes, digest: Digest = SHA512
) -> DirectoryPart:
    """The directory's entry for a file that will be served at ``location`` (absolute path)."""
    return DirectoryPart(identifier, instance, location, digest, digest.of(octets))


def write_directory(
    parts: Iterable[DirectoryPart],
    signer: DirectorySigner,
    boundaries: Boundaries,
    *,
    expires: datetime,
    version: int = NEWEST_VERSION,
    digest: Digest = SHA512,
) -> bytes:
    """The signed directory, octet for octet as a central server writes it (globalconf 3.1).

    :param expires: usually ten minutes after now; written to the second.
    :param digest: for the hash of the verification certificate.
    :raises Fault: ``malformed_global_conf`` if a value cannot stand in a header.
    """
    if boundaries.outer == boundaries.inner or not all(
        map(_BOUNDARY.fullmatch, (boundaries.outer, boundaries.inner))
    ):
        raise Fault("malformed_global_conf", "boundaries are two words of letters and digits")
    signed = _signed_part(parts, boundaries.inner, expires, version)
    signature = b64encode(signer.sign(signed)).decode("ascii")
    certificate_hash = b64encode(digest.of(signer.certificate)).decode("ascii")
    head = _lines(
        f"Content-Type: multipart/related; charset=UTF-8; boundary={boundaries.outer}",
        "",
        f"--{boundaries.outer}",
        f"Content-Type: multipart/mixed; charset=UTF-8; boundary={boundaries.inner}",
        "",
    )
    tail = _lines(
        "",
        f"--{boundaries.outer}",
        "Content-Type: application/octet-stream",
        "Content-Transfer-Encoding: base64",
        f"Signature-Algorithm-Id: {signer.algorithm}",
        f'Verification-certificate-hash: {certificate_hash}; hash-algorithm-id="{digest.uri}"',
        "",
        signature,
        f"--{boundaries.outer}--",
    )
    return head + signed + tail


def write_private(private: PrivateParameters) -> bytes:
    """Write private-params.xml; all versions are the same (globalconf 5).

    :raises Fault: ``malformed_global_conf`` for what cannot be written.
    """
    management = private.management
    pinned = management.registration_certificate
    service = (
        Tag("authCertRegServiceAddress", management.registration_url),
        *(() if pinned is None else (base64_tag("authCertRegServiceCert", pinned),)),
        client_tag("managementRequestServiceProviderId", management.provider),
    )
    return write_document(
        "conf",
        (
            Tag("instanceIdentifier", private.instance),
            *(Tag("configurationAnchor", _anchor(anchor)) for anchor in private.anchors),
            Tag("managementService", service),
            Tag("timeStampingIntervalSeconds", str(private.timestamping_interval_seconds)),
        ),
    )


def write_anchor(anchor: Anchor) -> bytes:
    """Write an anchor file.

    The first source should be an ``http://`` one: the reference's client needs it (globalconf
    11.6).

    :raises Fault: ``malformed_anchor`` for an anchor that no client would take.
    """
    if not anchor.sources or not all(source.certificates for source in anchor.sources):
        raise Fault("malformed_anchor", "an anchor needs sources with verification certificates")
    return write_document("configurationAnchor", _anchor(anchor))


def write_fetch_interval(seconds: int) -> bytes:
    """Write fetchinterval-params.xml."""
    return write_document("conf", (Tag("ocspFetchInterval", str(seconds)),))


def write_verify_next_update(verify: bool) -> bytes:
    """Write nextupdate-params.xml."""
    return write_document("conf", (Tag("verifyNextUpdate", str(verify).lower()),))


def write_monitoring_client(client: ClientId | None) -> bytes:
    """Write monitoring-params.xml; None lets nobody query."""
    content = () if client is None else (client_tag("monitoringClientId", client),)
    return write_document("conf", (Tag("monitoringClient", content),))


def register_server(
    owner: ClientId,
    server_code: str,
    address: str | None,
    auth_certificates: Sequence[bytes],
    clients: Sequence[ClientId] = (),
    *,
    maintenance: str | None = None,
    version: int = NEWEST_VERSION,
) -> SecurityServer:
    """A server as shared parameters of this version list it.

    :param auth_certificates: DER.
    """
    hashes = tuple(auth_certificate_hash(der, version) for der in auth_certificates)
    return SecurityServer(owner, server_code, address, hashes, tuple(clients), maintenance)


def _signed_part(
    parts: Iterable[DirectoryPart], boundary: str, expires: datetime, version: int
) -> bytes:
    entries = [_lines(f"Expire-date: {write_time(expires)}", f"Version: {version}", "")]
    entries += map(_entry, parts)
    delimiter = _lines(f"--{boundary}")
    return b"".join(delimiter + entry for entry in entries) + _lines(f"--{boundary}--")


def _anchor(anchor: Anchor) -> tuple[Tag, ...]:
    moment = anchor.generated_at
    generated = () if moment is None else (write_time(moment, milliseconds=True),)
    return (
        *(Tag("generatedAt", text) for text in generated),
        Tag("instanceIdentifier", anchor.instance),
        *(
            Tag(
                "source",
                (
                    Tag("downloadURL", source.url),
                    *(base64_tag("verificationCert", c) for c in source.certificates),
                ),
            )
            for source in anchor.sources
        ),
    )


def _entry(part: DirectoryPart) -> bytes:
    named = part.content_file_name
    instance = "" if part.instance is None else f"; instance='{_plain(part.instance)}'"
    identifier = None if part.identifier is None else _plain(part.identifier) + instance
    return _lines(
        "Content-type: application/octet-stream",
        "Content-transfer-encoding: base64",
        *(() if identifier is None else (f"Content-identifier: {identifier}",)),
        f"Content-location: {_plain(part.location)}",
        *(() if named is None else (f"Content-file-name: {_plain(named)}",)),
        f"Hash-algorithm-id: {part.digest.uri}",
        "",
        b64encode(part.value).decode("ascii"),
    )


def _plain(text: str) -> str:
    if not _HEADER_TEXT.fullmatch(text) or text != text.strip():
        raise Fault("malformed_global_conf", f"{text!r} cannot stand in a header")
    return text


def _lines(*lines: str) -> bytes:
    return "".join(line + "\r\n" for line in lines).encode()
