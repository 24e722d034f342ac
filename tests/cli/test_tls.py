"""``xgate tls``: the life of the certificate towards information systems, read by OpenSSL."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from tests.cli.conftest import Ran, openssl

from xgate.clock import SystemClock
from xgate.securityserver.internal_certificate import new_key, self_signed


class Desk:
    """A server's folder, and the command about it."""

    def __init__(self, folder: Path, xgate: Callable[..., Ran]) -> None:
        self.folder = folder
        self.config = folder / "xgate.toml"
        self.config.write_text(
            'server = "XG/COM/100/SS1"\n[tls]\ncertificate = "tls.crt"\nkey = "tls.key"\n'
        )
        self.certificate, self.key = folder / "tls.crt", folder / "tls.key"
        self._xgate = xgate

    def run(self, *arguments: object) -> Ran:
        return self._xgate("tls", *arguments, "--config", self.config)

    def told(self, *arguments: object) -> Any:
        ran = self.run(*arguments, "--json")
        assert ran.code == 0, ran
        return json.loads(ran.out)

    def issued(self, lifetime: timedelta = timedelta(days=30)) -> list[x509.Certificate]:
        """A certificate for what the server asks for, and the CA's."""
        request = x509.load_pem_x509_csr(self.run("csr", "--subject", "CN=ss1").out.encode())
        now, authority = SystemClock().now(), new_key("ec")
        ca = self_signed(authority, ["ca"], now, timedelta(days=99))
        builder = (
            x509.CertificateBuilder()
            .subject_name(request.subject)
            .issuer_name(ca.subject)
            .public_key(request.public_key())
            .serial_number(7)
            .not_valid_before(now - timedelta(days=9))
            .not_valid_after(now + lifetime)
        )
        return [builder.sign(authority, hashes.SHA256()), ca]


@pytest.fixture
def desk(tmp_path: Path, xgate: Callable[..., Ran]) -> Desk:
    return Desk(tmp_path, xgate)


def put(path: Path, chain: list[x509.Certificate]) -> Path:
    path.write_bytes(b"".join(one.public_bytes(Encoding.PEM) for one in chain))
    return path


def test_a_key_and_a_certificate_are_made(desk: Desk) -> None:
    told = desk.told("generate", "--name", "ss1.example.com", "--name", "192.0.2.7")
    assert told["file"] == str(desk.certificate)
    assert (told["key"], told["chain"]) == ("RSA 3072", [])
    assert told["certificate"]["subject"] == "CN=ss1.example.com"
    assert desk.key.stat().st_mode & 0o777 == 0o600
    assert desk.certificate.stat().st_mode & 0o777 == 0o644
    said = openssl("x509", "-in", desk.certificate, "-noout", "-text")
    assert "DNS:ss1.example.com, IP Address:192.0.2.7" in said
    assert openssl("x509", "-in", desk.certificate, "-noout", "-pubkey") == openssl(
        "pkey", "-in", desk.key, "-pubout"
    )
    shown = desk.run("show").out
    assert "  subject      CN=ss1.example.com\n" in shown
    assert "  names        DNS:ss1.example.com, IP Address:192.0.2.7\n" in shown
    assert "PRIVATE" not in shown


def test_what_is_there_is_replaced_only_when_that_is_said(desk: Desk) -> None:
    desk.told("generate", "--key", "ec", "--days", "30")
    before = desk.key.read_bytes(), desk.certificate.read_bytes()
    ran = desk.run("generate")
    assert (ran.code, "say --replace" in ran.err) == (2, True)
    desk.certificate.unlink()
    assert desk.run("generate").code == 2  # the key alone would be lost as well
    assert desk.key.read_bytes() == before[0]
    assert desk.told("generate", "--key", "ec", "--replace")["key"] == "EC 256"
    assert desk.key.read_bytes() != before[0]


def test_a_ca_certifies_the_key_and_its_certificate_is_shown_from_then_on(desk: Desk) -> None:
    desk.told("generate", "--key", "ec")
    request = desk.folder / "request.der"
    names = ("--name", "ss1.example.com")
    subject = "CN=ss1.example.com,O=Example,C=FI"
    ran = desk.run("csr", "--subject", subject, *names, "--format", "der", "--out", request)
    assert ran.code == 0
    said = openssl("req", "-inform", "DER", "-in", request, "-noout", "-verify", "-text")
    assert "Subject: C = FI, O = Example, CN = ss1.example.com" in said
    assert "DNS:ss1.example.com" in said

    mine, ca = desk.issued()
    told = desk.told("import", put(desk.folder / "chain.pem", [ca, mine]))
    assert told["certificate"]["issuer"] == "CN=ca"
    assert [above["subject"] for above in told["chain"]] == ["CN=ca"]
    assert x509.load_pem_x509_certificates(desk.certificate.read_bytes()) == [mine, ca]
    assert "  above it     CN=ca\n" in desk.run("show").out


def test_what_cannot_be_imported_leaves_what_was_there(desk: Desk) -> None:
    desk.told("generate", "--key", "ec")
    before = desk.certificate.read_bytes()
    stranger = self_signed(new_key("ec"), ["x"], SystemClock().now(), timedelta(days=1))
    (desk.folder / "text").write_text("no certificate")
    for path, code, said in (
        (put(desk.folder / "other.pem", [stranger]), 1, "of another key than the server's"),
        (put(desk.folder / "old.pem", desk.issued(-timedelta(days=1))), 1, "expired on"),
        (desk.folder / "text", 1, "there is no certificate"),
        (desk.folder / "nothing", 2, "Cannot read"),
    ):
        ran = desk.run("import", path)
        assert (ran.code, said in ran.err) == (code, True), ran
    assert desk.certificate.read_bytes() == before


def test_without_files_or_with_bad_ones_the_mend_is_told(desk: Desk) -> None:
    for missing in (("show",), ("csr", "--subject", "CN=x"), ("import", desk.config)):
        ran = desk.run(*missing)
        assert (ran.code, "Cannot read" in ran.err) == (2, True), ran
    desk.told("generate", "--key", "ec")
    for command, code, said in (
        (("csr", "--subject", "ss1"), 1, "'ss1' is no subject"),
        (("csr", "--subject", "CN=x", "--name", "a b"), 1, "no host name"),
        (("csr", "--subject", "CN=x", "--out", desk.folder), 2, "Cannot write"),
        (("generate", "--replace", "--name", "a b"), 1, "no host name"),
        (("generate", "--replace", "--days", "0"), 2, "--days"),
    ):
        ran = desk.run(*command)
        assert (ran.code, said in ran.err) == (code, True), ran
    desk.key.write_text("no key")
    ran = desk.run("show")
    assert (ran.code, "tls.key: there is no private key" in ran.err) == (1, True)
    desk.config.write_text('server = "XG/COM/100/SS1"\n')
    ran = desk.run("show")
    assert (ran.code, 'Add certificate = "tls.crt"' in ran.err) == (2, True)
