"""The form of a signature document: what it must have, and the tricks it must not hold."""

from __future__ import annotations

import re
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xgate.errors import Fault
from xgate.trust.xades_shape import parse_shaped, qualified

DIGEST = "<ds:DigestMethod Algorithm='x'/><ds:DigestValue>AA==</ds:DigestValue>"
SMALL = f"""<r xmlns:ds="http://www.w3.org/2000/09/xmldsig#"
 xmlns:xades="http://uri.etsi.org/01903/v1.3.2#"><ds:Signature Id="s"><ds:SignedInfo>
<ds:CanonicalizationMethod/><ds:SignatureMethod/>
<ds:Reference URI="/message.xml">{DIGEST}</ds:Reference>
</ds:SignedInfo><ds:SignatureValue>dmFsdWU=</ds:SignatureValue>
<ds:KeyInfo><ds:X509Data><ds:X509Certificate>Y2VydA==</ds:X509Certificate></ds:X509Data></ds:KeyInfo>
<ds:Object><xades:QualifyingProperties Target="#s"><xades:SignedProperties Id="p">
<xades:SignedSignatureProperties><xades:SigningCertificate><xades:Cert><xades:CertDigest>{DIGEST}
</xades:CertDigest></xades:Cert></xades:SigningCertificate></xades:SignedSignatureProperties>
</xades:SignedProperties><xades:UnsignedProperties><xades:UnsignedSignatureProperties>
<xades:RevocationValues><xades:OCSPValues>
<xades:EncapsulatedOCSPValue>b2NzcA==</xades:EncapsulatedOCSPValue></xades:OCSPValues>
</xades:RevocationValues></xades:UnsignedSignatureProperties></xades:UnsignedProperties>
</xades:QualifyingProperties></ds:Object></ds:Signature></r>"""
UNSIGNED_END = "</xades:UnsignedSignature"


def changed(old: str, new: str) -> bytes:
    assert old in SMALL
    return SMALL.replace(old, new).encode()


def refused(document: bytes) -> str:
    with pytest.raises(Fault) as caught:
        parse_shaped(document)
    assert caught.value.code == "malformed_signature"
    return caught.value.text


def test_a_document_in_form_is_taken() -> None:
    root, elements, ids = parse_shaped(SMALL.encode())
    assert elements[0] is root
    assert [qualified(element) for element in elements[:3]] == [
        "?:r",
        "ds:Signature",
        "ds:SignedInfo",
    ]
    assert ids == {"s", "p"}


def test_other_unsigned_properties_are_passed_over() -> None:
    other = (
        '<y xmlns="urn:y"><z>text</z></y><xades:ArchiveTimeStamp><any/></xades:ArchiveTimeStamp>'
    )
    parse_shaped(changed(UNSIGNED_END, other + UNSIGNED_END))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<ds:SignatureMethod/>", ""),
        ("<ds:SignatureMethod/>", "<ds:SignatureMethod/><ds:SignatureMethod/>"),
        ("<ds:CanonicalizationMethod/><ds:SignatureMethod/>", "<ds:SignatureMethod/>"),
        ("</ds:Object>", "</ds:Object><ds:Object/>"),
        ("<ds:X509Data>", "<ds:X509Data><ds:X509CRL/>"),
        ("<xades:QualifyingProperties", "<ds:Manifest/><xades:QualifyingProperties"),
        ("<xades:SigningCertificate>", "<x/><xades:SigningCertificate>"),
        ("dmFsdWU=", "dmFs<x/>dWU="),
    ],
)
def test_another_content_is_refused(old: str, new: str) -> None:
    assert "is not as it should be" in refused(changed(old, new))


def test_two_signatures_are_refused() -> None:
    assert "there are 2" in refused(changed("</r>", "<x><ds:Signature/></x></r>"))
    hidden = '<x xmlns="http://www.w3.org/2000/09/xmldsig#"><Signature/></x>'
    assert "there are 2" in refused(changed(UNSIGNED_END, hidden + UNSIGNED_END))


def test_an_id_is_used_once() -> None:
    assert "twice" in refused(changed("<ds:KeyInfo", '<ds:KeyInfo Id="p"'))


@pytest.mark.parametrize("trick", ["<!-- -->", "<?x y?>"])
def test_comments_and_instructions_are_refused(trick: str) -> None:
    assert "comments" in refused(changed("Y2VydA", "Y2Vy" + trick + "dA"))


def test_text_between_elements_is_refused() -> None:
    assert "text between" in refused(changed("<ds:KeyInfo>", "<ds:KeyInfo>x"))


@pytest.mark.parametrize(("prefix", "other"), [("ds", "dsig"), ("xades", "x")])
def test_prefixes_are_those_that_the_reference_looks_for(prefix: str, other: str) -> None:
    assert "prefix" in refused(re.sub(rf"\b{prefix}(?=[:=])", other, SMALL).encode())


@pytest.mark.parametrize(
    ("what", "times"),
    [
        (f'<ds:Reference URI="/a">{DIGEST}</ds:Reference>', 30),
        ("<ds:X509Certificate>Y2VydA==</ds:X509Certificate>", 10),
        ("<xades:EncapsulatedOCSPValue>b2NzcA==</xades:EncapsulatedOCSPValue>", 20),
    ],
)
def test_counts_are_bounded(what: str, times: int) -> None:
    end = {"ds:R": "</ds:SignedInfo>", "ds:X": "</ds:X509Data>"}.get(
        what[1:5], "</xades:OCSPValues>"
    )
    assert "is not as it should be" in refused(changed(end, what * times + end))


def test_size_and_depth_are_bounded() -> None:
    with pytest.raises(Fault, match="invalid_xml"):
        parse_shaped(SMALL.encode() + b" " * 1024 * 1024)
    deep = "<x>" * 40 + "</x>" * 40
    with pytest.raises(Fault, match="invalid_xml"):
        parse_shaped(changed(UNSIGNED_END, deep + UNSIGNED_END))
    wide = "<x/>" * 1000
    assert "too many" in refused(changed(UNSIGNED_END, wide + UNSIGNED_END))


def test_a_document_in_another_encoding_is_refused() -> None:
    with pytest.raises(Fault, match="invalid_xml"):
        parse_shaped(SMALL.encode("utf-16"))
    with pytest.raises(Fault, match="invalid_xml"):
        parse_shaped(b'<!DOCTYPE r [<!ENTITY a "b">]>' + SMALL.encode())


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_a_changed_octet_is_a_fault_or_another_document(data: st.DataObject) -> None:
    document = bytearray(SMALL.encode())
    document[data.draw(st.integers(0, len(document) - 1))] ^= data.draw(st.integers(1, 255))
    with suppress(Fault):
        parse_shaped(bytes(document))
