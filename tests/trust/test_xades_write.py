"""Signature documents of ours: canonical by construction, valid by the schemas, complete."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from xgate.algorithms import SHA512, SIGNATURES, find_signature
from xgate.errors import Fault
from xgate.trust.certificate import Certificate
from xgate.trust.xades_read import read_signature
from xgate.trust.xades_write import Draft, draft_signature, with_timestamp

AT = datetime(2024, 12, 5, 12, 37, 37, 117999, tzinfo=UTC)
RSA_SHA512 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512"
ECDSA_SHA512 = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512"
DS = "{http://www.w3.org/2000/09/xmldsig#}"
XADES = "{http://uri.etsi.org/01903/v1.3.2#}"


@cache
def key(kind: str) -> rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey:
    if kind == "RSA":
        return rsa.generate_private_key(65537, 2048)
    return ec.generate_private_key({"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1()}[kind])


@cache
def certificate(kind: str = "RSA", issuer: str = "Test CA") -> Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "4321")]))
        .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, issuer)]))
        .not_valid_before(AT)
        .not_valid_after(AT + timedelta(days=1))
        .serial_number(2**100 + 1)
        .public_key(key(kind).public_key())
    )
    return Certificate.load(builder.sign(key(kind), hashes.SHA256()).public_bytes(Encoding.DER))


def draft(**changed: Any) -> Draft:
    given: dict[str, Any] = {
        "certificate": certificate(),
        "algorithm": RSA_SHA512,
        "reference": "/message.xml",
        "digest": SHA512.of(b"message"),
        "signing_time": AT,
        "ocsp": [b"response"],
    }
    return draft_signature(**given | changed)


def canonical(document: bytes, name: str) -> bytes:
    """What a standard implementation would sign or digest: C14N 1.0 of the element in place."""
    element = etree.fromstring(document).find(f".//{name}")
    assert element is not None
    octets: bytes = etree.tostring(element, method="c14n")
    return octets


SIGNERS = [
    (algorithm, kind)
    for algorithm in SIGNATURES.values()
    if algorithm.digest.size >= 32
    for kind in (("P-256", "P-384") if algorithm.kind == "ecdsa" else ("RSA",))
]


@pytest.mark.parametrize("reference", ["/message.xml", "/sig-hashchainresult.xml"])
@pytest.mark.parametrize(("algorithm", "kind"), SIGNERS, ids=str)
def test_what_is_signed_is_what_others_canonicalise(
    algorithm: Any, kind: str, reference: str
) -> None:
    prepared = draft(
        certificate=certificate(kind),
        algorithm=algorithm.uri,
        reference=reference,
        digest=algorithm.digest.of(b"data"),
        intermediates=[certificate("P-256"), certificate("P-384")],
        ocsp=[b"one", b"two", b"three"],
    )
    size = {"RSA": 256, "P-256": 64, "P-384": 96}[kind]
    document = prepared.finish(b"v" * size)

    assert canonical(document, f"{DS}SignedInfo") == prepared.to_be_signed
    read = read_signature(document)
    assert read.signed_info == prepared.to_be_signed
    assert read.signed_properties == canonical(document, f"{XADES}SignedProperties")
    assert read.properties_reference.value == algorithm.digest.of(read.signed_properties)
    assert [(r.uri, r.value) for r in read.references] == [
        (reference, algorithm.digest.of(b"data"))
    ]
    assert read.algorithm == algorithm.uri
    assert read.value == b"v" * size
    assert read.ocsp == (b"one", b"two", b"three")


def not_in_xml(character: str) -> bool:
    return character in "\ufffe\uffff" or (character < " " and character not in "\t\n\r")


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=16))
@settings(max_examples=100, deadline=None)
def test_any_issuer_name_is_carried_or_refused(issuer: str) -> None:
    signer = certificate("P-256", issuer)
    if any(not_in_xml(c) for c in signer.issuer_rfc2253):
        with pytest.raises(Fault, match="cannot carry"):
            draft(certificate=signer, algorithm=ECDSA_SHA512)
        return
    prepared = draft(certificate=signer, algorithm=ECDSA_SHA512, intermediates=[signer])
    document = prepared.finish(b"v" * 64)
    assert canonical(document, f"{DS}SignedInfo") == prepared.to_be_signed
    read = read_signature(document)
    assert read.properties_reference.value == SHA512.of(
        canonical(document, f"{XADES}SignedProperties")
    )
    for name in etree.fromstring(document).iter(f"{DS}X509IssuerName"):
        assert name.text == signer.issuer_rfc2253


def test_the_names_that_matter_in_xml_are_escaped() -> None:
    issuer = "a&b<c>d\"e'f]]>g"
    signer = certificate("RSA", issuer)
    document = draft(certificate=signer).finish(b"v" * 256)
    assert b"a&amp;b" in document
    assert canonical(document, f"{XADES}SignedProperties") in (
        read_signature(document).signed_properties,
    )


def test_a_document_says_who_when_and_under_which_policy() -> None:
    tallinn = timezone(timedelta(hours=2))
    read = read_signature(draft(signing_time=AT.astimezone(tallinn)).finish(b"v" * 256))
    assert read.signing_time == AT.replace(microsecond=117000)
    assert read.certificates == (certificate().der,)
    assert [(c.digest, c.value, c.serial) for c in read.signing_certificates] == [
        (SHA512, certificate().sha512, certificate().serial)
    ]
    properties = read.signed_properties
    assert b"<xades:SigningTime>2024-12-05T12:37:37.117Z</xades:SigningTime>" in properties
    assert b">urn:oid:1.3.6.1.4.1.3516.16.2</xades:Identifier>" in properties


def test_prefixes_and_beginning_are_what_the_reference_looks_for() -> None:
    document = draft().finish(b"v" * 256)
    assert document.startswith(
        b'<?xml version="1.0" encoding="UTF-8" standalone="no"?><asic:XAdESSignatures xmlns:asic='
        b'"http://uri.etsi.org/02918/v1.2.1#" xmlns:ds="http://www.w3.org/2000/09/xmldsig#"'
        b' xmlns:xades="http://uri.etsi.org/01903/v1.3.2#"'
        b' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><ds:Signature Id="signature">'
    )


def test_intermediates_are_referred_to_and_enclosed() -> None:
    other = certificate("P-256", "Another CA")
    read = read_signature(draft(intermediates=[other]).finish(b"v" * 256))
    assert read.certificate_values == {"encapsulated-cert-1": other.der}
    assert [(c.uri, c.value) for c in read.certificate_references] == [
        ("#encapsulated-cert-1", other.sha512)
    ]
    assert not read_signature(draft().finish(b"v" * 256)).certificate_values


@pytest.mark.parametrize(
    "changed",
    [
        {"ocsp": []},
        {"algorithm": "urn:unknown"},
        {"algorithm": ECDSA_SHA512},
        {"algorithm": "http://www.w3.org/2000/09/xmldsig#rsa-sha1"},
        {"certificate": certificate("P-256")},
    ],
)
def test_what_cannot_be_signed_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(Fault) as caught:
        draft(**changed)
    assert caught.value.code == "cannot_create_signature"


def test_a_value_of_another_size_is_not_a_signature_of_this_key() -> None:
    with pytest.raises(Fault) as caught:
        draft(certificate=certificate("P-256"), algorithm=ECDSA_SHA512).finish(b"v" * 70)
    assert caught.value.code == "cannot_create_signature"


def test_a_digest_of_another_algorithm_is_the_caller_s_mistake() -> None:
    with pytest.raises(ValueError, match="digest"):
        draft(digest=b"short")


def test_a_time_stamp_goes_first_and_leaves_every_other_octet() -> None:
    document = draft(intermediates=[certificate("P-256")]).finish(b"v" * 256)
    stamped = with_timestamp(document, b"token")
    start = stamped.index(b"<xades:SignatureTimeStamp>")
    end = stamped.index(b"</xades:SignatureTimeStamp>") + len(b"</xades:SignatureTimeStamp>")
    assert stamped[:start].endswith(b"<xades:UnsignedSignatureProperties>")
    assert stamped[:start] + stamped[end:] == document
    assert read_signature(stamped).timestamp == b"token"
    with pytest.raises(Fault) as caught:
        with_timestamp(stamped, b"token")
    assert caught.value.code == "malformed_signature"


@pytest.mark.reference
def test_the_reference_s_documents_take_a_time_stamp(golden: Path) -> None:
    document = (golden / "signatures" / "sign-0.xml").read_bytes()
    assert read_signature(with_timestamp(document, b"token")).timestamp == b"token"


@pytest.mark.parametrize("intermediates", [[], [certificate("P-256"), certificate("P-384")]])
@pytest.mark.reference
def test_documents_are_valid_by_the_schemas(golden: Path, intermediates: list[Certificate]) -> None:
    schema = xades_schema(golden / "schemas")
    document = draft(intermediates=intermediates).finish(b"v" * 256)
    for octets in (document, with_timestamp(document, b"token")):
        schema.assertValid(etree.ElementTree(etree.fromstring(octets)[0]))


def xades_schema(folder: Path) -> etree.XMLSchema:
    """The schema, its import of the signature schema led to the file beside it."""
    schema = etree.parse(folder / "xades-schema.xsd")
    for imported in schema.getroot().iter("{http://www.w3.org/2001/XMLSchema}import"):
        imported.set("schemaLocation", (folder / "xmldsig-core-schema.xsd").as_uri())
    return etree.XMLSchema(schema)


def test_find_signature_knows_what_we_offer() -> None:
    assert all(find_signature(algorithm.uri) == algorithm for algorithm, _ in SIGNERS)
