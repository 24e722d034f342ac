"""Keys that do not open, tokens that say no, and a signer's process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
from tests.cli.doctor.conftest import Patient

from xgate.cli.doctor.tokens import judge_token
from xgate.signer.store import KeyEntry, StoredCertificate, write_store
from xgate.signer.token import TokenState, TokenStatus
from xgate.testing.pki import make_key


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
        ("token 0 (softToken-0)", "Run: xgate keys login")
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
