"""``xgate keys import FILE|activate|disable``: from a request to a certificate in use."""

from __future__ import annotations

from typing import Any

import pytest
from tests.cli.conftest import Town

from xgate.clock import SystemClock
from xgate.testing.pki import make_ca
from xgate.trust.certificate import Certificate

SIGN = ("--use", "sign", "--field", "C=FI")
AUTH = ("--use", "auth", "--field", "C=FI", "--field", "CN=ss1.example.com")


def row(town: Town, key: str) -> Any:
    (found,) = [k for k in town.told("list")["keys"] if k["id"] == key]
    return found


def serial_of(path: Any) -> int:
    return Certificate.load(path.read_bytes()).serial


def test_a_signing_certificate_comes_in_and_is_used_at_once(town: Town) -> None:
    key = town.make_key()
    request = town.request(key, *SIGN)
    assert len(row(town, key)["requests"]) == 1
    made = town.told("import", town.certify(request, "nonRepudiation"))
    member = town.country.consumer.client.member.short
    assert (made["member"], made["status"], made["active"]) == (member, "registered", True)
    entry = row(town, key)
    assert entry["requests"] == []
    (certificate,) = entry["certificates"]
    assert certificate["id"] == certificate["certificate"]["sha256"] == made["id"]
    for command, active in (("disable", False), ("activate", True)):
        town.told(command, made["id"][:12])
        assert row(town, key)["certificates"][0]["active"] is active


def test_for_a_subsystem_of_the_member(town: Town) -> None:
    request = town.request(town.make_key(), *SIGN)
    made = town.certify(request, "nonRepudiation")
    client = town.country.consumer.client
    assert town.told("import", made, "--member", client.short)["member"] == client.short


def test_an_authentication_certificate_is_saved_until_the_world_knows_it(town: Town) -> None:
    key = town.make_key("rsa")
    made = town.certify(town.request(key, *AUTH), "digitalSignature,keyEncipherment")
    stored = town.told("import", made)
    assert (stored["member"], stored["status"], stored["active"]) == (None, "saved", False)
    assert town.told("activate", stored["id"])["status"] == "saved"
    own = row(town, "AUTH")["certificates"][0]
    assert (own["status"], own["active"]) == ("registered", True)  # the configuration lists it


def test_what_the_responder_says_against_it_is_kept_and_shown(town: Town) -> None:
    key = town.make_key()
    made = town.certify(town.request(key, *SIGN), "nonRepudiation")
    town.running.authority.revoked[serial_of(made)] = SystemClock().now()
    ran = town.keys("import", made)
    assert ran.code == 1
    assert "registered, not active" in ran.out
    assert "REVOKED" in ran.out
    (certificate,) = row(town, key)["certificates"]
    assert not certificate["active"]
    assert "REVOKED" in certificate["problem"]
    ran = town.keys("activate", certificate["id"])
    assert ran.code == 1
    assert ran.err.startswith("xgate: internal_error: The certificate is not good now: ")
    town.running.authority.revoked.clear()
    assert town.told("activate", certificate["id"])["active"]
    assert row(town, key)["certificates"][0]["problem"] is None


def test_a_responder_that_is_away_leaves_it_inactive(town: Town) -> None:
    made = town.certify(town.request(town.make_key(), *SIGN), "nonRepudiation")
    town.running.authority.away.add("ocsp")
    ran = town.keys("import", made)
    assert ran.code == 1
    assert "no OCSP response for certificate" in ran.out


def test_what_is_not_taken(town: Town) -> None:
    key = town.make_key()
    request = town.request(key, *SIGN)
    good = town.certify(request, "nonRepudiation").read_bytes()
    paths = {}
    for name, usage, ca in (
        ("both", "nonRepudiation,digitalSignature", None),
        ("neither", "cRLSign", None),
        ("auth", "digitalSignature", None),
        ("stranger", "nonRepudiation", make_ca("Another CA")),
        ("impostor", "nonRepudiation", make_ca("Sandbox CA")),
    ):
        paths[name] = town.folder / f"{name}.crt"
        paths[name].write_bytes(town.certify(request, usage, ca).read_bytes())
    paths["text"] = town.folder / "text.crt"
    paths["text"].write_text("no certificate")
    paths["other key"] = town.folder / "other.crt"
    paths["other key"].write_bytes(town.country.provider.sign.certificate.der)
    for name, said in (
        ("both", "wrong_cert_usage: The certificate is for signing and for authentication"),
        ("neither", "incorrect_certificate: The certificate is neither"),
        ("auth", "wrong_cert_usage: The certificate is for AUTHENTICATION, and key"),
        ("stranger", "cert_import_failed: Certificate is not issued by approved"),
        ("impostor", "cert_import_failed: "),
        ("text", "incorrect_certificate: Cannot read the certificate"),
        ("other key", "key_not_found: No token holds the key"),
    ):
        ran = town.keys("import", paths[name])
        assert (ran.code, said in ran.err) == (1, True), (name, ran)
        assert len(row(town, key)["requests"]) == 1
    made = town.folder / "good.crt"
    made.write_bytes(good)
    ran = town.keys("import", made, "--member", "XG/COM/999")
    assert (ran.code, "not for 'XG/COM/999'" in ran.err) == (1, True), ran
    town.told("import", made)
    ran = town.keys("import", made)
    assert (ran.code, "cert_exists" in ran.err) == (1, True)


def test_what_does_not_go_together(town: Town) -> None:
    made = town.folder / "x.crt"
    made.write_text("x")
    for options, said in (
        ((made, "--replace"), "--replace goes with a folder"),
        ((town.folder, "--member", "XG/COM/1"), "--member goes with a certificate"),
        ((town.folder / "none",), "is not a folder, nor a certificate file"),
    ):
        ran = town.keys("import", *options)
        assert (ran.code, said in ran.err) == (2, True)


@pytest.mark.parametrize("command", ["activate", "disable"])
def test_a_certificate_that_is_not_there(town: Town, command: str) -> None:
    ran = town.keys(command, "abcdefgh")
    assert ran.code == 1
    assert "cert_not_found: There is no certificate 'abcdefgh'; xgate keys list shows" in ran.err
