"""Write the signature document of a message or of a merged batch (XAdES in an ASiC wrapper).

The rule: the text of SignedInfo and of SignedProperties is canonical (inclusive C14N 1.0) as it is
assembled: no white space, attributes in order, start and end tags written out, namespaces declared
on the root only. So what is signed is the same text with the root's declarations on its first tag,
and no parser ever stands between what is meant and what is signed. Sources: signature 2 to 5, 7.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from xgate.algorithms import Digest, SignatureAlgorithm, find_signature
from xgate.errors import Fault
from xgate.trust.certificate import Certificate
from xgate.trust.identifiers import is_strong
from xgate.trust.xades_read import CHAIN_RESULT, MESSAGE, read_signature

__all__ = ["Draft", "draft_signature", "with_timestamp"]

_NAMESPACES = (
    ' xmlns:asic="http://uri.etsi.org/02918/v1.2.1#"'
    ' xmlns:ds="http://www.w3.org/2000/09/xmldsig#"'
    ' xmlns:xades="http://uri.etsi.org/01903/v1.3.2#"'
    ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
)
_HEAD = f'<?xml version="1.0" encoding="UTF-8" standalone="no"?><asic:XAdESSignatures{_NAMESPACES}>'
_MIME_TYPES = {MESSAGE: "text/xml", CHAIN_RESULT: "application/hash-chain-result"}

# The profile's document and its digest are fixed for all of X-Road.
_POLICY = (
    "<xades:SignaturePolicyIdentifier><xades:SignaturePolicyId>"
    "<xades:SigPolicyId>"
    '<xades:Identifier Qualifier="OIDAsURN">urn:oid:1.3.6.1.4.1.3516.16.2</xades:Identifier>'
    "<xades:Description>Profile for High Performance Digital Signatures (version 1.2)"
    "</xades:Description>"
    "</xades:SigPolicyId>"
    "<xades:SigPolicyHash>"
    '<ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha512"></ds:DigestMethod>'
    "<ds:DigestValue>BuO0EDNfkxSVlUbxCzmQPzX1AUF1/xx9ytWHk3/6SAOePxQiniEfDYk+90QeYb3lWpV3Izhuz9fKaYyE"
    "+lTcXw==</ds:DigestValue>"
    "</xades:SigPolicyHash>"
    "<xades:SigPolicyQualifiers><xades:SigPolicyQualifier>"
    "<xades:SPURI>https://repo.cyber.ee/dsig-profile-1.2.pdf</xades:SPURI>"
    "</xades:SigPolicyQualifier></xades:SigPolicyQualifiers>"
    "</xades:SignaturePolicyId></xades:SignaturePolicyIdentifier>"
)


class Draft(msgspec.Struct, frozen=True):
    """A signature document that lacks only its SignatureValue.

    ``to_be_signed`` holds the canonical octets of SignedInfo: what the key signs.
    """

    to_be_signed: bytes
    _before: str
    _after: str
    _value_size: int

    def finish(self, value: bytes) -> bytes:
        """The whole document, ``value`` being the signature over ``to_be_signed``.

        :param value: RSA octets as they are; ECDSA as r‖s (``algorithms.ecdsa_raw``).
        :raises Fault: ``cannot_create_signature`` if its size does not fit the certificate's key.
        """
        if len(value) != self._value_size:
            raise _refusal(
                "the token's signature does not have the size its certificate's key makes"
            )
        return (self._before + _base64(value) + self._after).encode()


def draft_signature(
    *,
    certificate: Certificate,
    algorithm: str,
    reference: str,
    digest: bytes,
    signing_time: datetime,
    ocsp: Sequence[bytes],
    intermediates: Sequence[Certificate] = (),
) -> Draft:
    """Prepare a signature over one message, or over one hash chain result.

    :param algorithm: URI of the signature algorithm; its digest serves all references too.
    :param reference: ``/message.xml`` or ``/sig-hashchainresult.xml``.
    :param digest: of the referenced octets, by the digest of ``algorithm``.
    :param signing_time: aware; written in UTC with milliseconds.
    :param ocsp: DER responses, the signing certificate's first, then one per intermediate.
    :raises Fault: ``cannot_create_signature``: no OCSP response, an unknown or weak algorithm or
        one that does not fit the key, a text that XML cannot carry.
    """
    method = _fitting(algorithm, certificate)
    if not ocsp:
        raise _refusal("an OCSP response is needed for every certificate of the signature")
    if reference not in _MIME_TYPES or len(digest) != method.digest.size:
        raise ValueError("a reference X-Road does not know, or a digest of another algorithm")
    properties = _signed_properties(certificate, reference, signing_time, method.digest)
    properties_digest = method.digest.of(_canonical("xades:SignedProperties", properties))
    signed_info = _signed_info(method, reference, digest, properties_digest)
    before = (
        f'{_HEAD}<ds:Signature Id="signature">{signed_info}<ds:SignatureValue Id="signature-value">'
    )
    after = (
        "</ds:SignatureValue>"
        "<ds:KeyInfo><ds:X509Data>"
        f"<ds:X509Certificate>{_base64(certificate.der)}</ds:X509Certificate>"
        "</ds:X509Data></ds:KeyInfo>"
        f'<ds:Object><xades:QualifyingProperties Target="#signature">{properties}'
        f"{_unsigned_properties(ocsp, intermediates, method.digest)}"
        "</xades:QualifyingProperties></ds:Object></ds:Signature></asic:XAdESSignatures>"
    )
    to_be_signed = _canonical("ds:SignedInfo", signed_info)
    return Draft(to_be_signed, before, after, _value_size(certificate.public_key))


def with_timestamp(document: bytes, token: bytes) -> bytes:
    """Put a time-stamp token first among the unsigned properties; every other octet stays.

    :param token: DER of an RFC 3161 token over the decoded SignatureValue.
    :raises Fault: ``malformed_signature`` if the document is not one we can read, before or after,
        or has a time-stamp already.
    """
    places = list(_UNSIGNED_START.finditer(document))
    before = read_signature(document)
    if len(places) != 1 or before.timestamp is not None:
        raise Fault("malformed_signature", "The signature has no place for a time-stamp")
    stamp = (
        "<xades:SignatureTimeStamp><xades:EncapsulatedTimeStamp>"
        f"{_base64(token)}</xades:EncapsulatedTimeStamp></xades:SignatureTimeStamp>"
    )
    place = places[0].end()
    stamped = document[:place] + stamp.encode() + document[place:]
    after = read_signature(stamped)
    if (after.timestamp, after.signed_info) != (token, before.signed_info):
        raise Fault("malformed_signature", "The signature has no place for a time-stamp")
    return stamped


_UNSIGNED_START = re.compile(rb"<xades:UnsignedSignatureProperties(?:\s[^<>]*)?(?<!/)>")


def _fitting(algorithm: str, certificate: Certificate) -> SignatureAlgorithm:
    method = find_signature(algorithm)
    if method is None:
        raise _refusal(f"signature algorithm '{algorithm}' is not known")
    if not is_strong(method.digest):
        raise _refusal(f"{method.digest.name} is too weak for a signature")
    key = certificate.public_key
    fits = isinstance(key, rsa.RSAPublicKey) if method.kind != "ecdsa" else _is_ec(key)
    if not fits:
        raise _refusal("the signature algorithm does not fit the certificate's key")
    return method


def _is_ec(key: object) -> bool:
    return isinstance(key, ec.EllipticCurvePublicKey)


def _value_size(key: object) -> int:
    if isinstance(key, ec.EllipticCurvePublicKey):
        return 2 * ((key.curve.key_size + 7) // 8)
    if isinstance(key, rsa.RSAPublicKey):
        return (key.key_size + 7) // 8
    raise _refusal("the certificate's key is neither RSA nor EC")


def _signed_info(
    method: SignatureAlgorithm, reference: str, digest: bytes, properties_digest: bytes
) -> str:
    return (
        "<ds:SignedInfo>"
        '<ds:CanonicalizationMethod Algorithm="http://www.w3.org/TR/2001/REC-xml-c14n-20010315">'
        "</ds:CanonicalizationMethod>"
        f'<ds:SignatureMethod Algorithm="{method.uri}"></ds:SignatureMethod>'
        f'<ds:Reference Id="signature-reference-0" URI="{reference}">'
        f"{_digest(method.digest, digest)}</ds:Reference>"
        '<ds:Reference Id="signature-reference-1"'
        ' Type="http://uri.etsi.org/01903#SignedProperties" URI="#signed-properties">'
        f"{_digest(method.digest, properties_digest)}</ds:Reference>"
        "</ds:SignedInfo>"
    )


def _signed_properties(
    certificate: Certificate, reference: str, signing_time: datetime, digest: Digest
) -> str:
    moment = signing_time.astimezone(UTC)
    return (
        '<xades:SignedProperties Id="signed-properties"><xades:SignedSignatureProperties>'
        f"<xades:SigningTime>{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z"
        "</xades:SigningTime>"
        "<xades:SigningCertificate><xades:Cert>"
        f"{_certificate_reference(certificate, digest)}"
        f"</xades:Cert></xades:SigningCertificate>{_POLICY}</xades:SignedSignatureProperties>"
        "<xades:SignedDataObjectProperties>"
        '<xades:DataObjectFormat ObjectReference="#signature-reference-0">'
        f"<xades:MimeType>{_MIME_TYPES[reference]}</xades:MimeType>"
        "</xades:DataObjectFormat>"
        "</xades:SignedDataObjectProperties></xades:SignedProperties>"
    )


def _unsigned_properties(
    ocsp: Sequence[bytes], intermediates: Sequence[Certificate], digest: Digest
) -> str:
    responses = "".join(
        f'<xades:EncapsulatedOCSPValue Id="ocsp-response-{number}">{_base64(der)}'
        "</xades:EncapsulatedOCSPValue>"
        for number, der in enumerate(ocsp, 1)
    )
    return (
        "<xades:UnsignedProperties><xades:UnsignedSignatureProperties>"
        f"{_intermediates(intermediates, digest) if intermediates else ''}"
        "<xades:RevocationValues><xades:OCSPValues>"
        f"{responses}</xades:OCSPValues></xades:RevocationValues>"
        "</xades:UnsignedSignatureProperties></xades:UnsignedProperties>"
    )


def _intermediates(certificates: Sequence[Certificate], digest: Digest) -> str:
    references = "".join(
        f'<xades:Cert URI="#encapsulated-cert-{number}">'
        f"{_certificate_reference(certificate, digest)}</xades:Cert>"
        for number, certificate in enumerate(certificates, 1)
    )
    values = "".join(
        f'<xades:EncapsulatedX509Certificate Id="encapsulated-cert-{number}">'
        f"{_base64(certificate.der)}</xades:EncapsulatedX509Certificate>"
        for number, certificate in enumerate(certificates, 1)
    )
    return (
        '<xades:CompleteCertificateRefs Id="complete-certificate-refs">'
        f"<xades:CertRefs>{references}</xades:CertRefs></xades:CompleteCertificateRefs>"
        f"<xades:CertificateValues>{values}</xades:CertificateValues>"
    )


def _certificate_reference(certificate: Certificate, digest: Digest) -> str:
    return (
        f"<xades:CertDigest>{_digest(digest, digest.of(certificate.der))}</xades:CertDigest>"
        "<xades:IssuerSerial>"
        f"<ds:X509IssuerName>{_text(certificate.issuer_rfc2253)}</ds:X509IssuerName>"
        f"<ds:X509SerialNumber>{certificate.serial}</ds:X509SerialNumber>"
        "</xades:IssuerSerial>"
    )


def _digest(digest: Digest, value: bytes) -> str:
    return (
        f'<ds:DigestMethod Algorithm="{digest.uri}"></ds:DigestMethod>'
        f"<ds:DigestValue>{_base64(value)}</ds:DigestValue>"
    )


def _canonical(name: str, element: str) -> bytes:
    """The canonical octets: the root's namespaces come first on the element's own tag."""
    return f"<{name}{_NAMESPACES}{element.removeprefix('<' + name)}".encode()


def _base64(data: bytes) -> str:
    return b64encode(data).decode()


def _text(value: str) -> str:
    """``value`` as canonical character data."""
    if _NOT_XML.search(value):
        raise _refusal("a name in the certificate holds a character that XML cannot carry")
    value = value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return value.replace("\r", "&#xD;")


_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _refusal(text: str) -> Fault:
    return Fault("cannot_create_signature", f"Cannot create a signature: {text}")
