from __future__ import annotations

import base64
import re
import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, pkcs12
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from xgate.errors import Fault
from xgate.ids import ClientId
from xgate.testing.pki import issue, issue_auth, issue_sign, make_ca, make_key
from xgate.trust import der
from xgate.trust.certificate import (
    CLIENT_AUTH,
    Certificate,
    check_sign_certificate,
    is_auth_certificate,
    member_of,
)

CA = make_ca("Certificate tests")
MEMBER = ClientId("DEV", "COM", "1234", "Sub")
SIGN = issue_sign(CA, MEMBER).certificate
AUTH = issue_auth(CA, "ss.example").certificate


def pem(octets: bytes, label: str = "CERTIFICATE") -> bytes:
    body = base64.encodebytes(octets).decode()
    return f"text before\n-----BEGIN {label}-----\n{body}-----END {label}-----\n".encode()


@pytest.mark.parametrize(
    "form",
    [
        SIGN.der,
        pem(SIGN.der),
        pem(SIGN.der, "X509 CERTIFICATE"),
        pem(SIGN.der).replace(b"\n", b"\r\n"),
        pem(SIGN.der + b"\x30\x03\x06\x01\x2a", "TRUSTED CERTIFICATE"),
        pem(SIGN.der) + pem(AUTH.der),
        base64.b64encode(SIGN.der),
        b"\n   " + base64.encodebytes(SIGN.der) + b"   ",
        base64.encodebytes(pem(SIGN.der)),
    ],
    ids=range(9),
)
def test_every_form_is_the_same_certificate(form: bytes) -> None:
    assert Certificate.load(form) == SIGN
    assert hash(Certificate.load(form)) == hash(SIGN)
    assert not Certificate.load(form) != SIGN  # noqa: SIM202 - inequality must agree
    assert SIGN != AUTH


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "neither DER nor PEM"),
        (b"not base64!", "not base64"),
        (b"YmFyCg==", "not base64"),  # decodes to text that is no base64 either
        (pem(SIGN.der, "PUBLIC KEY"), "holds no certificate"),
        (SIGN.der + b"\0", "unexpected data"),
        (SIGN.der[:-1], "ends inside"),
        (b"\x30" + bytes(200_000), "too long"),
        (der.encode(der.SEQUENCE, bytes(40_000)), "too long"),
    ],
    ids=range(8),
)
def test_what_is_no_certificate_is_refused_with_its_cause(data: bytes, why: str) -> None:
    with pytest.raises(Fault, match=why) as refused:
        Certificate.load(data)
    assert refused.value.code == "incorrect_certificate"


@given(st.integers(0, len(SIGN.der) - 1), st.integers(1, 255))
@settings(max_examples=100, deadline=None)
def test_a_changed_octet_is_refused_or_another_certificate(place: int, change: int) -> None:
    octets = bytearray(SIGN.der)
    octets[place] ^= change
    try:
        changed = Certificate.load(bytes(octets))
        changed.public_key  # noqa: B018 - reading it may refuse
    except Fault:
        return
    assert changed != SIGN


@given(st.binary(max_size=300))
@settings(max_examples=100, deadline=None)
def test_garbage_is_only_refused(data: bytes) -> None:
    for octets in (data, b"\x30" + data, base64.b64encode(data)):
        with pytest.raises(Fault):
            Certificate.load(octets)


@pytest.mark.parametrize("certificate", [SIGN, AUTH, CA.certificate], ids=["sign", "auth", "ca"])
def test_another_library_reads_the_same(certificate: Certificate) -> None:
    other = x509.load_der_x509_certificate(certificate.der)
    assert certificate.serial == other.serial_number
    assert certificate.not_before == other.not_valid_before_utc
    assert certificate.not_after == other.not_valid_after_utc
    assert certificate.subject.der == other.subject.public_bytes()
    assert certificate.issuer.der == other.issuer.public_bytes()
    assert certificate.public_key == other.public_key()
    assert certificate.tbs == other.tbs_certificate_bytes
    assert certificate.signature == other.signature
    assert [e.oid for e in certificate.extensions] == [
        e.oid.dotted_string for e in other.extensions
    ]
    key_id = other.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    assert certificate.subject_key_id == key_id.digest
    assert certificate.sha1 == other.fingerprint(hashes.SHA1()).hex()


def test_what_a_ca_says_about_itself() -> None:
    inner = make_ca("Certificate tests, inner", issuer=CA, path_length=0).certificate
    assert (CA.certificate.is_ca, CA.certificate.path_length) == (True, None)
    assert (inner.is_ca, inner.path_length) == (True, 0)
    assert CA.certificate.self_issued
    assert not inner.self_issued
    assert inner.key_usage == frozenset({"keyCertSign", "cRLSign"})
    assert not SIGN.is_ca


def test_dates_include_both_ends() -> None:
    assert SIGN.valid_at(SIGN.not_before)
    assert SIGN.valid_at(SIGN.not_after)
    assert not SIGN.valid_at(SIGN.not_after.replace(year=2046))


def with_usage(*usages: str, **more: object) -> Certificate:
    key = make_key("usage")
    return issue(CA, [(NameOID.COMMON_NAME, "x")], key, usages=usages, **more).certificate  # type: ignore[arg-type]  # passed on


@pytest.mark.parametrize("usage", ["digital_signature", "key_encipherment", "data_encipherment"])
def test_these_usages_make_an_auth_certificate(usage: str) -> None:
    assert is_auth_certificate(with_usage(usage))


def test_client_auth_makes_an_auth_certificate_whatever_the_key_usage() -> None:
    extended = [x509.ObjectIdentifier(CLIENT_AUTH)]
    assert is_auth_certificate(with_usage(extended=extended))
    assert is_auth_certificate(with_usage("content_commitment", extended=extended))


def test_a_signing_certificate_is_no_auth_certificate() -> None:
    assert not is_auth_certificate(SIGN)
    check_sign_certificate(SIGN)


def test_both_usages_make_both() -> None:
    both = with_usage("digital_signature", "content_commitment")
    assert is_auth_certificate(both)
    check_sign_certificate(both)


def test_without_key_usage_nothing_is_said() -> None:
    silent = with_usage()
    with pytest.raises(Fault) as refused:
        is_auth_certificate(silent)
    assert refused.value.code == "incorrect_certificate"
    with pytest.raises(Fault) as refused:
        check_sign_certificate(silent)
    assert refused.value.code == "internal_error"


def test_without_non_repudiation_it_may_not_sign() -> None:
    with pytest.raises(Fault) as refused:
        check_sign_certificate(AUTH)
    assert refused.value.code == "malformed_signature"


def test_the_member_is_read_by_the_cas_profile() -> None:
    assert member_of(SIGN, "Basic", MEMBER) == MEMBER.member


def test_a_key_nobody_uses_here_still_loads() -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ed")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(SIGN.not_before)
        .not_valid_after(SIGN.not_after)
        .sign(key, None)
    )
    assert Certificate.load(made.public_bytes(Encoding.DER)).public_key == key.public_key()


def test_an_unknown_kind_of_key_is_refused_when_it_is_needed() -> None:
    key_oid = der.write_oid("1.2.840.10045.2.1")
    assert SIGN.der.count(key_oid) == 1
    strange = Certificate.load(SIGN.der.replace(key_oid, der.write_oid("1.2.840.10045.2.9")))
    with pytest.raises(Fault, match="public key is unusable"):
        strange.public_key  # noqa: B018 - reading it refuses


def rebuilt(change: tuple[bytes, bytes]) -> bytes:
    """The signing certificate with one piece of it replaced; its lengths made right again."""
    tbs = der.enter(SIGN.tbs)
    inner = b"".join(element.raw for element in tbs).replace(*change, 1)
    outer = der.enter(SIGN.der)
    outer.take()
    return der.encode(
        der.SEQUENCE, der.encode(der.SEQUENCE, inner), *(element.raw for element in outer)
    )


def test_a_negative_serial_number_loads() -> None:
    strange = rebuilt((der.write_integer(SIGN.serial), der.write_integer(-5)))
    assert Certificate.load(strange).serial == -5


def test_a_country_of_three_letters_loads() -> None:
    code = der.write_oid("2.5.4.3"), der.write_oid("2.5.4.6")
    assert Certificate.load(rebuilt(code)).subject_key_id == SIGN.subject_key_id


def test_two_signature_algorithms_are_refused() -> None:
    algorithms = (der.write_oid("1.2.840.10045.4.3.2"), der.write_oid("1.2.840.10045.4.3.3"))
    with pytest.raises(Fault, match="two signature algorithms"):
        Certificate.load(rebuilt(algorithms))


def test_a_doubled_extension_is_refused() -> None:
    ids = (der.write_oid("2.5.29.14"), der.write_oid("2.5.29.15"))
    with pytest.raises(Fault, match="doubled"):
        Certificate.load(rebuilt(ids))


def test_openssl_agrees_about_the_names(tmp_path: Path) -> None:
    (tmp_path / "c.der").write_bytes(SIGN.der)
    command = ["openssl", "x509", "-inform", "DER", "-in", str(tmp_path / "c.der"), "-noout"]
    said = subprocess.run(
        [*command, "-subject", "-issuer", "-nameopt", "RFC2253"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert f"issuer={SIGN.issuer_rfc2253}" in said
    assert "CN=1234" in said


def certificates_in(data: bytes) -> list[bytes]:
    """Whatever looks like a certificate in a file of the reference's."""
    found = re.findall(
        rb"-----BEGIN (?:TRUSTED )?CERTIFICATE-----.*?-----END [A-Z ]+-----", data, re.S
    )
    tags = rb"(?:cert|(?:internalV|externalV|v)erificationCert)"
    found += re.findall(rb"<" + tags + rb">([^<]+)</" + tags + rb">", data)
    found += re.findall(rb"<(?:\w+:)?X509Certificate>([^<&]+)<", data)
    return found


@pytest.mark.reference
def test_every_certificate_of_the_reference_loads(golden: Path) -> None:
    folders = ("globalconf", "globalconf-signed", "keys", "env-dev-v6", "tls", "csr", "signatures")
    seen: set[bytes] = set()
    for path in sorted(p for folder in folders for p in (golden / folder).rglob("*")):
        if not path.is_file():
            continue
        for text in certificates_in(path.read_bytes()):
            if text in (b"YmFyCg==", b"Zm9vCg=="):  # fixtures for hashes, not certificates
                continue
            try:
                seen.add(Certificate.load(text).der)
            except Fault as fault:
                pytest.fail(f"{path}: {fault} {text[:60]!r}")
    assert len(seen) > 50


PASSWORDS = {"softtoken": b"Secret1234"}


@pytest.mark.reference
def test_every_certificate_in_a_key_store_loads(golden: Path) -> None:
    count = 0
    for folder in ("cert-chain", "keys", "env-dev-v6/signer", "tls"):
        for path in sorted((golden / folder).rglob("*.p12")):
            store = pkcs12.load_pkcs12(path.read_bytes(), PASSWORDS.get(path.parent.name, b"test"))
            for held in filter(None, [store.cert, *store.additional_certs]):
                octets = held.certificate.public_bytes(Encoding.DER)
                Certificate.load(octets).public_key  # noqa: B018 - reading it may refuse
                count += 1
    assert count >= 22


@pytest.mark.reference
def test_the_id_card_names_a_person(golden: Path) -> None:
    card = Certificate.load((golden / "keys/test-esteid.txt").read_bytes())
    member = member_of(card, "SkEsteId", ClientId("XX", "any", "any"))
    assert member == ClientId("XX", "PERSON", "47101010033")


@pytest.mark.reference
def test_issuers_are_written_as_the_reference_writes_them(golden: Path) -> None:
    document = (golden / "signatures/sign-0.xml").read_text()
    written = re.search("<ds:X509IssuerName>(.*?)</ds:X509IssuerName>", document)
    assert written is not None
    consumer = Certificate.load((golden / "keys/consumer.pem").read_bytes())
    assert consumer.issuer_rfc2253 == written[1]
