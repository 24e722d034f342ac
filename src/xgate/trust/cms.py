"""CMS signed data with one signer, as timestamp tokens carry it (RFC 5652).

The rule: the content is embedded, one signer has signed attributes, and these name the content's
type and digest; anything else is unreadable. Attributes are verified as they stand, their tag
turned into SET (signature 8). Certificates inside prove nothing; the caller brings the one he
trusts.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from xgate.algorithms import Digest
from xgate.trust.ber import to_der
from xgate.trust.certificate import Certificate
from xgate.trust.der import (
    INTEGER,
    OCTET_STRING,
    OID,
    SEQUENCE,
    SET,
    Cursor,
    DerError,
    Element,
    context,
    encode,
    enter,
    read,
    read_integer,
    read_oid,
    read_time,
    write_oid,
    write_set_of,
)
from xgate.trust.identifiers import SHA1, is_strong, read_digest, signature_holds
from xgate.trust.name import Name

__all__ = [
    "CONTENT_TYPE",
    "MESSAGE_DIGEST",
    "SIGNED_DATA",
    "SIGNING_CERTIFICATE",
    "SIGNING_CERTIFICATE_V2",
    "SIGNING_TIME",
    "SignedData",
    "Signer",
    "SignerId",
    "with_certificate",
]

SIGNED_DATA = "1.2.840.113549.1.7.2"
CONTENT_TYPE = "1.2.840.113549.1.9.3"
MESSAGE_DIGEST = "1.2.840.113549.1.9.4"
SIGNING_TIME = "1.2.840.113549.1.9.5"
SIGNING_CERTIFICATE = "1.2.840.113549.1.9.16.2.12"
SIGNING_CERTIFICATE_V2 = "1.2.840.113549.1.9.16.2.47"

_MOST_ATTRIBUTES = 32


class SignerId(msgspec.Struct, frozen=True):
    """How the signer's certificate is named: by issuer and serial, or by subject key identifier."""

    issuer: Name | None
    serial: int | None
    key_id: bytes | None

    def names(self, certificate: Certificate) -> bool:
        """Whether it is this certificate's name."""
        if self.issuer is not None:
            return (self.issuer, self.serial) == (certificate.issuer, certificate.serial)
        known = certificate.subject_key_id or SHA1.of(certificate.key_bits)
        return self.key_id == known


class Signer(msgspec.Struct, frozen=True):
    """One signer: who, by which algorithms, over which attributes.

    :param attributes: the signed attributes' values, by dotted type; each type once.
    :param attributes_der: all of them as they were signed.
    :param algorithm: DER of the signature's AlgorithmIdentifier.
    """

    id: SignerId
    digest: Digest
    attributes: dict[str, tuple[Element, ...]]
    attributes_der: bytes
    algorithm: bytes
    signature: bytes

    def attribute(self, oid: str) -> Element | None:
        """The one value of a signed attribute, or None if it is absent.

        :raises DerError: it has no value, or several.
        """
        values = self.attributes.get(oid)
        if values is None:
            return None
        if len(values) != 1:
            raise DerError("an attribute with one value is expected")
        return values[0]

    @property
    def signing_time(self) -> datetime | None:
        """The signer's own clock, if it says so.

        :raises DerError: not a time.
        """
        value = self.attribute(SIGNING_TIME)
        return None if value is None else read_time(value)


class SignedData(msgspec.Struct, frozen=True):
    """Signed data and its one signer.

    :param der: the whole ContentInfo, in DER.
    :param content_type: dotted identifier of what ``content`` is.
    """

    der: bytes
    content_type: str
    content: bytes
    signer: Signer

    @classmethod
    def load(cls, data: bytes, limit: int) -> SignedData:
        """Read a ContentInfo with SignedData, BER or DER, of at most ``limit`` octets.

        :raises DerError: malformed, no content, not exactly one signer, a digest that is unknown or
            weak, an attribute missing or doubled.
        """
        der = to_der(data, limit)
        fields = _signed_data(der)
        version = read_integer(fields.take(INTEGER))
        digests = [read_digest(element.raw) for element in fields.inside(SET)]
        embedded = fields.inside()
        content_type = read_oid(embedded.take(OID))
        content = read(embedded.take(context(0)).content, OCTET_STRING).content
        embedded.end()
        fields.maybe(context(0))
        fields.maybe(context(1))
        signers = fields.take(SET)
        fields.end()
        if version not in (3, 4, 5):
            raise DerError("signed data of an unknown version")
        signer = _read_signer(read(signers.content, SEQUENCE))
        if signer.digest not in digests:
            raise DerError("the signer's digest is not announced")
        return cls(der, content_type, content, signer)

    def signed_by(self, certificate: Certificate) -> bool:
        """Whether the attributes fit the content and ``certificate``'s key made the signature.

        :raises Fault: ``incorrect_certificate`` if its key is unusable.
        """
        signer = self.signer
        expected = {
            CONTENT_TYPE: write_oid(self.content_type),
            MESSAGE_DIGEST: encode(OCTET_STRING, signer.digest.of(self.content)),
        }
        for oid, value in expected.items():
            found = signer.attributes.get(oid, ())
            if [element.raw for element in found] != [value]:
                return False
        return signature_holds(
            signer.algorithm,
            certificate.public_key,
            signer.signature,
            signer.attributes_der,
            digest=signer.digest,
        )


def with_certificate(der: bytes, certificate: Certificate) -> bytes:
    """The same signed data, ``certificate`` being among its certificates.

    :param der: as ``SignedData.der``.
    :raises DerError: not signed data.
    """
    fields = _signed_data(der)
    head = [fields.take(tag).raw for tag in (INTEGER, SET, SEQUENCE)]
    present = fields.maybe(context(0))
    known = [element.raw for element in Cursor(present.content)] if present else []
    if certificate.der not in known:
        known.append(certificate.der)
    rest = [element.raw for element in fields]
    signed = encode(SEQUENCE, *head, write_set_of(known, context(0)), *rest)
    return encode(SEQUENCE, write_oid(SIGNED_DATA), encode(context(0), signed))


def _signed_data(der: bytes) -> Cursor:
    info = enter(der)
    if read_oid(info.take(OID)) != SIGNED_DATA:
        raise DerError("it is not signed data")
    tagged = info.take(context(0))
    info.end()
    return enter(tagged.content)


def _read_signer(element: Element) -> Signer:
    fields = Cursor(element.content)
    version = read_integer(fields.take(INTEGER))
    signer_id = _read_signer_id(fields)
    if version != (3 if signer_id.issuer is None else 1):
        raise DerError("the signer's version does not fit its name")
    digest = read_digest(fields.take(SEQUENCE).raw)
    attributes = fields.take(context(0))
    algorithm = fields.take(SEQUENCE).raw
    signature = fields.take(OCTET_STRING).content
    fields.maybe(context(1))
    fields.end()
    if digest is None or not is_strong(digest):
        raise DerError("the signer's digest is unknown or weak")
    return Signer(
        id=signer_id,
        digest=digest,
        attributes=_read_attributes(attributes.content),
        attributes_der=encode(SET, attributes.content),
        algorithm=algorithm,
        signature=signature,
    )


def _read_signer_id(fields: Cursor) -> SignerId:
    key_id = fields.maybe(context(0, constructed=False))
    if key_id is not None:
        return SignerId(None, None, key_id.content)
    names = fields.inside()
    issuer = Name.load(names.take(SEQUENCE).raw)
    serial = read_integer(names.take(INTEGER))
    names.end()
    return SignerId(issuer, serial, None)


def _read_attributes(content: bytes) -> dict[str, tuple[Element, ...]]:
    attributes: dict[str, tuple[Element, ...]] = {}
    for element in Cursor(content):
        fields = enter(element.raw)
        oid = read_oid(fields.take(OID))
        values = tuple(fields.inside(SET))
        fields.end()
        if oid in attributes or len(attributes) == _MOST_ATTRIBUTES:
            raise DerError("signed attributes are doubled or too many")
        attributes[oid] = values
    return attributes
