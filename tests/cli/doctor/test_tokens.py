"""Keys that do not open, tokens that say no, and a signer's process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import load_der_public_key
from tests.cli.doctor.conftest import Patient

from xgate.cli.doctor.tokens import judge_token
from xgate.signer.store import KeyEntry, StoredCertificate, read_store, write_store
from xgate.signer.token import TokenState, TokenStatus
from xgate.testing.pki import issue_sign, make_key
from xgate.testing.softhsm import SoftHsm


def test_a_wrong_pin(patient: Patient) -> None:
    (patient.folder / "pin").write_text("Secret 1234\n")
    ran = patient.examine()
    check, observed, fix = ran.link
    assert (check, observed) == ("keys", "The PIN of the key store is not correct")
    assert fix == "Put the right PIN where [keys] says."
    assert ran.of("registration")[0]["because"] == "keys"
    assert "1234" not in ran.out


def test_no_pin_where_it_should_be(patient: Patient) -> None:
    (patient.folder / "pin").unlink()
    check, observed, _ = patient.examine("--only", "keys").link
    assert check == "keys"
    assert observed.startswith("Cannot read the PIN file ")


def test_no_pin_at_all(patient: Patient) -> None:
    patient.edit('pin-file = "pin"', "")
    check, observed, fix = patient.examine("--only", "keys").link
    assert (check, observed) == ("keys", "no PIN of the software token is set")
    assert fix == "Set pin-file, pin-env or pin-command in [keys]."


def test_two_sources_of_one_pin(patient: Patient) -> None:
    patient.edit('pin-file = "pin"', 'pin-file = "pin"\npin-env = "PIN"')
    check, observed, fix = patient.examine("--only", "keys").link
    assert check == "keys"
    assert "more than one of pin-file, pin-env and pin-command" in observed
    assert fix.startswith("Correct [keys]")


def test_no_key_store(patient: Patient) -> None:
    (patient.folder / "keys.xgate").unlink()
    check, observed, fix = patient.examine("--only", "keys").link
    assert check == "keys"
    assert f"There is no key store at {patient.folder / 'keys.xgate'}" in observed
    assert fix.startswith("Run: xgate keys import")


def test_an_empty_key_store(patient: Patient) -> None:
    write_store(patient.folder / "keys.xgate", patient.pin, [])
    ran = patient.examine("--only", "keys")
    assert [f["observed"].split(" with")[0] for f in ran.of("keys")] == [
        "there is no usable key for signing",
        "there is no usable key for authentication",
    ]


def test_a_certificate_of_another_key_is_named(patient: Patient) -> None:
    place = patient.place
    member = place.client.member.short
    signing = KeyEntry(
        "SIGN", "sign", "SIGNING", (StoredCertificate(place.sign.certificate.der, member),)
    )
    auth = KeyEntry(
        "AUTH", "auth", "AUTHENTICATION", (StoredCertificate(place.auth.certificate.der),)
    )
    write_store(
        patient.folder / "keys.xgate",
        patient.pin,
        [(signing, make_key("of somebody else")), (auth, place.auth.key)],
    )
    ran = patient.examine("--only", "keys")
    assert ran.link[1].startswith("there is no usable key for signing")
    assert "is another key's" in ran.of("keys")[1]["observed"]


def test_certificates_that_are_not_in_use_yet_are_named(patient: Patient) -> None:
    place = patient.place
    stored = StoredCertificate(
        place.auth.certificate.der, active=False, status="registration in progress"
    )
    entry = KeyEntry("AUTH", "auth", "AUTHENTICATION", (stored,))
    write_store(patient.folder / "keys.xgate", patient.pin, [(entry, place.auth.key)])
    found = patient.examine("--only", "keys").of("keys")[-1]
    assert found["observed"] == (
        "there is no usable key for authentication with an active, registered certificate "
        "(there are: registration in progress, not active)"
    )


@pytest.fixture
def signer(patient: Patient) -> Iterator[subprocess.Popen[bytes]]:
    """The patient's keys are in a process of their own."""
    patient.edit("[keys]", '[keys]\nsigner = "signer.sock"')
    command = [sys.executable, "-m", "xgate", "signer", "--config", str(patient.settings)]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        assert b'"event":"signing"' in process.stderr.readline()
        yield process
        process.terminate()
        assert process.wait(30) == 0


def test_keys_in_a_signer_are_used_where_they_are(
    patient: Patient, signer: subprocess.Popen[bytes]
) -> None:
    (patient.folder / "pin").unlink()  # whoever asks the signer needs none
    ran = patient.examine_apart()
    assert (ran.code, ran.report["first_broken"]) == (0, None), ran.report["verdict"]
    (found,) = ran.of("keys")
    assert found["observed"] == (
        f"1 for signing, 1 for authentication in the signer at {patient.folder}/signer.sock; "
        "all sign"
    )
    assert ran.states("peers") == {"ok"}  # by a handshake that the signer signed


def test_a_signer_that_does_not_run(patient: Patient) -> None:
    patient.edit("[keys]", '[keys]\nsigner = "signer.sock"')
    check, observed, fix = patient.examine_apart().link
    assert check == "keys"
    assert observed.startswith(f"No signer answers at {patient.folder}/signer.sock: No such file")
    assert fix.startswith(f"Run: xgate signer --config {patient.settings}; if it runs")


def test_a_signer_into_whose_token_nobody_has_logged_in(patient: Patient) -> None:
    patient.edit("[keys]", '[keys]\nsigner = "signer.sock"')
    patient.edit('pin-file = "pin"', "")
    command = [sys.executable, "-m", "xgate", "signer", "--config", str(patient.settings)]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        assert b'"event":"signing"' in process.stderr.readline()
        try:
            ran = patient.examine_apart("--only", "keys")
        finally:
            process.terminate()
    assert ran.link[1].startswith("there is no usable key for signing")
    closed = [f for f in ran.of("keys") if f["state"] == "warning"]
    assert [(f["about"], f["fix"]) for f in closed] == [
        ("token 0 (softToken-0)", f"Run: xgate keys login 0 --config {patient.settings}")
    ]


@pytest.mark.parametrize(
    ("status", "active", "available", "said"),
    [
        ("ok", True, True, None),
        ("ok", False, True, None),
        ("pin-count-low", True, True, None),  # somebody else knew the PIN
        ("pin-count-low", False, True, "its state is pin-count-low, so no PIN is tried here"),
        ("pin-final-try", False, True, "its state is pin-final-try, so no PIN is tried here"),
        ("pin-locked", True, True, "its state is pin-locked, so no PIN is tried here"),
        ("not-initialized", False, True, "it has not been initialized"),
        ("ok", False, False, "it is not there"),
    ],
)
def test_no_pin_is_tried_on_a_token_that_has_refused_one(
    status: TokenStatus, active: bool, available: bool, said: str | None
) -> None:
    found = judge_token("7", TokenState("HSM-1", "hsm", status, available, active))
    assert (found is None) == (said is None)
    if found is not None and said is not None:
        assert found.observed.startswith(said)
        assert (found.state, found.about) == ("broken", "token 7 (HSM-1)")
    unneeded = judge_token("7", TokenState("HSM-1", "hsm", status, available, active), needed=False)
    assert unneeded is None or unneeded.state == "warning"


HSM_PIN, SO_PIN = "Hsm Pin 123", "So Pin 1234"


class PublicOnly:
    """What a CA sees of a key that lies on a token."""

    def __init__(self, public: Any) -> None:
        self._public = public

    def public_key(self) -> Any:
        return self._public


@pytest.fixture
def hardware(patient: Patient, softhsm: SoftHsm) -> str:
    """The signing key lies on a token, certified and in use; the token's id."""
    softhsm.make_token("alpha", HSM_PIN, SO_PIN)
    devices = patient.folder / "devices.ini"
    devices.write_text(f"[softhsm]\nlibrary = {softhsm.library}\ntoken_id_format = {{label}}\n")
    token = b"alpha".hex()
    patient.edit("[keys]", f'[keys]\ndevices = "devices.ini"\npins.{token}.pin-file = "hsm.pin"')
    pin = patient.folder / "hsm.pin"
    pin.touch(0o600)
    pin.write_text(HSM_PIN)

    def keys(*arguments: str) -> str:
        command = [sys.executable, "-m", "xgate", "keys", *arguments]
        done = subprocess.run(
            [*command, "--config", str(patient.settings)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    key_id = keys("generate", "--kind", "ecdsa", "--token", token, "--label", "sign").strip()
    entry = next(e for e in read_store(patient.folder / "keys.xgate").keys if e.id == key_id)
    public = PublicOnly(load_der_public_key(entry.public_key))
    certified = issue_sign(patient.country.ca, patient.place.client, key=public)  # type: ignore[arg-type]
    file = patient.folder / "hsm.der"
    file.write_bytes(certified.certificate.der)
    keys("import", str(file), "--member", patient.place.client.member.short)
    return token


def test_a_key_on_a_token_signs(patient: Patient, hardware: str) -> None:
    ran = patient.examine_apart("--only", "keys")
    (found,) = ran.of("keys")
    assert found["observed"].startswith("2 for signing, 1 for authentication in ")


def test_a_wrong_pin_is_tried_once_and_never_again(patient: Patient, hardware: str) -> None:
    (patient.folder / "hsm.pin").write_text("Wrong 1234")
    first = patient.examine_apart("--only", "keys")
    assert "PIN" in first.link[1]
    assert first.report["first_broken"]["about"].startswith(f"token {hardware} (")
    assert f"[keys.pins.{hardware}]" in first.link[2]
    for _ in range(3):
        again = patient.examine_apart("--only", "keys")
        assert again.link[1] == (
            "its state is pin-count-low, so no PIN is tried here: it could be locked by that"
        )
    (patient.folder / "hsm.pin").write_text(HSM_PIN)
    assert "1234" not in first.out


def test_a_token_whose_pin_is_not_set(patient: Patient, hardware: str) -> None:
    patient.edit(f'pins.{hardware}.pin-file = "hsm.pin"', "")
    ran = patient.examine_apart("--only", "keys")
    assert ran.link[1:] == (
        "no PIN of it is set",
        f"Set pin-file, pin-env or pin-command in [keys.pins.{hardware}].",
    )


def test_a_token_that_is_gone(patient: Patient, hardware: str, softhsm: SoftHsm) -> None:
    softhsm.delete_token("alpha")
    ran = patient.examine_apart("--only", "keys")
    assert ran.link[1] == "it holds keys that are in use, and is not there"
    assert ran.report["first_broken"]["about"] == f"token {hardware}"


def test_a_module_that_is_not_there(patient: Patient, hardware: str) -> None:
    devices = patient.folder / "devices.ini"
    devices.write_text("[softhsm]\nlibrary = /nowhere/module.so\ntoken_id_format = {label}\n")
    ran = patient.examine_apart("--only", "keys")
    assert ran.code == 1
    assert any("/nowhere/module.so" in found["observed"] for found in ran.of("keys"))
