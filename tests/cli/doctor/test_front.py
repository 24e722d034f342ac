"""The certificate that information systems see."""

from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509 import load_der_x509_certificate
from tests.cli.doctor.conftest import Patient

from xgate.clock import SystemClock
from xgate.testing.pki import Credential, issue_auth, make_key


def put(patient: Patient, credential: Credential) -> None:
    """Name the certificate in the settings."""
    certificate = load_der_x509_certificate(credential.certificate.der)
    (patient.folder / "is.crt").write_bytes(certificate.public_bytes(Encoding.PEM))
    key = patient.folder / "is.key"
    key.write_bytes(credential.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    key.chmod(0o600)
    patient.add('\n[tls]\ncertificate = "is.crt"\nkey = "is.key"\n')


def test_none_is_named(patient: Patient) -> None:
    assert patient.examine("--only", "tls").states("tls") == {"skipped"}


def test_one_that_is_well(patient: Patient) -> None:
    put(patient, issue_auth(patient.country.ca, "is"))
    (found,) = patient.examine("--only", "tls").of("tls")
    assert (found["state"], found["observed"]) == ("ok", "valid until 2045-01-01 00:00:00 UTC")


@pytest.mark.parametrize(
    ("days", "said"), [(-1, "it expired on "), (10, "it is valid for 10 days more")]
)
def test_one_that_ends_is_a_warning(patient: Patient, days: int, said: str) -> None:
    end = SystemClock().now() + timedelta(days=days, hours=1)
    put(patient, issue_auth(patient.country.ca, "is", not_after=end))
    ran = patient.examine("--only", "tls")
    (found,) = ran.of("tls")
    assert (ran.code, found["state"]) == (0, "warning")
    assert found["observed"].startswith(said)


def test_a_key_that_belongs_to_another(patient: Patient) -> None:
    good = issue_auth(patient.country.ca, "is")
    put(patient, Credential(good.certificate, make_key("another")))
    check, observed, fix = patient.examine("--only", "tls").link
    assert check == "tls"
    assert observed.startswith("[tls] cannot be used: ")
    assert fix == "Name PEM files that belong together in [tls]; xgate tls generate makes such."


def test_a_file_that_is_not_there(patient: Patient) -> None:
    patient.add('\n[tls]\ncertificate = "is.crt"\nkey = "is.key"\n')
    check, observed, _ = patient.examine("--only", "tls").link
    assert check == "tls"
    assert "is.crt: No such file or directory" in observed


def test_clients_that_nobody_verifies_are_a_warning(patient: Patient) -> None:
    patient.add("\n[tls]\nverify-clients = false\n")
    ran = patient.examine("--only", "tls")
    assert ran.code == 0
    assert [f["state"] for f in ran.of("tls")] == ["warning", "skipped"]
    assert ran.of("tls")[0]["fix"].startswith("Set it to true")
