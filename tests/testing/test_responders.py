from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import rfc3161_client
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from hypothesis import given, settings
from hypothesis import strategies as st

from xgate.algorithms import SHA512
from xgate.testing.pki import (
    Credential,
    issue_auth,
    issue_ocsp,
    issue_tsa,
    make_ca,
    make_key,
    make_rsa_key,
)
from xgate.testing.responders import GOOD, UNKNOWN, answer_ocsp, answer_timestamp
from xgate.trust import der
from xgate.trust.certificate import Certificate
from xgate.trust.ocsp import write_ocsp_request
from xgate.trust.timestamp import read_timestamp_response, write_timestamp_request

CA = make_ca("Responder tests", key=make_rsa_key("responders ca"))
RESPONDERS = {
    "ec": issue_ocsp(CA, "Responder tests, EC"),
    "rsa": issue_ocsp(CA, "Responder tests, RSA", key=make_rsa_key("responder")),
}
TSAS = {
    "ec": issue_tsa(CA, "Responder tests, EC TSA"),
    "rsa": issue_tsa(CA, "Responder tests, RSA TSA", key=make_rsa_key("tsa")),
}
SUBJECTS = [issue_auth(CA, f"{name}.example").certificate for name in ("one", "two", "three")]
STAMPED = b"the octets that existed"


def now() -> datetime:
    """OpenSSL judges by the real clock."""
    return datetime.now(UTC)


def pem(certificate: Certificate, path: Path) -> str:
    path.write_bytes(x509.load_der_x509_certificate(certificate.der).public_bytes(Encoding.PEM))
    return str(path)


def openssl(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("by_name", [False, True], ids=["by key", "by name"])
@pytest.mark.parametrize("kind", RESPONDERS)
def test_openssl_believes_the_responder(tmp_path: Path, kind: str, by_name: bool) -> None:
    """OpenSSL asks about three certificates, with a nonce: one good, one revoked, one unknown."""
    certificates = [pem(c, tmp_path / f"cert{n}") for n, c in enumerate(SUBJECTS)]
    ca = pem(CA.certificate, tmp_path / "ca")
    asking = ["-issuer", ca, *(part for path in certificates for part in ("-cert", path))]
    openssl("ocsp", *asking, "-reqout", str(tmp_path / "request"))
    responder = RESPONDERS[kind]
    answers: dict[int, str | datetime] = {
        SUBJECTS[0].serial: GOOD,
        SUBJECTS[1].serial: now() - timedelta(days=1),
    }
    response = answer_ocsp(
        (tmp_path / "request").read_bytes(),
        responder,
        CA.certificate,
        lambda serial: answers.get(serial, UNKNOWN),
        now(),
        next_update=now() + timedelta(minutes=10),
        by_name=by_name,
        certificates=[responder.certificate],
    )
    (tmp_path / "response").write_bytes(response)
    reading = ["-respin", str(tmp_path / "response"), "-CAfile", ca]
    said = openssl("ocsp", "-reqin", str(tmp_path / "request"), *reading)
    assert "Response verify OK" in said.stderr
    assert "nonce" not in said.stderr.lower()
    said = openssl("ocsp", *asking, "-no_nonce", *reading)
    for certificate, status in zip(certificates, ("good", "revoked", "unknown"), strict=True):
        assert f"{certificate}: {status}" in said.stdout


def test_certificates_of_another_issuer_are_unknown() -> None:
    other = make_ca("Responder tests, other")
    request = write_ocsp_request(SUBJECTS[0], other.certificate)
    response = answer_ocsp(request, RESPONDERS["ec"], CA.certificate, lambda _: GOOD, now())
    status = ocsp.load_der_ocsp_response(response).certificate_status
    assert status is ocsp.OCSPCertStatus.UNKNOWN


def test_a_cert_id_by_sha_256_is_answered_too() -> None:
    built = ocsp.OCSPRequestBuilder().add_certificate(
        x509.load_der_x509_certificate(SUBJECTS[0].der),
        x509.load_der_x509_certificate(CA.certificate.der),
        hashes.SHA256(),
    )
    request = built.build().public_bytes(Encoding.DER)
    response = answer_ocsp(request, RESPONDERS["ec"], CA.certificate, lambda _: GOOD, now())
    read = ocsp.load_der_ocsp_response(response)
    assert read.certificate_status is ocsp.OCSPCertStatus.GOOD
    assert isinstance(read.hash_algorithm, hashes.SHA256)


@given(st.binary(max_size=100))
@settings(max_examples=100, deadline=None)
def test_nonsense_is_answered_with_a_refusal(request: bytes) -> None:
    response = answer_ocsp(request, RESPONDERS["ec"], CA.certificate, lambda _: GOOD, now())
    status = ocsp.load_der_ocsp_response(response).response_status
    assert status is ocsp.OCSPResponseStatus.MALFORMED_REQUEST
    stamped = answer_timestamp(request, TSAS["ec"], now(), 1)
    assert rfc3161_client.decode_timestamp_response(stamped).status == 2


@pytest.mark.parametrize("kind", TSAS)
@pytest.mark.parametrize("certificate", [False, True], ids=["bare", "with certificate"])
def test_openssl_believes_the_timestamp(tmp_path: Path, kind: str, certificate: bool) -> None:
    (tmp_path / "data").write_bytes(STAMPED)
    query = str(tmp_path / "query")
    flags = ["-cert"] if certificate else []
    openssl("ts", "-query", "-data", str(tmp_path / "data"), "-sha512", *flags, "-out", query)
    response = answer_timestamp((tmp_path / "query").read_bytes(), TSAS[kind], now(), 2**64 + 1)
    (tmp_path / "response").write_bytes(response)
    assert (TSAS[kind].certificate.der in response) == certificate
    said = openssl(
        *("ts", "-verify", "-queryfile", query, "-in", str(tmp_path / "response")),
        *("-CAfile", pem(CA.certificate, tmp_path / "ca")),
        *("-untrusted", pem(TSAS[kind].certificate, tmp_path / "tsa")),
    )
    assert "Verification: OK" in said.stdout, said.stderr
    text = openssl("ts", "-reply", "-in", str(tmp_path / "response"), "-text").stdout
    assert "Status: Granted" in text
    assert "Serial number: 0x010000000000000001" in text


@pytest.mark.parametrize("kind", TSAS)
def test_another_client_believes_the_timestamp(kind: str) -> None:
    request = (
        rfc3161_client.TimestampRequestBuilder()
        .data(STAMPED)
        .hash_algorithm(rfc3161_client.HashAlgorithm.SHA512)
        .build()
    )
    answer = answer_timestamp(request.as_bytes(), TSAS[kind], now(), 5)
    verifier = (
        rfc3161_client.VerifierBuilder()
        .add_root_certificate(x509.load_der_x509_certificate(CA.certificate.der))
        .tsa_certificate(x509.load_der_x509_certificate(TSAS[kind].certificate.der))
        .nonce(request.nonce or 0)
        .build()
    )
    response = rfc3161_client.decode_timestamp_response(answer)
    assert verifier.verify_message(response, STAMPED)
    assert response.tst_info.nonce == request.nonce


def altered(*extra: bytes, imprint: bytes | None = None) -> bytes:
    fields = der.enter(write_timestamp_request(SHA512.of(STAMPED)))
    version, whole = fields.take().raw, fields.take().raw
    return der.encode(der.SEQUENCE, version, imprint or whole, *extra)


@pytest.mark.parametrize(
    ("request_der", "failure"),
    [
        (b"", 5),
        (altered(der.write_oid("1.2.3")), 15),
        (altered(der.encode(der.context(0), b"")), 16),
        (
            altered(
                imprint=der.encode(
                    der.SEQUENCE,
                    bytes.fromhex("300906052b0e03021a0500"),
                    der.encode(der.OCTET_STRING, bytes(20)),
                )
            ),
            0,
        ),
        (write_timestamp_request(SHA512.of(STAMPED)).replace(b"\x02\x01\x01", b"\x02\x01\x02"), 5),
    ],
    ids=["empty", "policy", "extension", "sha-1", "version"],
)
def test_a_refusal_names_its_failure(tmp_path: Path, request_der: bytes, failure: int) -> None:
    response = answer_timestamp(request_der, TSAS["ec"], now(), 1)
    status = der.enter(response).inside()
    assert der.read_integer(status.take(der.INTEGER)) == 2
    status.take(der.SEQUENCE)
    octets, unused = der.read_bits(status.take(der.BIT_STRING))
    bits = "".join(f"{octet:08b}" for octet in octets)[: 8 * len(octets) - unused]
    assert bits == "0" * failure + "1"
    (tmp_path / "response").write_bytes(response)
    said = openssl("ts", "-reply", "-in", str(tmp_path / "response"), "-text").stdout
    assert "Status: Rejected" in said


def test_times_are_cut_to_the_second() -> None:
    at = datetime(2026, 3, 1, 12, 0, 0, 999_999, tzinfo=UTC)
    token = answer_timestamp(write_timestamp_request(SHA512.of(STAMPED)), TSAS["ec"], at, 1)
    assert b"20260301120000Z" in read_timestamp_response(token, SHA512.of(STAMPED))


def test_the_credential_signs_with_its_own_key() -> None:
    swapped = Credential(TSAS["ec"].certificate, make_key("another"))
    assert swapped.key is not TSAS["ec"].key
