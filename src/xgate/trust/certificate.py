"""X.509 certificates as X-Road needs them: from any form they are kept in, compared by octets.

The rule: what decides anything (names, serial, dates, key, extensions) is read by our own DER
reader, strictly where it matters and without opinions where it does not: members hold certificates
that libraries made for the web refuse (a country of three letters, odd serial numbers). Keys and
signatures are OpenSSL's business. Sources: ocsp-tls-certs 1 to 3 and 12, globalconf 11.1.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64decode
from datetime import datetime
from functools import lru_cache

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import load_der_public_key

from xgate.errors import Fault
from xgate.ids import ClientId
from xgate.trust.der import (
    BIT_STRING,
    BOOLEAN,
    INTEGER,
    OCTET_STRING,
    OID,
    SEQUENCE,
    Cursor,
    DerError,
    Element,
    context,
    der_faults,
    enter,
    read,
    read_bits,
    read_boolean,
    read_first,
    read_integer,
    read_oid,
    read_time,
)
from xgate.trust.name import Name
from xgate.trust.profile import member_of_name

__all__ = [
    "CLIENT_AUTH",
    "OCSP_SIGNING",
    "TIME_STAMPING",
    "Certificate",
    "Extension",
    "Name",
    "check_sign_certificate",
    "is_auth_certificate",
    "member_of",
]

CLIENT_AUTH = "1.3.6.1.5.5.7.3.2"
TIME_STAMPING = "1.3.6.1.5.5.7.3.8"
OCSP_SIGNING = "1.3.6.1.5.5.7.3.9"

_BASIC_CONSTRAINTS = "2.5.29.19"
_KEY_USAGE = "2.5.29.15"
_EXTENDED_KEY_USAGE = "2.5.29.37"
_SUBJECT_KEY_ID = "2.5.29.14"
_USAGES = (
    "digitalSignature",
    "nonRepudiation",
    "keyEncipherment",
    "dataEncipherment",
    "keyAgreement",
    "keyCertSign",
    "cRLSign",
    "encipherOnly",
    "decipherOnly",
)
_LARGEST = 32 * 1024
_MOST_EXTENSIONS = 64


class Extension(msgspec.Struct, frozen=True):
    """One extension: ``oid`` dotted, ``value`` the DER inside its OCTET STRING."""

    oid: str
    critical: bool
    value: bytes


class Certificate(msgspec.Struct, frozen=True, eq=False):
    """A certificate; equal to another one when the DER octets are.

    :param der: the whole certificate.
    :param tbs: the part that is signed, as it stands in ``der``.
    :param algorithm: DER of the AlgorithmIdentifier of the signature.
    :param spki: DER of SubjectPublicKeyInfo.
    :param key_bits: the public key's BIT STRING without the octet that counts unused bits.
    :param key_usage: names of RFC 5280 (``nonRepudiation``…), or None without that extension.
    :param extended_key_usage: dotted object identifiers, or None without that extension.
    :param path_length: of basicConstraints, or None for no limit.
    """

    der: bytes
    tbs: bytes
    serial: int
    algorithm: bytes
    issuer: Name
    not_before: datetime
    not_after: datetime
    subject: Name
    spki: bytes
    key_bits: bytes
    extensions: tuple[Extension, ...]
    signature: bytes
    key_usage: frozenset[str] | None
    extended_key_usage: frozenset[str] | None
    is_ca: bool
    path_length: int | None
    subject_key_id: bytes | None

    @classmethod
    def load(cls, data: bytes) -> Certificate:
        """Read a certificate: DER, PEM (also OpenSSL's TRUSTED CERTIFICATE; the first of several),
        or base64 of either, at most 32 KiB of DER.

        :raises Fault: ``incorrect_certificate``.
        """
        with der_faults("incorrect_certificate", "Cannot read the certificate"):
            return _load_der(_to_der(bytes(data)))

    def __eq__(self, other: object) -> bool:
        return self.der == other.der if isinstance(other, Certificate) else NotImplemented

    def __ne__(self, other: object) -> bool:
        return not self == other  # Struct brings its own, which compares identity

    def __hash__(self) -> int:
        return hash(self.der)

    @property
    def sha1(self) -> str:
        """Hex SHA-1 of the DER octets: the key of OCSP caches and of version 2 configurations."""
        return hashlib.sha1(self.der, usedforsecurity=False).hexdigest()

    @property
    def sha256(self) -> bytes:
        """SHA-256 of the DER octets."""
        return hashlib.sha256(self.der).digest()

    @property
    def sha512(self) -> bytes:
        """SHA-512 of the DER octets."""
        return hashlib.sha512(self.der).digest()

    @property
    def public_key(self) -> PublicKeyTypes:
        """The subject's key.

        :raises Fault: ``incorrect_certificate`` for a kind of key that OpenSSL does not know.
        """
        return _load_key(self.spki)

    @property
    def self_issued(self) -> bool:
        """Whether subject and issuer are the same name."""
        return self.subject == self.issuer

    @property
    def issuer_rfc2253(self) -> str:
        """The issuer's name as XAdES' X509IssuerName holds it."""
        return self.issuer.rfc2253

    def find_extension(self, oid: str) -> Extension | None:
        """The extension with this dotted identifier, or None."""
        return next((e for e in self.extensions if e.oid == oid), None)

    def valid_at(self, moment: datetime) -> bool:
        """Whether ``moment`` (aware) lies within the certificate's dates, both ends included."""
        return self.not_before <= moment <= self.not_after


def is_auth_certificate(certificate: Certificate) -> bool:
    """Whether it may stand for a server in TLS (ocsp-tls-certs 3).

    :raises Fault: ``incorrect_certificate`` if it says nothing about its use.
    """
    if CLIENT_AUTH in (certificate.extended_key_usage or ()):
        return True
    if certificate.key_usage is None:
        raise Fault("incorrect_certificate", "Certificate does not contain key usage information")
    wanted = {"digitalSignature", "keyEncipherment", "dataEncipherment"}
    return not wanted.isdisjoint(certificate.key_usage)


def check_sign_certificate(certificate: Certificate) -> None:
    """Refuse a certificate that may not sign messages (signature 6.1, row 3).

    :raises Fault: ``internal_error`` without key usage, ``malformed_signature`` without
        nonRepudiation in it.
    """
    if certificate.key_usage is None:
        raise Fault("internal_error", "Certificate does not contain keyUsage extension")
    if "nonRepudiation" not in certificate.key_usage:
        raise Fault("malformed_signature", "Certificate is not a signing certificate")


def member_of(certificate: Certificate, profile: str, claimed: ClientId) -> ClientId:
    """The member that a signing certificate stands for.

    :param profile: the approved CA's profile class, Java name or short name.
    :param claimed: whom the message names; gives the instance to profiles that carry none.
    :raises Fault: codes of ``profile.member_of_name``.
    """
    return member_of_name(certificate.subject, profile, claimed.instance)


_PEM = re.compile(
    rb"-----BEGIN (?P<label>(?:X509 |TRUSTED )?CERTIFICATE)-----"
    rb"(?P<body>[^-]*)-----END (?P=label)-----"
)
_BLANKS = re.compile(rb"[ \t\r\n]+")


def _to_der(data: bytes) -> bytes:
    if len(data) > 4 * _LARGEST:
        raise DerError("the data is too long")
    if data[:1] == b"\x30":
        return data
    for _ in range(2):  # base64 of PEM is as deep as real data goes
        if b"-----BEGIN " in data:
            block = _PEM.search(data)
            if block is None:
                raise DerError("the PEM text holds no certificate")
            data = block["body"]
        data = _from_base64(data)
        if data[:1] == b"\x30":
            return read_first(data).raw  # OpenSSL's trust settings follow, or old tools' padding
    raise DerError("it is neither DER nor PEM")


def _from_base64(text: bytes) -> bytes:
    try:
        return b64decode(_BLANKS.sub(b"", text), validate=True)
    except ValueError as error:
        raise DerError("it is not base64") from error


@lru_cache(maxsize=512)
def _load_der(der: bytes) -> Certificate:
    if len(der) > _LARGEST:
        raise DerError("it is too long")
    outer = enter(der)
    tbs = outer.take(SEQUENCE)
    algorithm = outer.take(SEQUENCE).raw
    signature = _octets(outer.take(BIT_STRING))
    outer.end()
    fields = Cursor(tbs.content)
    version = _read_version(fields.maybe(context(0)))
    serial = read_integer(fields.take(INTEGER))
    if fields.take(SEQUENCE).raw != algorithm:
        raise DerError("it names two signature algorithms")
    issuer = Name.load(fields.take(SEQUENCE).raw)
    not_before, not_after = _read_validity(fields.inside())
    subject = Name.load(fields.take(SEQUENCE).raw)
    spki = fields.take(SEQUENCE)
    for unique_id in (1, 2):
        fields.maybe(context(unique_id, constructed=False))
    extensions = _read_extensions(fields.maybe(context(3)), version)
    fields.end()
    values = {extension.oid: extension.value for extension in extensions}
    is_ca, path_length = _read_basic_constraints(values.get(_BASIC_CONSTRAINTS))
    return Certificate(
        der=der,
        tbs=tbs.raw,
        serial=serial,
        algorithm=algorithm,
        issuer=issuer,
        not_before=not_before,
        not_after=not_after,
        subject=subject,
        spki=spki.raw,
        key_bits=_key_bits(spki),
        extensions=extensions,
        signature=signature,
        key_usage=_read_key_usage(values.get(_KEY_USAGE)),
        extended_key_usage=_read_extended_key_usage(values.get(_EXTENDED_KEY_USAGE)),
        is_ca=is_ca,
        path_length=path_length,
        subject_key_id=_read_key_id(values.get(_SUBJECT_KEY_ID)),
    )


def _read_version(tagged: Element | None) -> int:
    """1 to 3."""
    version = read_integer(read(tagged.content, INTEGER)) + 1 if tagged else 1
    if version not in (1, 2, 3):
        raise DerError("its version is unknown")
    return version


def _read_validity(fields: Cursor) -> tuple[datetime, datetime]:
    dates = read_time(fields.take()), read_time(fields.take())
    fields.end()
    return dates


def _key_bits(spki: Element) -> bytes:
    fields = Cursor(spki.content)
    fields.take(SEQUENCE)
    bits = _octets(fields.take(BIT_STRING))
    fields.end()
    return bits


def _octets(element: Element) -> bytes:
    octets, unused = read_bits(element)
    if unused:
        raise DerError("a key or signature is whole octets")
    return octets


def _read_extensions(tagged: Element | None, version: int) -> tuple[Extension, ...]:
    if tagged is None:
        return ()
    if version != 3:
        raise DerError("it has extensions and is not of version 3")
    extensions = tuple(map(_read_extension, enter(tagged.content)))
    oids = {extension.oid for extension in extensions}
    if not 1 <= len(extensions) <= _MOST_EXTENSIONS or len(oids) != len(extensions):
        raise DerError("it has no, too many or doubled extensions")
    return extensions


def _read_extension(element: Element) -> Extension:
    if element.tag != SEQUENCE:
        raise DerError("an extension is a sequence")
    fields = Cursor(element.content)
    oid = read_oid(fields.take(OID))
    flag = fields.maybe(BOOLEAN)
    value = fields.take(OCTET_STRING).content
    fields.end()
    return Extension(oid, flag is not None and read_boolean(flag), value)


def _read_key_usage(value: bytes | None) -> frozenset[str] | None:
    if value is None:
        return None
    octets, _ = read_bits(read(value, BIT_STRING))
    bits = "".join(f"{octet:08b}" for octet in octets[:2])
    return frozenset(name for name, bit in zip(_USAGES, bits, strict=False) if bit == "1")


def _read_extended_key_usage(value: bytes | None) -> frozenset[str] | None:
    return None if value is None else frozenset(map(read_oid, enter(value)))


def _read_basic_constraints(value: bytes | None) -> tuple[bool, int | None]:
    if value is None:
        return False, None
    fields = enter(value)
    flag, limit = fields.maybe(BOOLEAN), fields.maybe(INTEGER)
    fields.end()
    return flag is not None and read_boolean(flag), None if limit is None else read_integer(limit)


def _read_key_id(value: bytes | None) -> bytes | None:
    return None if value is None else read(value, OCTET_STRING).content


@lru_cache(maxsize=512)
def _load_key(spki: bytes) -> PublicKeyTypes:
    try:
        return load_der_public_key(spki)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Fault("incorrect_certificate", "The certificate's public key is unusable") from error
