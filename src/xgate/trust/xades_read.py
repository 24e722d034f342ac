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
from typing import NoReturn

import msgspec
from lxml import etree

from xgate.algorithms import Digest, find_digest
from xgate.errors import Fault
from xgate.wire import xml

__all__ = [
    "CHAIN_RESULT",
    "MESSAGE",
    "CertificateReference",
    "Reference",
    "SignatureDocument",
    "read_signature",
]

MESSAGE = "/message.xml"
CHAIN_RESULT = "/sig-hashchainresult.xml"

_DS = "http://www.w3.org/2000/09/xmldsig#"
_XADES = "http://uri.etsi.org/01903/v1.3.2#"
_EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
_INCLUSIVE = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
_PREFIXES = {_DS: "ds", _XADES: "xades"}
_SIGNED_PROPERTIES = "http://uri.etsi.org/01903#SignedProperties"

_SIZE_LIMIT = 1024 * 1024
_DEPTH_LIMIT = 32
_ELEMENT_LIMIT = 1000

# What an element's children may be, in order; an element without an entry is not looked into.
_SHAPES = {
    name: re.compile(children)
    for name, children in {
        "ds:Signature": "ds:SignedInfo ds:SignatureValue (ds:KeyInfo )?ds:Object ",
        "ds:SignedInfo": "ds:CanonicalizationMethod ds:SignatureMethod (ds:Reference ){1,30}",
        "ds:CanonicalizationMethod": "(ec:InclusiveNamespaces )?",
        "ds:SignatureMethod": "",
        "ds:Reference": "(ds:Transforms )?ds:DigestMethod ds:DigestValue ",
        "ds:Transforms": "ds:Transform ",
        "ds:Transform": "(ec:InclusiveNamespaces )?",
        "ec:InclusiveNamespaces": "",
        "ds:DigestMethod": "",
        "ds:DigestValue": "",
        "ds:SignatureValue": "",
        "ds:KeyInfo": "ds:X509Data ",
        "ds:X509Data": "(ds:X509Certificate ){0,10}",
        "ds:X509Certificate": "",
        "ds:Object": "xades:QualifyingProperties ",
        "ds:X509IssuerName": "",
        "ds:X509SerialNumber": "",
        "xades:QualifyingProperties": "xades:SignedProperties (xades:UnsignedProperties )?",
        "xades:SignedProperties": "xades:SignedSignatureProperties"
        " (xades:SignedDataObjectProperties )?",
        "xades:SignedSignatureProperties": "(xades:SigningTime )?xades:SigningCertificate(V2)? "
        "(xades:SignaturePolicyIdentifier )?(xades:SignatureProductionPlace(V2)? )?"
        "(xades:SignerRole(V2)? )?",
        "xades:SigningTime": "",
        "xades:SigningCertificate": "(xades:Cert ){1,10}",
        "xades:SigningCertificateV2": "(xades:Cert ){1,10}",
        "xades:Cert": "xades:CertDigest (xades:IssuerSerial(V2)? )?",
        "xades:CertDigest": "ds:DigestMethod ds:DigestValue ",
        "xades:IssuerSerial": "ds:X509IssuerName ds:X509SerialNumber ",
        "xades:UnsignedProperties": "(xades:UnsignedSignatureProperties )?"
        "(xades:UnsignedDataObjectProperties )?",
        "xades:SignatureTimeStamp": "(ds:CanonicalizationMethod )?(xades:EncapsulatedTimeStamp )?",
        "xades:EncapsulatedTimeStamp": "",
        "xades:CompleteCertificateRefs": "xades:CertRefs ",
        "xades:CertRefs": "(xades:Cert ){1,10}",
        "xades:CertificateValues": "(xades:EncapsulatedX509Certificate ){0,10}",
        "xades:EncapsulatedX509Certificate": "",
        "xades:RevocationValues": "(xades:CRLValues )?(xades:OCSPValues )?(xades:OtherValues )?",
        "xades:OCSPValues": "(xades:EncapsulatedOCSPValue ){0,20}",
        "xades:EncapsulatedOCSPValue": "",
    }.items()
}
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

    :raises Fault: ``invalid_xml``; ``malformed_signature`` for any other deviation (rows 0 and 1
        of signature 6.1, and the ambiguities of 6.2).
    """
    root = xml.parse(document, limit=_SIZE_LIMIT, depth=_DEPTH_LIMIT)
    elements, ids = _survey(root)
    signature = _signature(root, elements)
    signed_info, value, *key_info, holder = signature
    qualifying = holder[0]
    properties = qualifying[0]
    if qualifying.get("Target") != f"#{signature.get('Id')}":
        _refuse("The qualifying properties belong to another signature")
    info_octets = _canonical(signed_info, *_method(signed_info[0]))
    algorithm, references, reference, method = _read_signed_info(info_octets)
    if reference.uri != f"#{properties.get('Id')}":
        _refuse("The signature does not refer to its own signed properties")
    properties_octets = _canonical(properties, *method)
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


_Method = tuple[bool, tuple[str, ...]]
"""A canonicalisation: exclusive or not, and the prefixes an exclusive one treats inclusively."""


def _survey(root: etree._Element) -> tuple[list[etree._Element], frozenset[str]]:
    """All elements in document order and all Ids, after checking every shape."""
    elements: list[etree._Element] = []
    ids: set[str] = set()
    for element in root.iter():
        if not isinstance(element.tag, str):
            _refuse("A signature must not hold comments or processing instructions")
        elements.append(element)
        if len(elements) > _ELEMENT_LIMIT:
            _refuse("The signature has too many elements")
        identity = element.get("Id")
        if identity is not None:
            if identity in ids:
                _refuse(f"The Id '{identity[:100]}' is used twice")
            ids.add(identity)
        _check_shape(element)
    return elements, frozenset(ids)


def _check_shape(element: etree._Element) -> None:
    name = _name(element)
    prefix = name.partition(":")[0]
    # The reference finds elements by their literal prefixes, so a signature without them
    # could not be proven to anybody else.
    if prefix in ("ds", "xades") and element.prefix != prefix:
        _refuse(f"An element of a signature must have the prefix '{prefix}'")
    shape = _SHAPES.get(name)
    if shape is None:
        return
    children = "".join(f"{_name(child)} " for child in element)
    if not shape.fullmatch(children):
        _refuse(f"The content of '{name}' is not as it should be")
    if children and any((text or "").strip() for text in _texts_between(element)):
        _refuse(f"There is text between the elements of '{name}'")


def _texts_between(element: etree._Element) -> list[str | None]:
    return [element.text, *(child.tail for child in element)]


def _name(element: etree._Element) -> str:
    name = etree.QName(element)
    if name.namespace == _EXCLUSIVE:
        return f"ec:{name.localname}"
    return f"{_PREFIXES.get(name.namespace or '', '?')}:{name.localname}"


def _signature(root: etree._Element, elements: Sequence[etree._Element]) -> etree._Element:
    """The one ds:Signature: the root itself, or the only child of a root of any name."""
    found = [element for element in elements if element.tag == f"{{{_DS}}}Signature"]
    if len(found) != 1:
        _refuse(f"There must be one 'ds:Signature', and there are {len(found)}")
    if found[0] is not root and list(root) != found:
        _refuse("The signature is not where it should be")
    return found[0]


def _canonical(element: etree._Element, exclusive: bool, prefixes: tuple[str, ...]) -> bytes:
    octets: bytes = etree.tostring(
        element,
        method="c14n",
        exclusive=exclusive,
        with_comments=False,
        with_tail=False,
        inclusive_ns_prefixes=list(prefixes) or None,
    )
    return octets


def _method(element: etree._Element) -> _Method:
    """The canonicalisation that a CanonicalizationMethod or a Transform names."""
    algorithm = element.get("Algorithm")
    if algorithm == _INCLUSIVE and not len(element):
        return False, ()
    if algorithm == _EXCLUSIVE:
        prefixes = element[0].get("PrefixList", "") if len(element) else ""
        return True, tuple(prefixes.split())
    return _refuse(f"Canonicalisation or transform '{(algorithm or '')[:100]}' is not allowed")


def _read_signed_info(
    octets: bytes,
) -> tuple[str, tuple[Reference, ...], Reference, _Method]:
    root = xml.parse(octets, limit=_SIZE_LIMIT, depth=_DEPTH_LIMIT)
    _survey(root)
    to_data: list[Reference] = []
    to_properties: list[tuple[Reference, _Method]] = []
    for element in root.iterfind(f"{{{_DS}}}Reference"):
        reference = Reference(element.get("URI", ""), *_digest(element))
        transforms = element[0] if len(element) == 3 else None
        if reference.uri.startswith("#") and element.get("Type") == _SIGNED_PROPERTIES:
            method = (False, ()) if transforms is None else _method(transforms[0])
            to_properties.append((reference, method))
        elif reference.uri.startswith("/") and transforms is None:
            to_data.append(reference)
        else:
            _refuse(f"The reference to '{reference.uri[:100]}' is of no allowed kind")
    if len(to_properties) != 1:
        _refuse("The signature must refer to its signed properties once")
    names = {reference.uri for reference in to_data}
    if len(names) != len(to_data):
        _refuse("The signature refers to the same part twice")
    return root[1].get("Algorithm", ""), tuple(to_data), *to_properties[0]


def _read_signed_properties(
    octets: bytes,
) -> tuple[datetime | None, tuple[CertificateReference, ...]]:
    root = xml.parse(octets, limit=_SIZE_LIMIT, depth=_DEPTH_LIMIT)
    _survey(root)
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
    for holder in qualifying.iterfind(f"{{{_XADES}}}UnsignedProperties/*"):
        for element in holder:
            name = etree.QName(element)
            if name.namespace != _XADES or name.localname not in _UNSIGNED:
                continue
            if name.localname in found:
                _refuse(f"There is more than one '{name.localname}'")
            found[name.localname] = element
    return found


def _certificate_references(
    element: etree._Element | None,
) -> tuple[CertificateReference, ...]:
    return () if element is None else tuple(map(_certificate_reference, element[0]))


def _certificate_reference(element: etree._Element) -> CertificateReference:
    serial = element.findtext(f"{{{_XADES}}}IssuerSerial/{{{_DS}}}X509SerialNumber")
    if serial is not None and not re.fullmatch("-?[0-9]{1,60}", serial.strip()):
        _refuse("A certificate's serial number is not a number")
    uri = element.get("URI")
    return CertificateReference(uri, *_digest(element[0]), None if serial is None else int(serial))


def _certificate_values(element: etree._Element | None) -> dict[str, bytes]:
    """The certificates that have an Id, by that Id; no other can be referred to."""
    if element is None:
        return {}
    return {child.get("Id", ""): _octets(child) for child in element if child.get("Id")}


def _ocsp(element: etree._Element | None) -> tuple[bytes, ...]:
    holder = None if element is None else element.find(f"{{{_XADES}}}OCSPValues")
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
        _refuse(f"Digest algorithm '{algorithm[:100]}' is not known")
    value = _octets(element[-1])
    if len(value) != digest.size:
        _refuse(f"A digest is not of the size of {digest.name}")
    return digest, value


def _octets(element: etree._Element) -> bytes:
    text = (element.text or "").translate(_WITHOUT_SPACE)
    try:
        octets = b64decode(text, validate=True)
    except (Base64Error, ValueError):
        octets = b""
    return octets or _refuse(f"The text of '{_name(element)}' is not base64")


_WITHOUT_SPACE = str.maketrans("", "", " \t\r\n")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)?", re.ASCII)


def _moment(text: str) -> datetime:
    """An xsd:dateTime; UTC where it names no zone."""
    if not _MOMENT.fullmatch(text.strip()):
        _refuse("The signing time is not a time")
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        _refuse("The signing time is not a time")
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _refuse(text: str) -> NoReturn:
    raise Fault("malformed_signature", text)
