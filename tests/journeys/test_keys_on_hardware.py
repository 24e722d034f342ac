"""A signing key that never leaves its token: made there, certified and used, all by commands."""

from __future__ import annotations

from pathlib import Path

import pytest
from pkcs11 import Attribute, CertificateType, ObjectClass
from tests.cli.conftest import openssl
from tests.journeys.test_keys_in_use import Server
from tests.signer.hardware import labelled, opened

from xgate.clock import SystemClock
from xgate.sandbox.background import run_in_background
from xgate.sandbox.country import Country, found_country
from xgate.signer.store import read_store
from xgate.testing.softhsm import SoftHsm
from xgate.trust.certificate import Certificate

PIN = "Secret1234"
TOKEN = b"organisation".hex()


@pytest.fixture
def country(tmp_path: Path, softhsm: SoftHsm) -> Country:
    """One whose consumer has a token, with a PIN and nothing else on it."""
    softhsm.make_token("organisation", PIN, "security officer")
    country = found_country(tmp_path, SystemClock().now(), kind="P-256")
    place = country.consumer
    (place.folder / "devices.ini").write_text(
        f"[softhsm]\nlibrary = {softhsm.library}\ntoken_id_format = {{label}}\n"
    )
    (place.folder / "token-pin").write_text(PIN)
    place.settings.write_text(
        place.settings.read_text().replace("[keys]", '[keys]\ndevices = "devices.ini"')
        + f'\n[keys.pins.{TOKEN}]\npin-file = "token-pin"\n'
    )
    return country


@pytest.mark.parametrize("kind", ["rsa", "ecdsa"])
def test_a_server_that_runs_takes_up_a_key_on_hardware(country: Country, kind: str) -> None:
    with run_in_background(country, SystemClock()) as running:
        server = Server(running)
        server.wait_for(200)
        _, listed, *_ = server.told("list")["tokens"]  # and a slot that is empty
        assert (listed["id"], listed["state"]["available"]) == (TOKEN, True)
        made = server.told("generate", "--token", TOKEN, "--kind", kind, "--label", "on the token")
        request = server.request(made["id"], "--use", "sign", "--field", "C=FI")
        assert "verify OK" in openssl("req", "-in", request, "-noout", "-verify")
        stored = server.told("import", server.certify(request, "nonRepudiation"))
        assert (stored["key"], stored["active"]) == (made["id"], True)
        server.told("delete", "SIGN", "--force")
        server.wait_for(200)
        for _ in range(3):
            assert server.call() == 200, server.said
        entries = read_store(country.consumer.folder / "keys.xgate")
        assert made["id"] not in entries.sealed.keys
        assert [e.token for e in entries.keys] == ["0", TOKEN]
        server.told("delete", made["id"], "--force")
        server.wait_for(500)


def test_an_authentication_key_belongs_on_the_software_token(country: Country) -> None:
    with run_in_background(country, SystemClock()) as running:
        server = Server(running)
        key = server.told("generate", "--token", TOKEN, "--kind", "ecdsa")["id"]
        ran = server.keys("csr", key, "--use", "auth", "--field", "C=FI", "--field", "CN=ss")
        assert (ran.code, "belong on the software token" in ran.err) == (1, True)


def put_beside(softhsm: SoftHsm, key_id: str, der: bytes) -> None:
    """A certificate beside a key of the token, as the tools of its maker put it there."""
    value = {
        Attribute.CLASS: ObjectClass.CERTIFICATE,
        Attribute.CERTIFICATE_TYPE: CertificateType.X_509,
        Attribute.TOKEN: True,
        Attribute.ID: bytes.fromhex(key_id),
        Attribute.SUBJECT: b"0\0",
        Attribute.VALUE: der,
    }
    with opened(softhsm.library, token_id_format="{label}") as module:
        token = labelled(module, "organisation")
        token.login(PIN)
        token._do(lambda: token._as_user(lambda session: session.create_object(value)), "none")


def test_keys_and_certificates_that_a_token_brings_are_found_and_used(
    country: Country, softhsm: SoftHsm
) -> None:
    with opened(softhsm.library) as module:
        token = labelled(module, "organisation")
        token.login(PIN)
        key = token.generate("ecdsa", "made elsewhere").id
    with run_in_background(country, SystemClock()) as running:
        server = Server(running)
        assert key not in [row["id"] for row in server.told("list")["keys"]]
        (row,) = (row for row in server.told("list", "--on-tokens")["keys"] if row["id"] == key)
        assert (row["usage"], row["label"], row["token"]) == (None, "made elsewhere", TOKEN)
        request = server.request(key, "--use", "sign", "--field", "C=FI")
        pem = server.certify(request, "nonRepudiation").read_bytes()
        certificate = Certificate.load(pem)
        put_beside(softhsm, key, certificate.der)
        name = certificate.sha256.hex()
        ran = server.keys("list", "--on-tokens")
        assert "  on its token a certificate that is not imported\n" in ran.out
        assert f"sha256 {name}\n" in ran.out
        for wrong, number in ((name[:5], 1), ("0" * 64, 0)):
            ran = server.keys("import", wrong, "--on-token")
            assert (ran.code, f"{number} certificates on tokens" in ran.err) == (1, True)
        stored = server.told("import", name[:12], "--on-token")
        assert (stored["key"], stored["active"]) == (key, True)
        (row,) = (row for row in server.told("list", "--on-tokens")["keys"] if row["id"] == key)
        assert (len(row["certificates"]), row["on_token"]) == (1, [])
