"""One signature before the judge: every way in which it proves nothing, and its code."""

from __future__ import annotations

import re
from base64 import b64encode
from datetime import timedelta
from typing import Any

import pytest

from xgate.algorithms import DIGESTS, SHA512, Digest
from xgate.errors import Fault
from xgate.ids import ClientId
from xgate.testing.authority import ECDSA_SHA512, NOW, Authority, sign_raw
from xgate.testing.pki import Credential, FixedTrust, issue, issue_auth, make_ca, make_key
from xgate.testing.responders import UNKNOWN
from xgate.trust.proof import Proven
from xgate.trust.signature_proof import prove_signature
from xgate.trust.xades import MESSAGE, read_signature

MEMBER = ClientId("XG", "COM", "777")
CLIENT = ClientId("XG", "COM", "777", "app")
MORE = "http://www.w3.org/2001/04/xmldsig-more#"
RSA_SHA512 = MORE + "rsa-sha512"
SHA1 = DIGESTS[0]

AUTHORITY = Authority()
TRUST = AUTHORITY.trust
SIGNER = AUTHORITY.member(MEMBER)
BELOW = make_ca("Intermediate CA", issuer=AUTHORITY.ca)


def sign(signer: Credential = SIGNER, **more: Any) -> bytes:
    return AUTHORITY.sign(MESSAGE, b"message", signer, **more)


SIGNED = sign()


def octets_digest(uri: str, digest: Digest) -> bytes | None:
    return digest.of(b"message") if uri == MESSAGE else None


def judge(document: bytes = SIGNED, signer: ClientId = CLIENT, **changed: Any) -> Proven:
    given: dict[str, Any] = {"trust": TRUST, "digest_of": octets_digest, "at": NOW}
    given |= {"weak_digests": False} | changed
    return prove_signature(document=read_signature(document), signer=signer, **given)


def refused(*arguments: Any, **changed: Any) -> str:
    with pytest.raises(Fault) as caught:
        judge(*arguments, **changed)
    return caught.value.code


def sign_anew(document: bytes, algorithm: str = ECDSA_SHA512) -> bytes:
    """The document with a true signature over whatever its SignedInfo says now."""
    value = b64encode(sign_raw(SIGNER.key, algorithm, read_signature(document).signed_info))
    return re.sub(rb'(value">)[^<]*', rb"\g<1>" + value, document)


def test_a_true_signature_tells_who_signed_what_and_when() -> None:
    proven = judge()
    assert proven.signer == MEMBER
    assert proven.certificate == SIGNER.certificate
    assert proven.path == (SIGNER.certificate, AUTHORITY.ca.certificate)
    assert [response.status for response in proven.ocsp] == ["good"]
    assert (proven.signing_time, proven.at) == (NOW, NOW)
    assert judge() == proven


@pytest.mark.parametrize(
    ("algorithm", "kind"),
    [
        (RSA_SHA512, "RSA-2048"),
        ("http://www.w3.org/2007/05/xmldsig-more#sha512-rsa-MGF1", "RSA-2048"),
        (ECDSA_SHA512, "P-256"),
        (ECDSA_SHA512, "P-384"),
    ],
)
def test_keys_of_every_kind_prove(algorithm: str, kind: Any) -> None:
    signer = AUTHORITY.member(MEMBER, key=make_key("of a kind", kind))
    judge(sign(signer, algorithm=algorithm))


def test_what_was_proven_once_is_judged_anew_each_time() -> None:
    judge()
    late = SIGNER.certificate.not_after + timedelta(seconds=1)
    assert refused(at=late) == "cannot_create_cert_path.internal_error"
    stale = NOW + TRUST.ocsp_freshness + timedelta(seconds=1)
    assert refused(at=stale) == "invalid_cert_path.incorrect_validation_info"
    assert refused(trust=FixedTrust()) == "internal_error"
    assert refused(digest_of=lambda _, digest: bytes(digest.size)) == "invalid_signature_value"
    other = AUTHORITY.sign(MESSAGE, b"other", SIGNER)
    value = b64encode(read_signature(SIGNED).value)
    borrowed = re.sub(rb'(value">)[^<]*', rb"\g<1>" + value, other)
    assert refused(borrowed, digest_of=lambda _, digest: digest.of(b"other")) == (
        "invalid_signature_value"
    )
    judge(other, digest_of=lambda _, digest: digest.of(b"other"))
    judge()


# who signed


def test_another_member_has_not_signed() -> None:
    assert refused(signer=ClientId("XG", "COM", "778", "app")) == "incorrect_certificate"
    assert refused(signer=ClientId("XG", "GOV", "777", "app")) == "incorrect_certificate"


def test_an_unknown_instance_or_ca_is_no_authority() -> None:
    assert refused(signer=ClientId("YY", "COM", "777")) == "internal_error"
    stranger = Authority("ZZ")
    assert refused(sign(stranger.member(MEMBER))) == "internal_error"
    elsewhere = FixedTrust(cas=(AUTHORITY.approved(authentication_only=True),))
    assert refused(trust=elsewhere) == "internal_error"


def test_a_ca_of_the_same_name_has_not_issued_the_certificate() -> None:
    pretender = Authority()
    pretender.ca = make_ca("XG CA", key=make_key("pretender"))
    assert refused(sign(pretender.member(MEMBER))) == "cannot_create_cert_path.internal_error"


def test_a_ca_that_renewed_its_key_is_known_by_either() -> None:
    renewed = AUTHORITY.approved(make_ca("XG CA", key=make_key("renewed")))
    for cas in ((AUTHORITY.approved(), renewed), (renewed, AUTHORITY.approved())):
        assert judge(trust=FixedTrust(cas=cas)).path[-1] == AUTHORITY.ca.certificate


@pytest.mark.parametrize(
    ("signer", "code"),
    [
        (issue_auth(AUTHORITY.ca, "server.example", key=SIGNER.key), "malformed_signature"),
        (issue(AUTHORITY.ca, [], SIGNER.key), "internal_error"),
    ],
    ids=["for authentication", "for nothing that it says"],
)
def test_a_certificate_must_be_for_signing(signer: Credential, code: str) -> None:
    assert refused(sign(signer)) == code


def test_a_certificate_must_be_valid_at_the_time() -> None:
    expired = AUTHORITY.member(MEMBER, not_after=NOW - timedelta(seconds=1))
    assert refused(sign(expired)) == "cannot_create_cert_path.internal_error"


def test_another_key_has_not_signed() -> None:
    other = AUTHORITY.member(MEMBER, key=make_key("another")).certificate
    changed = SIGNED.replace(b64encode(SIGNER.certificate.der), b64encode(other.der))
    assert refused(changed) == "invalid_signature_value"


def test_another_certificate_of_the_same_key_was_not_named() -> None:
    renewed = AUTHORITY.member(MEMBER, not_after=NOW + timedelta(days=1)).certificate
    changed = SIGNED.replace(b64encode(SIGNER.certificate.der), b64encode(renewed.der))
    assert refused(changed) == "malformed_signature"


def test_a_signature_must_bring_its_certificate() -> None:
    without = re.sub(rb"<ds:KeyInfo>.*</ds:KeyInfo>", b"", SIGNED)
    assert refused(without) == "internal_error"
    empty = re.sub(rb"<ds:X509Certificate>.*</ds:X509Certificate>", b"", SIGNED)
    assert refused(empty) == "malformed_signature"


# what was signed


def test_other_octets_were_not_signed() -> None:
    assert refused(digest_of=lambda _, digest: digest.of(b"x")) == "invalid_signature_value"
    assert refused(digest_of=lambda *_: None) == "internal_error"


def test_other_properties_were_not_signed() -> None:
    assert refused(SIGNED.replace(b"2025-06-01T", b"2025-06-02T")) == "invalid_signature_value"


@pytest.mark.parametrize("algorithm", [RSA_SHA512, "urn:none", MORE + "ecdsa-sha256"])
def test_an_algorithm_must_be_known_and_the_one_that_was_used(algorithm: str) -> None:
    changed = SIGNED.replace(ECDSA_SHA512.encode(), algorithm.encode())
    assert refused(changed) == "invalid_signature_value"


def test_sha_1_counts_only_where_it_is_asked_for() -> None:
    weak = MORE + "ecdsa-sha1"
    document = sign_anew(SIGNED.replace(ECDSA_SHA512.encode(), weak.encode()), weak)
    assert refused(document) == "invalid_signature_value"
    judge(document, weak_digests=True)


def test_a_weak_digest_of_a_part_counts_only_where_it_is_asked_for() -> None:
    message = b64encode(SHA512.of(b"message"))
    changed = SIGNED.replace(SHA512.uri.encode(), SHA1.uri.encode(), 1)
    document = sign_anew(changed.replace(message, b64encode(SHA1.of(b"message"))))
    assert refused(document) == "invalid_signature_value"
    judge(document, weak_digests=True)


def test_old_time_stamp_manifests_are_not_supported() -> None:
    start = b"<xades:UnsignedSignatureProperties>"
    changed = SIGNED.replace(start, start + b'<y Id="ts-root-manifest"/>')
    assert refused(changed) == "invalid_reference"


# intermediates


def below() -> tuple[bytes, FixedTrust]:
    signer = issue_below()
    answers = [AUTHORITY.vouch(signer.certificate, ca=BELOW), AUTHORITY.vouch(BELOW.certificate)]
    document = sign(signer, ocsp=answers, intermediates=[BELOW.certificate])
    return document, FixedTrust(cas=(AUTHORITY.approved(), AUTHORITY.approved(BELOW)))


def issue_below() -> Credential:
    under = Authority()
    under.ca = BELOW
    return under.member(MEMBER)


def test_an_approved_intermediate_is_an_anchor() -> None:
    document, trust = below()
    assert judge(document, trust=trust).path[1:] == (BELOW.certificate,)


def test_an_intermediate_that_is_not_approved_is_none() -> None:
    document, _ = below()
    assert refused(document) == "internal_error"


def test_an_intermediate_that_is_referred_to_must_be_there() -> None:
    document, trust = below()
    changed = document.replace(b'"#encapsulated-cert-1"', b'"#encapsulated-cert-2"')
    assert refused(changed, trust=trust) == "malformed_signature"
    changed = document.replace(b'"#encapsulated-cert-1"', b'"encapsulated-cert-1"')
    assert refused(changed, trust=trust) == "malformed_signature"


def test_an_intermediate_must_be_the_one_referred_to() -> None:
    document, trust = below()
    another = b64encode(AUTHORITY.ca.certificate.der)
    changed = document.replace(b64encode(BELOW.certificate.der), another)
    assert refused(changed, trust=trust) == "malformed_signature"


# revocation


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (AUTHORITY.vouch(SIGNER.certificate, status=NOW), "cert_validation"),
        (AUTHORITY.vouch(SIGNER.certificate, status=UNKNOWN), "cert_validation"),
        (AUTHORITY.vouch(AUTHORITY.ca.certificate), "cert_validation"),
        (
            AUTHORITY.vouch(SIGNER.certificate, at=NOW - timedelta(hours=2)),
            "incorrect_validation_info",
        ),
        (
            AUTHORITY.vouch(SIGNER.certificate, at=NOW + timedelta(hours=1)),
            "incorrect_validation_info",
        ),
        (b"no response", "incorrect_validation_info"),
    ],
    ids=["revoked", "unknown", "of another", "stale", "of the future", "garbage"],
)
def test_a_certificate_must_have_been_good_at_the_time(answer: bytes, code: str) -> None:
    assert refused(sign(ocsp=[answer])) == f"invalid_cert_path.{code}"


def test_without_an_ocsp_response_nothing_is_proven() -> None:
    without = re.sub(rb"<xades:EncapsulatedOCSP.*OCSPValue>", b"", SIGNED)
    assert refused(without) == "malformed_signature"
