"""The form of a signature document: which element may hold which, and what must not be in it.

The rule: this stands for the XML schemas, by hand: every element that a verifier looks at has
exactly the children its shape allows, in order and in bounded number, and nothing in the document
can be read in two ways: no comment, no processing instruction, no Id twice, no second signature.
What no verifier looks at (other unsigned properties) may be as it likes. Sources: signature 2, 6.2,
6.3 and 9; the schemas XAdES 1.3.2 and XMLDSig.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NoReturn

from lxml import etree

from xgate.errors import Fault
from xgate.wire import xml

__all__ = ["DS", "EXCLUSIVE", "XADES", "parse_shaped", "qualified", "refuse_signature"]

DS = "http://www.w3.org/2000/09/xmldsig#"
"""Namespace of XMLDSig."""
XADES = "http://uri.etsi.org/01903/v1.3.2#"
"""Namespace of XAdES."""
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
"""Exclusive canonicalisation: its algorithm, and the namespace of its parameters."""

_PREFIXES = {DS: "ds", XADES: "xades", EXCLUSIVE: "ec"}
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


def parse_shaped(
    document: bytes,
) -> tuple[etree._Element, tuple[etree._Element, ...], frozenset[str]]:
    """Parse a signature document, or a signed element's canonical octets, and check its form.

    :returns: the root, all elements in document order, all Ids.
    :raises Fault: ``invalid_xml``, ``malformed_signature``.
    """
    root = xml.parse(document, limit=_SIZE_LIMIT, depth=_DEPTH_LIMIT)
    elements, ids = _survey(root)
    signatures = sum(element.tag == f"{{{DS}}}Signature" for element in elements)
    if signatures > 1:
        refuse_signature(f"There must be one 'ds:Signature', and there are {signatures}")
    for element in elements:
        _check_shape(element)
    return root, elements, ids


def qualified(element: etree._Element) -> str:
    """``ds:Name``, ``xades:Name``, ``ec:Name`` or, of any other namespace, ``?:Name``."""
    return _short(element.tag)


@lru_cache(maxsize=256)
def _short(tag: str) -> str:
    namespace, _, name = tag.removeprefix("{").rpartition("}")
    return f"{_PREFIXES.get(namespace, '?')}:{name}"


def refuse_signature(text: str) -> NoReturn:
    """Raise ``malformed_signature``."""
    raise Fault("malformed_signature", text)


def _survey(root: etree._Element) -> tuple[tuple[etree._Element, ...], frozenset[str]]:
    """All elements in document order and all Ids; every node is an element."""
    elements = tuple(root.iter())
    if len(elements) > _ELEMENT_LIMIT:
        refuse_signature("The signature has too many elements")
    ids: set[str] = set()
    for element in elements:
        if not isinstance(element.tag, str):
            refuse_signature("A signature must not hold comments or processing instructions")
        identity = element.get("Id")
        if identity is None:
            continue
        if identity in ids:
            refuse_signature(f"The Id '{identity[:100]}' is used twice")
        ids.add(identity)
    return elements, frozenset(ids)


def _check_shape(element: etree._Element) -> None:
    name = _short(element.tag)
    shape = _SHAPES.get(name)
    if shape is None:
        return
    # The reference finds elements by their literal prefixes, so a signature without them
    # could not be proven to anybody else.
    prefix = name[: name.index(":")]
    if element.prefix != prefix and prefix != "ec":
        refuse_signature(f"An element of a signature must have the prefix '{prefix}'")
    children = list(element)
    if not shape.fullmatch("".join([f"{_short(child.tag)} " for child in children])):
        refuse_signature(f"The content of '{name}' is not as it should be")
    if children and _any_text([element.text, *[child.tail for child in children]]):
        refuse_signature(f"There is text between the elements of '{name}'")


def _any_text(texts: list[str | None]) -> bool:
    return any(text and text.strip() for text in texts)
