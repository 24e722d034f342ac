from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, pkcs12
from cryptography.x509 import ocsp
from hypothesis import given, settings
from hypothesis import strategies as st

from xgate.errors import Fault
from xgate.testing.pki import (
    Credential,
    FixedTrust,
    issue_auth,
    issue_ocsp,
    make_ca,
    make_key,
)
from xgate.testing.responders import GOOD, UNKNOWN, answer_ocsp
from xgate.trust import der
from xgate.trust.anchors import ApprovedCa
from xgate.trust.certificate import Certificate
from xgate.trust.ocsp import (
    FUTURE_TOLERANCE,
    OcspResponse,
    cert_id,
    check_ocsp_genuine,
    verify_ocsp,
    write_ocsp_request,
)

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
CA = make_ca("OCSP tests")
RESPONDER = issue_ocsp(CA, "OCSP tests, responder")
APPOINTED = issue_ocsp(CA, "OCSP tests, appointed")
SUBJECT = issue_auth(CA, "ocsp.example").certificate
OTHER = issue_auth(CA, "other.example").certificate
ISSUER = ApprovedCa("DEV", CA.certificate, "Basic", ocsp_certificates=(RESPONDER.certificate,))
TRUST = FixedTrust((ISSUER,))
REQUEST = write_ocsp_request(SUBJECT, CA.certificate)


def answer(
    status: str | datetime = GOOD,
    responder: Credential = RESPONDER,
    at: datetime = AT,
    request: bytes = REQUEST,
    **more: object,
) -> bytes:
    return answer_ocsp(request, responder, CA.certificate, lambda _: status, at, **more)  # type: ignore[arg-type]  # passed on


def judge(response: bytes, trust: FixedTrust = TRUST, at: datetime = AT) -> Certificate:
    return verify_ocsp(OcspResponse.load(response), SUBJECT, trust.cas[0], trust, at)


def refusal(response: bytes, trust: FixedTrust = TRUST, at: datetime = AT) -> tuple[str, str]:
    with pytest.raises(Fault) as refused:
        judge(response, trust, at)
    return refused.value.code, refused.value.text


INFO = "incorrect_validation_info"


def test_a_good_answer_of_a_configured_responder_is_proof() -> None:
    assert judge(answer()) == RESPONDER.certificate
    assert judge(answer(by_name=True)) == RESPONDER.certificate


def test_step_1_it_must_be_about_the_certificate() -> None:
    about_other = answer(request=write_ocsp_request(OTHER, CA.certificate))
    text = f"OCSP response does not apply to certificate (sn = {SUBJECT.serial})"
    assert refusal(about_other) == (INFO, text)


def test_step_1_the_issuer_is_part_of_it() -> None:
    elsewhere = ApprovedCa("DEV", make_ca("OCSP tests, elsewhere").certificate, "Basic")
    code, text = refusal(answer(), FixedTrust((elsewhere,)))
    assert (code, text.startswith("OCSP response does not apply")) == (INFO, True)


def test_step_2_the_responder_must_be_known() -> None:
    stranger = issue_ocsp(make_ca("OCSP tests, strange"), "stranger")
    text = "Could not find OCSP certificate for responder ID"
    assert refusal(answer(responder=stranger)) == (INFO, text)


def test_step_3_the_signature_must_hold() -> None:
    response = bytearray(answer())
    response[-1] ^= 1
    code, text = refusal(bytes(response))
    assert (code, text) == (INFO, "Signature on OCSP response is not valid")


def test_step_4_a_stranger_who_brings_his_certificate_is_not_authorised() -> None:
    stranger = issue_ocsp(make_ca("OCSP tests, strange"), "stranger")
    text = "OCSP responder is not authorized for given CA"
    brought = answer(responder=stranger, certificates=[stranger.certificate])
    assert refusal(brought) == (INFO, text)


def test_step_4_another_cas_responder_is_not_authorised() -> None:
    other_ca = make_ca("OCSP tests, other")
    others = issue_ocsp(other_ca, "others")
    approved = ApprovedCa(
        "DEV", other_ca.certificate, "Basic", ocsp_certificates=(others.certificate,)
    )
    text = "OCSP responder is not authorized for given CA"
    assert refusal(answer(responder=others), FixedTrust((ISSUER, approved))) == (INFO, text)


def test_step_4_a_certificate_without_ocsp_signing_is_not_authorised() -> None:
    auth = issue_auth(CA, "not a responder")
    code, text = refusal(answer(responder=auth, certificates=[auth.certificate]))
    assert (code, text) == (INFO, "OCSP responder is not authorized for given CA")


def test_step_4_the_ca_itself_may_answer() -> None:
    assert judge(answer(responder=CA)) == CA.certificate


def test_step_4_one_that_the_ca_appointed_may_answer_within_its_dates() -> None:
    response = answer(responder=APPOINTED, certificates=[APPOINTED.certificate])
    assert judge(response) == APPOINTED.certificate
    late = APPOINTED.certificate.not_after + SECOND
    late_response = answer(responder=APPOINTED, certificates=[APPOINTED.certificate], at=late)
    code, text = refusal(late_response, at=late)
    assert (code, text) == (INFO, "OCSP responder is not authorized for given CA")


def test_step_4_an_appointment_needs_the_cas_signature() -> None:
    forged_ca = make_ca("OCSP tests", key=make_key("another key under the same name"))
    forged = issue_ocsp(forged_ca, "forged")
    code, text = refusal(answer(responder=forged, certificates=[forged.certificate]))
    assert (code, text) == (INFO, "OCSP responder is not authorized for given CA")


def test_a_renewed_responder_of_the_same_name_is_found() -> None:
    renewed = issue_ocsp(CA, "OCSP tests, responder", key=make_key("renewed"))
    both = ApprovedCa(
        "DEV",
        CA.certificate,
        "Basic",
        ocsp_certificates=(RESPONDER.certificate, renewed.certificate),
    )
    assert (
        judge(answer(responder=renewed, by_name=True), FixedTrust((both,))) == renewed.certificate
    )


def test_step_5_it_must_be_fresh() -> None:
    hour = timedelta(hours=1)
    judge(answer(), at=AT + hour)
    code, text = refusal(answer(), at=AT + hour + SECOND)
    assert (code, text) == (INFO, "OCSP response is too old (thisUpdate: 2026-03-01 12:00:00)")
    judge(answer(), FixedTrust((ISSUER,), freshness=2 * hour), at=AT + hour + SECOND)


def test_step_5_it_must_not_come_from_the_future() -> None:
    judge(answer(), at=AT - FUTURE_TOLERANCE)
    code, text = refusal(answer(), at=AT - FUTURE_TOLERANCE - SECOND)
    assert (code, text.startswith("OCSP response is from the future")) == (INFO, True)


def test_step_6_next_update_must_not_have_passed() -> None:
    response = answer(next_update=AT + SECOND)
    judge(response, at=AT + SECOND)
    code, text = refusal(response, at=AT + 2 * SECOND)
    assert (code, text.startswith("OCSP nextUpdate is too old, atDate: ")) == (INFO, True)
    judge(response, FixedTrust((ISSUER,), verify_next_update=False), at=AT + 2 * SECOND)


def test_step_7_the_certificate_must_be_good() -> None:
    prefix = "OCSP response indicates certificate status is "
    assert refusal(answer(UNKNOWN)) == ("cert_validation", prefix + "UNKNOWN")
    revoked = answer(datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC))
    assert refusal(revoked) == ("cert_validation", prefix + "REVOKED (date: 2026-02-03 04:05:06)")


def test_a_responses_origin_can_be_judged_without_its_status() -> None:
    revoked = OcspResponse.load(answer(AT - SECOND))
    assert check_ocsp_genuine(revoked, SUBJECT, ISSUER, TRUST, AT) == RESPONDER.certificate


def test_earlier_steps_speak_first() -> None:
    stale_and_revoked = answer(AT - timedelta(days=2), at=AT - timedelta(days=1))
    assert refusal(stale_and_revoked)[1].startswith("OCSP response is too old")


@pytest.mark.parametrize(
    "response",
    [
        b"",
        der.encode(der.SEQUENCE, der.write_integer(3, der.ENUMERATED)),
        der.encode(der.SEQUENCE, der.write_integer(0, der.ENUMERATED)),
        b"\x30" + bytes(70_000),
        answer() + b"\0",
    ],
    ids=["empty", "try later", "no body", "too long", "tail"],
)
def test_what_is_no_successful_response_is_refused(response: bytes) -> None:
    assert refusal(response)[0] == INFO


GOOD_ANSWER = answer(certificates=[RESPONDER.certificate])
BARE_ANSWER = answer()


def changed(answered: bytes) -> Iterator[bytes]:
    """The answer with each of its bits turned over. (Signatures vary in length: nothing drawn.)"""
    for place in range(8 * len(answered)):
        octets = bytearray(answered)
        octets[place // 8] ^= 1 << place % 8
        yield bytes(octets)


def test_no_changed_octet_is_taken_for_proof() -> None:
    for octets in changed(BARE_ANSWER):
        with pytest.raises(Fault):
            judge(octets)


def test_a_change_in_what_is_not_signed_changes_nothing_proven() -> None:
    whole = OcspResponse.load(GOOD_ANSWER)
    for octets in changed(GOOD_ANSWER):
        with suppress(Fault):
            assert judge(octets) == RESPONDER.certificate
            found = OcspResponse.load(octets)
            assert (found.tbs, found.signature) == (whole.tbs, whole.signature)


@given(st.binary(max_size=200))
@settings(max_examples=100, deadline=None)
def test_garbage_is_only_refused(data: bytes) -> None:
    with pytest.raises(Fault):
        OcspResponse.load(data)


# -- Other producers and readers


def by_pyca() -> ocsp.OCSPResponseBuilder:
    at = datetime.now(UTC)  # it takes producedAt from the clock
    return ocsp.OCSPResponseBuilder().add_response(
        cert=x509.load_der_x509_certificate(SUBJECT.der),
        issuer=x509.load_der_x509_certificate(CA.certificate.der),
        algorithm=hashes.SHA1(),
        cert_status=ocsp.OCSPCertStatus.GOOD,
        this_update=at,
        next_update=at + timedelta(minutes=10),
        revocation_time=None,
        revocation_reason=None,
    )


@pytest.mark.parametrize("encoding", ocsp.OCSPResponderEncoding)
def test_what_pyca_answers_we_judge(encoding: ocsp.OCSPResponderEncoding) -> None:
    responder = x509.load_der_x509_certificate(APPOINTED.certificate.der)
    response = (
        by_pyca()
        .responder_id(encoding, responder)
        .certificates([responder])
        .sign(APPOINTED.key, hashes.SHA384())
        .public_bytes(Encoding.DER)
    )
    assert judge(response, at=datetime.now(UTC)) == APPOINTED.certificate


def test_a_critical_extension_is_refused() -> None:
    responder = x509.load_der_x509_certificate(RESPONDER.certificate.der)
    builder = by_pyca().responder_id(ocsp.OCSPResponderEncoding.HASH, responder)
    strange = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
    for critical in (False, True):
        signed = builder.add_extension(strange, critical).sign(RESPONDER.key, hashes.SHA256())
        response = signed.public_bytes(Encoding.DER)
        if not critical:
            judge(response, at=datetime.now(UTC))
            continue
        assert "critical extension" in refusal(response)[1]


def test_what_we_answer_pyca_reads_the_same() -> None:
    ours = OcspResponse.load(GOOD_ANSWER)
    theirs = ocsp.load_der_ocsp_response(GOOD_ANSWER)
    assert theirs.certificate_status is ocsp.OCSPCertStatus.GOOD
    assert theirs.this_update_utc == ours.this_update
    assert theirs.produced_at_utc == ours.produced_at
    assert theirs.tbs_response_bytes == ours.tbs
    assert theirs.signature == ours.signature
    assert theirs.responder_key_hash == ours.responder_key
    assert theirs.serial_number == SUBJECT.serial


def test_pyca_asks_with_the_same_octets() -> None:
    request = ocsp.OCSPRequestBuilder().add_certificate(
        x509.load_der_x509_certificate(SUBJECT.der),
        x509.load_der_x509_certificate(CA.certificate.der),
        hashes.SHA1(),
    )
    assert request.build().public_bytes(Encoding.DER) == REQUEST
    assert cert_id(SUBJECT, CA.certificate) in REQUEST
    assert b"\x30\x09\x06\x05\x2b\x0e\x03\x02\x1a\x05\x00" in REQUEST


def test_openssl_understands_the_request(tmp_path: Path) -> None:
    (tmp_path / "request").write_bytes(REQUEST)
    said = subprocess.run(
        ["openssl", "ocsp", "-reqin", str(tmp_path / "request"), "-req_text"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert "Hash Algorithm: sha1" in said
    octets = SUBJECT.serial.to_bytes((SUBJECT.serial.bit_length() + 7) // 8, "big")
    assert f"Serial Number: {octets.hex().upper()}" in said
    assert "Nonce" not in said


# -- The reference's data


@pytest.mark.reference
def test_the_references_response_holds(golden: Path) -> None:
    response = OcspResponse.load((golden / "ocsp/test.ocsp").read_bytes())
    assert response.status == "good"
    assert response.this_update == datetime(2013, 2, 7, 9, 2, 33, tzinfo=UTC)
    (embedded,) = map(Certificate.load, response.certificates)
    assert response.answered_by(embedded)
    # It names a certificate that we do not have, but its issuer and the signature can be judged.
    asked = der.enter(response.cert_id)
    ours = der.enter(cert_id(embedded, embedded))
    assert [e.raw for e in asked][:3] == [e.raw for e in ours][:3]
    numbered = msgspec.structs.replace(embedded, serial=0x3E5F51C4793DB444)
    approved = ApprovedCa("EE", embedded, "Ejbca")
    at = response.this_update
    assert verify_ocsp(response, numbered, approved, FixedTrust((approved,)), at) == embedded


@pytest.mark.reference
def test_a_responder_of_the_reference_answers_for_its_own_ca(golden: Path) -> None:
    folder = golden / "env-dev-v6/ca"
    ca, responder = (
        Certificate.load((folder / f"certs/{name}.cert.pem").read_bytes())
        for name in ("ca", "ocsp")
    )
    store = pkcs12.load_pkcs12((folder / "private/ocsp.p12").read_bytes(), b"test")
    key = store.key
    assert isinstance(key, rsa.RSAPrivateKey)
    approved = ApprovedCa("DEV", ca, "FiVRK", ocsp_certificates=(responder,))
    trust = FixedTrust((approved,))
    subject = Certificate.load((folder / "certs/tsa.cert.pem").read_bytes())
    credential = Credential(responder, key)
    request = write_ocsp_request(subject, ca)
    response = answer_ocsp(request, credential, ca, lambda _: GOOD, AT)
    assert verify_ocsp(OcspResponse.load(response), subject, approved, trust, AT) == responder
