"""Signature documents of others: every form there is, and nothing that reads in two ways."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xgate.errors import Fault
from xgate.trust.xades_read import read_signature

DIGEST = (
    '<ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/>'
    "<ds:DigestValue>AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=</ds:DigestValue>"
)
C14N = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
SMALL = f"""<r xmlns:ds="http://www.w3.org/2000/09/xmldsig#"
 xmlns:xades="http://uri.etsi.org/01903/v1.3.2#"><ds:Signature Id="s"><ds:SignedInfo>
<ds:CanonicalizationMethod Algorithm="{C14N}"/>
<ds:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"/>
<ds:Reference URI="/message.xml">{DIGEST}</ds:Reference>
<ds:Reference Type="http://uri.etsi.org/01903#SignedProperties" URI="#p">{DIGEST}</ds:Reference>
</ds:SignedInfo><ds:SignatureValue>dmFs
 dWU=</ds:SignatureValue>
<ds:KeyInfo><ds:X509Data><ds:X509Certificate>Y2VydA==</ds:X509Certificate></ds:X509Data></ds:KeyInfo>
<ds:Object><xades:QualifyingProperties Target="#s"><xades:SignedProperties Id="p">
<xades:SignedSignatureProperties><xades:SigningTime>2024-12-05T12:37:37Z</xades:SigningTime>
<xades:SigningCertificate><xades:Cert><xades:CertDigest>{DIGEST}</xades:CertDigest></xades:Cert>
</xades:SigningCertificate></xades:SignedSignatureProperties></xades:SignedProperties>
<xades:UnsignedProperties><xades:UnsignedSignatureProperties>
<xades:RevocationValues><xades:OCSPValues><xades:EncapsulatedOCSPValue>b2NzcA==</xades:EncapsulatedOCSPValue>
</xades:OCSPValues></xades:RevocationValues>
</xades:UnsignedSignatureProperties></xades:UnsignedProperties></xades:QualifyingProperties>
</ds:Object></ds:Signature></r>"""


def changed(old: str, new: str, count: int = -1) -> bytes:
    assert old in SMALL
    return SMALL.replace(old, new, count).encode()


def refused(document: bytes) -> str:
    with pytest.raises(Fault) as caught:
        read_signature(document)
    assert caught.value.code == "malformed_signature"
    return caught.value.text


def test_a_small_document_is_read() -> None:
    read = read_signature(SMALL.encode())
    assert read.value == b"value"
    assert read.certificates == (b"cert",)
    assert read.ocsp == (b"ocsp",)
    assert read.signing_time == datetime(2024, 12, 5, 12, 37, 37, tzinfo=UTC)
    assert read.refers_to("/message.xml")
    assert not read.refers_to("/sig-hashchainresult.xml")
    assert read.timestamp is None


@pytest.mark.parametrize(
    ("file", "references"),
    [
        ("sign-0.xml", ["/message.xml"]),
        ("batch-sig.xml", ["/sig-hashchainresult.xml"]),
        ("non-batch-sig/signatures.xml", ["/message.xml", "/attachment1"]),
    ],
)
@pytest.mark.reference
def test_the_reference_s_forms_are_read(golden: Path, file: str, references: list[str]) -> None:
    read = read_signature((golden / "signatures" / file).read_bytes())
    assert [reference.uri for reference in read.references] == references
    # What is signed came out right: the digest of the signed properties is in SignedInfo.
    own = read.properties_reference
    assert own.digest.of(read.signed_properties) == own.value
    assert len(read.signing_certificates) == len(read.ocsp) == len(read.certificates or ()) == 1


@pytest.mark.parametrize(
    ("file", "code"),
    [
        ("empty.xml", "invalid_xml"),
        ("sign-0-no-signature.xml", "malformed_signature"),
        ("sign-0-schema-fail.xml", "malformed_signature"),
        ("extra-certs-missing-id.xml", "malformed_signature"),
    ],
)
@pytest.mark.reference
def test_the_reference_s_malformed_ones_are_refused(golden: Path, file: str, code: str) -> None:
    with pytest.raises(Fault) as caught:
        read_signature((golden / "signatures" / file).read_bytes())
    assert caught.value.code == code


def test_a_signature_elsewhere_is_refused() -> None:
    assert "where it should be" in refused(
        changed("<ds:Signature ", "<x><ds:Signature ").replace(b"</r>", b"</x></r>")
    )
    assert "where it should be" in refused(changed("</r>", "<x/></r>"))


def test_signed_properties_elsewhere_are_not_the_signature_s_own() -> None:
    assert "its own" in refused(changed('Id="p"', 'Id="q"'))
    assert "another signature" in refused(changed('Target="#s"', 'Target="#t"'))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (f'Algorithm="{C14N}"', f'Algorithm="{C14N}#WithComments"'),
        (f'Algorithm="{C14N}"', 'Algorithm="http://www.w3.org/2006/12/xml-c14n11"'),
        (f'Algorithm="{C14N}"', ""),
        ('URI="#p">', f'URI="#p"><ds:Transforms>{"<ds:Transform/>" * 2}</ds:Transforms>'),
        (
            'URI="#p">',
            'URI="#p"><ds:Transforms><ds:Transform Algorithm='
            '"http://www.w3.org/2000/09/xmldsig#enveloped-signature"/></ds:Transforms>',
        ),
        (
            'URI="/message.xml">',
            f'URI="/message.xml"><ds:Transforms><ds:Transform Algorithm="{C14N}"/></ds:Transforms>',
        ),
    ],
)
def test_only_plain_canonicalisation_is_allowed(old: str, new: str) -> None:
    refused(changed(old, new))


def test_exclusive_canonicalisation_is_allowed() -> None:
    transform = (
        f'<ds:Transforms><ds:Transform Algorithm="{EXCLUSIVE}"><e:InclusiveNamespaces'
        f' xmlns:e="{EXCLUSIVE}" PrefixList="ds"/></ds:Transform></ds:Transforms>'
    )
    document = changed('URI="#p">', f'URI="#p">{transform}').replace(
        f'Algorithm="{C14N}"'.encode(), f'Algorithm="{EXCLUSIVE}"'.encode(), 1
    )
    read = read_signature(document)
    assert read.signed_info.startswith(
        b'<ds:SignedInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#">'
    )
    assert read.signed_properties.startswith(
        b'<xades:SignedProperties xmlns:ds="http://www.w3.org/2000/09/xmldsig#"'
        b' xmlns:xades="http://uri.etsi.org/01903/v1.3.2#" Id="p">'
    )


@pytest.mark.parametrize(
    "uri", ["", "message.xml", "http://elsewhere/", "#s", "file:///etc/passwd"]
)
def test_references_elsewhere_are_refused(uri: str) -> None:
    assert "no allowed kind" in refused(changed('URI="/message.xml"', f'URI="{uri}"'))


def test_the_signed_properties_are_referred_to_once() -> None:
    reference = f'<ds:Reference URI="#p" Type="T">{DIGEST}</ds:Reference>'.replace(
        '"T"', '"http://uri.etsi.org/01903#SignedProperties"'
    )
    assert "once" in refused(changed("</ds:SignedInfo>", reference + "</ds:SignedInfo>"))
    untyped = changed(' Type="http://uri.etsi.org/01903#SignedProperties"', "")
    assert "no allowed kind" in refused(untyped)


def test_a_part_is_referred_to_once() -> None:
    again = f'<ds:Reference URI="/message.xml">{DIGEST}</ds:Reference>'
    assert "twice" in refused(changed("</ds:SignedInfo>", again + "</ds:SignedInfo>"))


@pytest.mark.parametrize("text", ["", "*", "Y2VydA=", "Y2V\u00a0ydA=="])
def test_base64_is_strict(text: str) -> None:
    assert "base64" in refused(changed("Y2VydA==", text))


def test_a_digest_has_its_algorithm_s_size() -> None:
    assert "size" in refused(changed("xmlenc#sha256", "xmlenc#sha512"))
    assert "not known" in refused(changed("2001/04/xmlenc#sha256", "2001/04/xmldsig-more#md5"))


@pytest.mark.parametrize("moment", ["", "yesterday", "2024-13-05T12:37:37Z", "20241205T123737Z"])
def test_a_signing_time_is_a_time(moment: str) -> None:
    assert "time" in refused(changed("2024-12-05T12:37:37Z", moment))


@pytest.mark.parametrize(
    ("stamp", "token"),
    [
        ("<xades:EncapsulatedTimeStamp>dG9rZW4=</xades:EncapsulatedTimeStamp>", b"token"),
        ("dG9rZW4=", b"token"),  # before 2015
        ("<xades:EncapsulatedTimeStamp> </xades:EncapsulatedTimeStamp>", b""),
        ("", None),
    ],
)
def test_a_time_stamp_in_it_is_found(stamp: str, token: bytes | None) -> None:
    whole = f"<xades:SignatureTimeStamp>{stamp}</xades:SignatureTimeStamp>"
    place = "<xades:UnsignedSignatureProperties>"
    assert read_signature(changed(place, place + whole)).timestamp == token
    assert "more than one" in refused(changed(place, place + whole * 2))


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_a_changed_octet_is_a_fault_or_another_document(data: st.DataObject) -> None:
    document = bytearray(SMALL.encode())
    document[data.draw(st.integers(0, len(document) - 1))] ^= data.draw(st.integers(1, 255))
    with suppress(Fault):
        read_signature(bytes(document))


@given(st.binary(max_size=100))
@settings(max_examples=100, deadline=None)
def test_garbage_is_a_fault(data: bytes) -> None:
    with pytest.raises(Fault):
        read_signature(data)
