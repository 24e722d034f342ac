"""``xgate keys csr``: what a CA asks for, signed by the key, and read by OpenSSL."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.conftest import Town, openssl


@pytest.mark.parametrize("kind", ["rsa", "ecdsa"])
def test_a_request_holds_and_says_what_the_profile_asks_for(town: Town, kind: str) -> None:
    key = town.make_key(kind)
    request = town.request(key, "--use", "sign", "--field", "C=FI")
    said = openssl("req", "-in", request, "-noout", "-verify", "-text", "-nameopt", "RFC2253")
    assert "self-signature verify OK" in said or "verify OK" in said
    owner = town.country.consumer.client
    subject = (
        f"Subject: serialNumber={owner.member_code},C=FI,businessCategory={owner.member_class},O="
    )
    assert subject in said
    assert "Non Repudiation, Certificate Sign" in said
    (entry,) = [k for k in town.told("list")["keys"] if k["id"] == key]
    assert entry["usage"] == "SIGNING"
    (stored,) = entry["requests"]
    assert (stored["member"], stored["profile"]) == (owner.member.short, "Basic")


def test_the_fields_are_shown_before_they_are_filled(town: Town) -> None:
    key = town.make_key()
    fields = town.told("csr", key, "--use", "auth", "--fields")["fields"]
    assert [(f["name"], f["fixed"]) for f in fields] == [
        ("CN", False),
        ("serialNumber", True),
        ("C", False),
        ("O", True),
    ]
    shown = town.keys("csr", key, "--use", "auth", "--fields")
    assert "  CN           (to be given)" in shown.out.splitlines()
    assert town.told("list")["keys"][-1]["usage"] is None  # nothing is decided by looking


def test_the_same_request_is_there_once_and_is_signed_anew(town: Town) -> None:
    key = town.make_key()
    options = ("--use", "auth", "--field", "CN=ss1.example.com", "--field", "C=FI")
    request = town.request(key, *options)
    first = request.read_bytes()
    town.request(key, *options)
    (stored,) = town.told("list")["keys"][-1]["requests"]
    again = town.folder / "again.der"
    ran = town.keys("csr", stored["id"][:8], "--format", "der", "--out", again)
    assert ran.code == 0
    said = openssl("req", "-inform", "DER", "-in", again, "-noout", "-verify", "-text")
    assert "CN = ss1.example.com" in said
    assert "Digital Signature, Key Encipherment, Data Encipherment" in said
    assert first.startswith(b"-----BEGIN CERTIFICATE REQUEST-----\n")
    told = town.told("csr", stored["id"], "--out", again)
    assert (told["key"], told["request"]["id"]) == (key, stored["id"])


def test_what_cannot_be_asked_for(town: Town, tmp_path: Path) -> None:
    key = town.make_key()
    for options, code, said in (
        ((), 2, "--use sign or --use auth"),
        (("--use", "auth"), 1, "The field 'CN' needs a value"),
        (("--use", "auth", "--field", "CN"), 2, "must be NAME=VALUE"),
        (("--use", "auth", "--member", "XG/COM/1"), 2, "--member goes with --use sign"),
        (("--use", "sign", "--member", "nobody"), 2, "is not INSTANCE/CLASS/CODE"),
        (("--use", "sign", "--ca", "No CA"), 2, "the global configuration approves: 'Sandbox CA'"),
        (("--use", "sign", "--field", "C=FI", "--field", "O=x"), 1, "cannot be another"),
        (("--use", "sign", "--field", "X=1"), 1, "There is no field 'X'"),
        (("--use", "sign", "--json"), 2, "--json needs --out"),
        (("--use", "sign", "--field", "C=FI", "--out", tmp_path), 2, "Cannot write"),
    ):
        ran = town.keys("csr", key, *options)
        assert (ran.code, said in ran.err) == (code, True), ran
    ran = town.keys("csr", "nothing", "--use", "sign")
    assert ran.code == 1
    assert "There is no key 'nothing'" in ran.err


def test_a_signing_key_is_asked_for_nothing_else(town: Town) -> None:
    ran = town.keys("csr", "SIGN", "--use", "auth", "--field", "CN=a", "--field", "C=FI")
    assert ran.code == 1
    assert "is for SIGNING, so not for AUTHENTICATION" in ran.err


def test_a_request_needs_the_servers_settings(town: Town, xgate: object) -> None:
    ran = xgate("keys", "csr", "SIGN", "--store", town.store)  # type: ignore[operator]  # it runs
    assert ran.code == 2
    assert "This needs --config" in ran.err


def test_a_weak_pin_source_is_told(town: Town) -> None:
    (town.folder / "pin").write_text("Geheim999")
    ran = town.keys("csr", "SIGN", "--use", "sign", "--field", "C=FI")
    assert ran.code == 1
    assert ran.err.startswith("xgate: pin_incorrect")
    assert "Geheim999" not in ran.err
    assert json.dumps(town.told("list"))  # and it still lists
