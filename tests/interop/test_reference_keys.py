"""The keys and certificates that the reference's own tests use open and read here as well."""

from __future__ import annotations

import re
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, pkcs12

from xgate.errors import Fault
from xgate.trust.certificate import Certificate
from xgate.trust.path import build_path

pytestmark = pytest.mark.reference

TODAY = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "since", "until"),
    [
        ("root-ca", "2014-09-29", "2024-09-26"),
        ("consumer", "2014-10-02", "2024-09-29"),
        ("producer", "2014-10-02", "2024-09-29"),
        ("consumer-2", "2019-03-06", "2035-03-04"),
        ("client", "2020-04-24", "2030-04-22"),
        ("internal", "2018-04-06", "2028-04-03"),
        ("ocspsigner", "2014-09-29", "2024-09-26"),
        ("expiredClient", "1999-12-31", "2009-12-28"),
    ],
)
def test_key_stores_open_with_their_password(
    golden: Path, name: str, since: str, until: str
) -> None:
    octets = (golden / "keys" / f"{name}.p12").read_bytes()
    opened = pkcs12.load_pkcs12(octets, b"test")
    assert opened.key is not None
    assert opened.cert is not None
    certificate = Certificate.load(opened.cert.certificate.public_bytes(Encoding.DER))
    assert f"{certificate.not_before:%Y-%m-%d}" == since
    assert f"{certificate.not_after:%Y-%m-%d}" == until
    assert certificate.valid_at(TODAY) is (until > "2026-11-23")
    assert certificate.spki == opened.key.public_key().public_bytes(
        Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    )


@pytest.mark.parametrize("name", ["consumer.pem", "producer.pem", "root-ca.pem", "client.pem"])
def test_certificates_are_read_in_every_form(golden: Path, name: str) -> None:
    assert Certificate.load((golden / "keys" / name).read_bytes()).subject.rdns


def chain_in(golden: Path, *names: str) -> list[Certificate]:
    """The certificates of these files, in their order."""
    text = b"".join((golden / "tls" / name).read_bytes() for name in names)
    pattern = rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----"
    return [Certificate.load(found) for found in re.findall(pattern, text, re.DOTALL)]


def test_a_chain_for_information_systems_holds_and_two_strangers_do_not(golden: Path) -> None:
    leaf, issuer = chain_in(golden, "validchain.crt")
    at = max(leaf.not_before, issuer.not_before)
    assert build_path(leaf, (), (issuer,), at) == (leaf, issuer)
    first, second = chain_in(golden, "invalidchain.crt")
    with pytest.raises(Fault, match="no issuer of"):
        build_path(first, (), (second,), first.not_before)


def test_the_present_certificate_has_the_key_beside_it(golden: Path) -> None:
    opened = pkcs12.load_pkcs12((golden / "tls" / "internal.p12").read_bytes(), b"test")
    (certificate,) = chain_in(golden, "internal.crt")[:1]
    assert opened.key is not None
    assert certificate.spki == opened.key.public_key().public_bytes(
        Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    )


def test_a_configuration_sources_own_certificate_is_signed_by_its_signing_key(golden: Path) -> None:
    (leaf,) = chain_in(golden, "globalconf-tls/signed-internal-conf.crt")[:1]
    (issuer,) = chain_in(golden, "globalconf-tls/internal-signing.crt")[:1]
    assert build_path(leaf, (), (issuer,), TODAY)[-1] == issuer
    for certificate in (leaf, issuer):
        assert (certificate.not_before.year, certificate.not_after.year) == (1970, 2038)


def test_an_exported_certificate_is_there_in_both_forms(golden: Path) -> None:
    with tarfile.open(golden / "tls" / "exported-example-certs.tar.gz") as archive:
        files = {
            member.name: archive.extractfile(member).read()  # type: ignore[union-attr]  # files
            for member in archive.getmembers()
            if member.isfile()
        }
    assert set(files) == {"./cert.pem", "./cert.cer"}
    assert Certificate.load(files["./cert.pem"]) == Certificate.load(files["./cert.cer"])
