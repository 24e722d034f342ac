"""Read a signature document: check its form, canonicalise what is signed, take out what is needed.

The rule: values of the signed part are read from the very octets that were signed, never from the
document around them; the rest is reached from the signature step by step, never looked up by name.
A document may hold nothing that could be read in two ways: one signature, unique Ids, no comment,
no processing instruction, bounded counts, and every element we use has exactly the children its
shape allows. Nothing here is proven yet: ``trust.verify`` does that. Sources: signature 1-3, 6, 9.
"""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache

import msgspec
from lxml import etree

from xgate._native.c14n import canonicalise
from xgate.algorithms import Digest, find_digest
from xgate.trust.seal import MESSAGE
from xgate.trust.xades_shape import (
    DS,
    EXCLUSIVE,
    XADES,
    parse_shaped,
    qualified,
    refuse_signature,
)

__all__ = [
    "CHAIN_RESULT",
    "MESSAGE",
    "CertificateReference",
    "Reference",
    "SignatureDocument",
    "read_signature",
]

CHAIN_RESULT = "/sig-hashchainresult.xml"
"""What a signature over a merged batch refers to."""

_KEPT = 128
_LARGEST_KEPT = 32 * 1024

_INCLUSIVE = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
_SIGNED_PROPERTIES = "http://uri.etsi.org/01903#SignedProperties"

# Unsigned properties that we use; each may be there once, among others that we pass over.
_UNSIGNED = (
    "SignatureTimeStamp",
    "CompleteCertificateRefs",
    "CertificateValues",
    "RevocationValues",
)


class Reference(msgspec.Struct, frozen=True):
    """One ds:Reference: ``value`` is what the ``digest`` of the octets at ``uri`` shall be."""

    uri: str
    digest: Digest
    value: bytes


class CertificateReference(msgspec.Struct, frozen=True):
    """One xades:Cert: the digest of a certificate, its serial number, and where it is (``uri``)."""

    uri: str | None
    digest: Digest
    value: bytes
    serial: int | None


class SignatureDocument(msgspec.Struct, frozen=True):
    """A signature document taken apart; no part of it is proven.

    ``signed_info`` and ``signed_properties`` are canonical octets. ``references`` are those to
    data; ``properties_reference`` is the one to ``signed_properties``. ``certificates`` is None
    without KeyInfo; its first is the signing certificate (DER). ``timestamp`` is the DER token,
    ``b""`` if the element is blank, None if it is absent.
    """

    signed_info: bytes
    signed_properties: bytes
    algorithm: str
    value: bytes
    references: tuple[Reference, ...]
    properties_reference: Reference
    certificates: tuple[bytes, ...] | None
    signing_certificates: tuple[CertificateReference, ...]
    signing_time: datetime | None
    certificate_references: tuple[CertificateReference, ...]
    certificate_values: dict[str, bytes]
    ocsp: tuple[bytes, ...]
    timestamp: bytes | None
    ids: frozenset[str]

    def refers_to(self, uri: str) -> bool:
        """Whether the signature covers the octets of this name."""
        return any(reference.uri == uri for reference in self.references)


def read_signature(document: bytes) -> SignatureDocument:
    """Take a signature document apart (all forms of signature 6.3, except manifests).

    All messages of a batch bear the same signature, octet for octet, so what was read last is kept.

    :raises Fault: ``invalid_xml``; ``malformed_signature`` for any other deviation (rows 0 and 1
        of signature 6.1, and the ambiguities of 6.2).
    """
    return _read(document) if len(document) > _LARGEST_KEPT else _read_once(document)


def _read(document: bytes) -> SignatureDocument:
    root, elements, ids = parse_shaped(document)
    signature = _signature(root, elements)
    signed_info, value, *key_info, holder = signature
    qualifying = holder[0]
    properties = qualifying[0]
    if qualifying.get("Target") != f"#{signature.get('Id')}":
        refuse_signature("The qualifying properties belong to another signature")
    info_octets = _canonical(document, elements.index(signed_info), _method(signed_info[0]))
    algorithm, references, reference, method = _read_signed_info(info_octets)
    if reference.uri != f"#{properties.get('Id')}":
        refuse_signature("The signature does not refer to its own signed properties")
    properties_octets = _canonical(document, elements.index(properties), method)
    signing_time, signing_certificates = _read_signed_properties(properties_octets)
    unsigned = _unsigned(qualifying)
    return SignatureDocument(
        signed_info=info_octets,
        signed_properties=properties_octets,
        algorithm=algorithm,
        value=_octets(value),
        references=references,
        properties_reference=reference,
        certificates=tuple(map(_octets, key_info[0][0])) if key_info else None,
        signing_certificates=signing_certificates,
        signing_time=signing_time,
        certificate_references=_certificate_references(unsigned.get("CompleteCertificateRefs")),
        certificate_values=_certificate_values(unsigned.get("CertificateValues")),
        ocsp=_ocsp(unsigned.get("RevocationValues")),
        timestamp=_timestamp(unsigned.get("SignatureTimeStamp")),
        ids=ids,
    )


# Bounded in number and in size: what a peer sends cannot make it grow.
_read_once = lru_cache(maxsize=_KEPT)(_read)

_Method = tuple[bool, tuple[str, ...]]
"""A canonicalisation: exclusive or not, and the prefixes an exclusive one treats inclusively."""


def _signature(root: etree._Element, elements: Sequence[etree._Element]) -> etree._Element:
    """The one ds:Signature: the root itself, or the only child of a root of any name."""
    found = [element for element in elements if element.tag == f"{{{DS}}}Signature"]
    if len(found) != 1:
        refuse_signature(f"There must be one 'ds:Signature', and there are {len(found)}")
    if found[0] is not root and list(root) != found:
        refuse_signature("The signature is not where it should be")
    return found[0]


def _method(element: etree._Element) -> _Method:
    """The canonicalisation that a CanonicalizationMethod or a Transform names."""
    algorithm = element.get("Algorithm")
    if algorithm == _INCLUSIVE and not len(element):
        return False, ()
    if algorithm == EXCLUSIVE:
        prefixes = element[0].get("PrefixList", "") if len(element) else ""
        return True, tuple(prefixes.split())
    return refuse_signature(
        f"Canonicalisation or transform '{(algorithm or '')[:100]}' is not allowed"
    )


def _canonical(document: bytes, number: int, method: _Method) -> bytes:
    exclusive, prefixes = method
    return canonicalise(document, number, exclusive=exclusive, prefixes=prefixes)


def _signed_element(octets: bytes, name: str) -> etree._Element:
    """The element as its canonical octets tell it; its form is checked once more."""
    root, _, _ = parse_shaped(octets)
    if qualified(root) != name:
        refuse_signature(f"The canonical octets are not those of '{name}'")
    return root


def _read_signed_info(
    octets: bytes,
) -> tuple[str, tuple[Reference, ...], Reference, _Method]:
    root = _signed_element(octets, "ds:SignedInfo")
    to_data: list[Reference] = []
    to_properties: list[tuple[Reference, _Method]] = []
    for element in root.iterfind(f"{{{DS}}}Reference"):
        reference = Reference(element.get("URI", ""), *_digest(element))
        transforms = element[0] if len(element) == 3 else None
        if reference.uri.startswith("#") and element.get("Type") == _SIGNED_PROPERTIES:
            method = (False, ()) if transforms is None else _method(transforms[0])
            to_properties.append((reference, method))
        elif reference.uri.startswith("/") and transforms is None:
            to_data.append(reference)
        else:
            refuse_signature(f"The reference to '{reference.uri[:100]}' is of no allowed kind")
    if len(to_properties) != 1:
        refuse_signature("The signature must refer to its signed properties once")
    names = {reference.uri for reference in to_data}
    if len(names) != len(to_data):
        refuse_signature("The signature refers to the same part twice")
    return root[1].get("Algorithm", ""), tuple(to_data), *to_properties[0]


def _read_signed_properties(
    octets: bytes,
) -> tuple[datetime | None, tuple[CertificateReference, ...]]:
    root = _signed_element(octets, "xades:SignedProperties")
    moment: datetime | None = None
    certificates: tuple[CertificateReference, ...] = ()
    for element in root[0]:
        match etree.QName(element).localname:
            case "SigningTime":
                moment = _moment(element.text or "")
            case "SigningCertificate" | "SigningCertificateV2":
                certificates = tuple(map(_certificate_reference, element))
    return moment, certificates


def _unsigned(qualifying: etree._Element) -> dict[str, etree._Element]:
    """The unsigned properties that we use, by local name."""
    found: dict[str, etree._Element] = {}
    for holder in qualifying.iterfind(f"{{{XADES}}}UnsignedProperties/*"):
        for element in holder:
            name = etree.QName(element)
            if name.namespace != XADES or name.localname not in _UNSIGNED:
                continue
            if name.localname in found:
                refuse_signature(f"There is more than one '{name.localname}'")
            found[name.localname] = element
    return found


def _certificate_references(
    element: etree._Element | None,
) -> tuple[CertificateReference, ...]:
    return () if element is None else tuple(map(_certificate_reference, element[0]))


def _certificate_reference(element: etree._Element) -> CertificateReference:
    serial = element.findtext(f"{{{XADES}}}IssuerSerial/{{{DS}}}X509SerialNumber")
    if serial is not None and not re.fullmatch("-?[0-9]{1,60}", serial.strip()):
        refuse_signature("A certificate's serial number is not a number")
    uri = element.get("URI")
    return CertificateReference(uri, *_digest(element[0]), None if serial is None else int(serial))


def _certificate_values(element: etree._Element | None) -> dict[str, bytes]:
    """The certificates that have an Id, by that Id; no other can be referred to."""
    if element is None:
        return {}
    return {child.get("Id", ""): _octets(child) for child in element if child.get("Id")}


def _ocsp(element: etree._Element | None) -> tuple[bytes, ...]:
    holder = None if element is None else element.find(f"{{{XADES}}}OCSPValues")
    return () if holder is None else tuple(map(_octets, holder))


def _timestamp(element: etree._Element | None) -> bytes | None:
    """The token; before 2015 its text stood in SignatureTimeStamp itself (signature 7)."""
    if element is None:
        return None
    if not len(element) and not (element.text or "").strip():
        return None
    last = element[-1] if len(element) else element
    return _octets(last) if (last.text or "").strip() else b""


def _digest(element: etree._Element) -> tuple[Digest, bytes]:
    """The digest method and the digest value that end this element."""
    algorithm = element[-2].get("Algorithm", "")
    digest = find_digest(algorithm)
    if digest is None:
        refuse_signature(f"Digest algorithm '{algorithm[:100]}' is not known")
    value = _octets(element[-1])
    if len(value) != digest.size:
        refuse_signature(f"A digest is not of the size of {digest.name}")
    return digest, value


def _octets(element: etree._Element) -> bytes:
    text = (element.text or "").translate(_WITHOUT_SPACE)
    try:
        octets = b64decode(text, validate=True)
    except (Base64Error, ValueError):
        octets = b""
    return octets or refuse_signature(f"The text of '{qualified(element)}' is not base64")


_WITHOUT_SPACE = str.maketrans("", "", " \t\r\n")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)?", re.ASCII)


def _moment(text: str) -> datetime:
    """An xsd:dateTime; UTC where it names no zone."""
    if not _MOMENT.fullmatch(text.strip()):
        refuse_signature("The signing time is not a time")
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        refuse_signature("The signing time is not a time")
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
