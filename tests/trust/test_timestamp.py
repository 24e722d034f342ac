from __future__ import annotations

import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from xgate.algorithms import DIGESTS, SHA512, Digest
from xgate.errors import Fault
from xgate.testing.pki import Credential, FixedTrust, issue_tsa, make_ca, make_rsa_key
from xgate.testing.responders import answer_timestamp
from xgate.trust import der
from xgate.trust.certificate import Certificate
from xgate.trust.timestamp import (
    read_timestamp_response,
    verify_timestamp,
    with_tsa_certificate,
    write_timestamp_request,
)

AT = datetime(2026, 3, 1, 12, 30, 15, tzinfo=UTC)
CA = make_ca("Timestamp tests")
TSA = issue_tsa(CA, "Timestamp tests, TSA")
RSA_TSA = issue_tsa(CA, "Timestamp tests, RSA", key=make_rsa_key("tsa"))
TRUST = FixedTrust(tsas=(RSA_TSA.certificate, TSA.certificate))
STAMPED = b"the octets that existed"
IMPRINT = SHA512.of(STAMPED)
REQUEST = write_timestamp_request(IMPRINT)
RESPONSE = answer_timestamp(REQUEST, TSA, AT, 4711)
TOKEN = read_timestamp_response(RESPONSE, IMPRINT)
NOT_VALID = "mlog.timestamp_response_validation_failed"
UNREADABLE = "malformed_signature"
BAD_SIGNER = "mlog.timestamp_signer_verification_failed"


def refusal(token: bytes, stamped: bytes = STAMPED, trust: FixedTrust = TRUST) -> tuple[str, str]:
    with pytest.raises(Fault) as refused:
        verify_timestamp(token, stamped, trust)
    return refused.value.code, refused.value.text


def test_a_token_proves_when_octets_existed_and_who_says_so() -> None:
    proven = verify_timestamp(TOKEN, STAMPED, TRUST)
    assert proven.gen_time == AT
    assert proven.certificate == TSA.certificate
    assert (proven.serial, proven.digest, proven.imprint) == (4711, SHA512, IMPRINT)


@pytest.mark.parametrize("signed_by", [d for d in DIGESTS if d.size > 20], ids=lambda d: d.name)
@pytest.mark.parametrize("imprint", [d for d in DIGESTS if d.size > 20], ids=lambda d: d.name)
def test_every_strong_digest_serves(signed_by: Digest, imprint: Digest) -> None:
    request = write_timestamp_request(imprint.of(STAMPED), imprint)
    response = answer_timestamp(request, RSA_TSA, AT, 1, digest=signed_by)
    token = read_timestamp_response(response, imprint.of(STAMPED), imprint)
    assert verify_timestamp(token, STAMPED, TRUST).certificate == RSA_TSA.certificate


def test_other_octets_were_not_stamped() -> None:
    assert refusal(TOKEN, STAMPED + b"!") == (UNREADABLE, "Timestamp hashes do not match")


def test_a_service_that_the_configuration_does_not_know_proves_nothing() -> None:
    strangers = FixedTrust(tsas=(RSA_TSA.certificate,))
    assert refusal(TOKEN, trust=strangers)[0] == "mlog.tsp_certificate_not_found"
    carried = with_tsa_certificate(TOKEN, TSA.certificate)
    assert refusal(carried, trust=strangers)[0] == "mlog.tsp_certificate_not_found"
    assert refusal(TOKEN, trust=FixedTrust())[0] == "mlog.tsp_certificate_not_found"


def test_a_signature_of_another_key_proves_nothing() -> None:
    broken = bytearray(TOKEN)
    broken[-1] ^= 1
    assert refusal(bytes(broken)) == (BAD_SIGNER, "Failed to verify the time-stamp's signature")


def test_the_signers_certificate_is_the_one_that_the_token_names() -> None:
    """Same key, name and number, other octets: the signing-certificate attribute tells."""
    twin = msgspec.structs.replace(TSA.certificate, der=TSA.certificate.der + b"twin")
    assert refusal(TOKEN, trust=FixedTrust(tsas=(twin,)))[0] == BAD_SIGNER
    both = FixedTrust(tsas=(twin, TSA.certificate))
    assert verify_timestamp(TOKEN, STAMPED, both).certificate == TSA.certificate


def test_the_signer_must_have_been_valid_when_it_signed() -> None:
    late = TSA.certificate.not_after + timedelta(days=1)
    token = read_timestamp_response(answer_timestamp(REQUEST, TSA, late, 1), IMPRINT)
    code, text = refusal(token)
    assert (code, "not valid when it signed" in text) == (BAD_SIGNER, True)


def test_a_request_says_nothing_but_the_imprint() -> None:
    fields = der.enter(REQUEST)
    assert der.read_integer(fields.take(der.INTEGER)) == 1
    fields.take(der.SEQUENCE)
    fields.end()
    with pytest.raises(ValueError, match="not of this digest"):
        write_timestamp_request(IMPRINT[:-1])


def test_a_response_about_something_else_is_refused() -> None:
    for imprint, digest in ((SHA512.of(b"other"), SHA512), (IMPRINT, DIGESTS[2])):
        with pytest.raises(Fault, match="not about what was asked") as refused:
            read_timestamp_response(RESPONSE, imprint, digest)
        assert refused.value.code == NOT_VALID


def test_a_refusal_of_the_service_is_told_with_its_own_words() -> None:
    refused_response = answer_timestamp(b"nonsense", TSA, AT, 1)
    with pytest.raises(Fault, match="status 2: not a time-stamp request") as refused:
        read_timestamp_response(refused_response, IMPRINT)
    assert refused.value.code == "mlog.timestamp_non_granted_response"


def test_granted_with_modifications_is_granted() -> None:
    fields = der.enter(RESPONSE)
    fields.take()
    status = der.encode(der.SEQUENCE, der.write_integer(1))
    modified = der.encode(der.SEQUENCE, status, fields.take().raw)
    assert read_timestamp_response(modified, IMPRINT) == TOKEN


@pytest.mark.parametrize(
    "response",
    [
        b"",
        RESPONSE[:-1],
        RESPONSE + b"\0",
        der.encode(der.SEQUENCE, der.encode(der.SEQUENCE, der.write_integer(0))),
        bytes(70_000),
    ],
    ids=["empty", "cut", "tail", "no token", "too long"],
)
def test_what_is_no_response_is_refused(response: bytes) -> None:
    with pytest.raises(Fault) as refused:
        read_timestamp_response(response, IMPRINT)
    assert refused.value.code == NOT_VALID


def test_a_stored_token_carries_its_services_certificate_and_still_proves() -> None:
    stored = with_tsa_certificate(TOKEN, TSA.certificate)
    assert TSA.certificate.der in stored
    assert with_tsa_certificate(stored, TSA.certificate) == stored
    assert verify_timestamp(stored, STAMPED, TRUST) == verify_timestamp(TOKEN, STAMPED, TRUST)
    with pytest.raises(Fault) as refused:
        with_tsa_certificate(b"nonsense", TSA.certificate)
    assert refused.value.code == UNREADABLE


@given(st.integers(0, len(TOKEN) - 1), st.integers(1, 255))
@settings(max_examples=100, deadline=None)
def test_a_changed_octet_never_changes_what_is_proven(place: int, change: int) -> None:
    octets = bytearray(TOKEN)
    octets[place] ^= change
    try:
        proven = verify_timestamp(bytes(octets), STAMPED, TRUST)
    except Fault:
        return
    assert proven == verify_timestamp(TOKEN, STAMPED, TRUST)


@given(st.integers(0, len(RESPONSE) - 1), st.integers(1, 255))
@settings(max_examples=100, deadline=None)
def test_a_changed_response_never_changes_what_is_proven(place: int, change: int) -> None:
    octets = bytearray(RESPONSE)
    octets[place] ^= change
    try:
        token = read_timestamp_response(bytes(octets), IMPRINT)
        proven = verify_timestamp(token, STAMPED, TRUST)
    except Fault:
        return
    assert proven == verify_timestamp(TOKEN, STAMPED, TRUST)


@given(st.binary(max_size=200))
@settings(max_examples=100, deadline=None)
def test_garbage_is_only_refused(data: bytes) -> None:
    assert refusal(data)[0] == UNREADABLE
    with pytest.raises(Fault):
        read_timestamp_response(data, IMPRINT)


# -- OpenSSL as the service


CONFIGURATION = """
[ tsa ]
default_tsa = one
[ one ]
serial = {folder}/serial
signer_digest = sha384
digests = sha256, sha512
default_policy = 1.2.3.4.1
ess_cert_id_alg = {ess}
ess_cert_id_chain = no
"""


@pytest.mark.parametrize("ess", ["sha1", "sha256", "sha512"])
def test_what_openssl_stamps_we_verify(tmp_path: Path, ess: str) -> None:
    (tmp_path / "conf").write_text(CONFIGURATION.format(folder=tmp_path, ess=ess))
    (tmp_path / "serial").write_text("01\n")
    (tmp_path / "query").write_bytes(REQUEST)
    certificate = x509.load_der_x509_certificate(TSA.certificate.der).public_bytes(Encoding.PEM)
    (tmp_path / "cert").write_bytes(certificate)
    key = TSA.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "key").write_bytes(key)
    said = subprocess.run(
        ["openssl", "ts", "-query", "-in", str(tmp_path / "query"), "-text"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert "Version: 1" in said
    assert "Hash Algorithm: sha512" in said
    assert "Nonce: unspecified" in said
    assert "Certificate required: no" in said
    subprocess.run(
        [
            *("openssl", "ts", "-reply", "-config", str(tmp_path / "conf"), "-section", "one"),
            *("-queryfile", str(tmp_path / "query"), "-out", str(tmp_path / "reply")),
            *("-signer", str(tmp_path / "cert"), "-inkey", str(tmp_path / "key")),
        ],
        check=True,
        capture_output=True,
        env={**os.environ, "OPENSSL_CONF": "/dev/null"},
    )
    token = read_timestamp_response((tmp_path / "reply").read_bytes(), IMPRINT)
    proven = verify_timestamp(token, STAMPED, TRUST)
    assert (proven.policy, proven.certificate) == ("1.2.3.4.1", TSA.certificate)


# -- The reference's data


@pytest.fixture
def old_trust(golden: Path) -> FixedTrust:
    return FixedTrust(tsas=(Certificate.load((golden / "keys/tsp.pem").read_bytes()),))


@pytest.mark.reference
def test_a_token_of_2012_still_proves(golden: Path, old_trust: FixedTrust) -> None:
    token = (golden / "timestamps/valid").read_bytes()
    stamped = (golden / "timestamps/stamped-data").read_bytes()
    proven = verify_timestamp(token, stamped, old_trust)
    assert proven.gen_time == datetime(2012, 11, 29, 13, 10, 4, tzinfo=UTC)
    stored = with_tsa_certificate(token, proven.certificate)
    assert der.read(stored).raw == stored
    assert verify_timestamp(stored, stamped, old_trust) == proven
    changed = bytearray(stamped)
    changed[42] ^= 1
    assert refusal(token, bytes(changed), old_trust)[0] == "malformed_signature"
    assert refusal(token, stamped, TRUST)[0] == "mlog.tsp_certificate_not_found"


@pytest.mark.reference
def test_a_response_of_2014_parses(golden: Path) -> None:
    response = (golden / "timestamps/tsp.response").read_bytes()
    with pytest.raises(Fault, match="not about what was asked"):
        read_timestamp_response(response, b"another")
    place = response.index(b"\x05\x00\x04\x20") + 4
    assert read_timestamp_response(response, response[place : place + 32], DIGESTS[2])


@pytest.mark.reference
def test_a_service_of_the_reference_stamps(golden: Path) -> None:
    store = pkcs12.load_pkcs12((golden / "env-dev-v6/ca/private/tsa.p12").read_bytes(), b"test")
    assert isinstance(store.key, rsa.RSAPrivateKey)
    certificate = Certificate.load((golden / "env-dev-v6/ca/certs/tsa.cert.pem").read_bytes())
    response = answer_timestamp(REQUEST, Credential(certificate, store.key), AT, 1)
    token = read_timestamp_response(response, IMPRINT)
    assert verify_timestamp(token, STAMPED, FixedTrust(tsas=(certificate,))).gen_time == AT
