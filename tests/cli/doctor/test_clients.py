"""A server's own configuration, in its settings and in a store."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli.doctor.conftest import Patient

from xgate.testing.postgres import Cluster

CLIENT = '[[client]]\nid = "XG/COM/100/portal"\nauthentication = "NOSSL"\n'


def keep_in_store(patient: Patient, section: str) -> None:
    """Take the clients out of the settings, and name a store."""
    text = patient.settings.read_text()
    patient.settings.write_text(text.partition("[[client]]")[0] + f"\n[serverconf]\n{section}\n")


def apply(patient: Patient) -> None:
    file = patient.folder / "clients.toml"
    file.write_text(CLIENT)
    command = [sys.executable, "-m", "xgate", "apply", str(file), "--config"]
    subprocess.run([*command, str(patient.settings)], check=True, capture_output=True)


def test_a_client_that_means_nothing(patient: Patient) -> None:
    patient.add('\n[[client]]\nid = "nobody"\n')
    ran = patient.examine()
    assert ran.link == (
        "clients",
        "'nobody' is not INSTANCE/CLASS/MEMBER or .../SUBSYSTEM",
        f"Correct [[client]] in {patient.settings}.",
    )
    assert ran.of("registration")[0]["because"] == "clients"


def test_clients_beside_a_store(patient: Patient) -> None:
    patient.add('\n[serverconf]\nuse = "sqlite"\n')
    check, observed, _ = patient.examine("--only", "clients").link
    assert check == "clients"
    assert observed.startswith("[[client]] stands in the settings, and [serverconf] use")


def test_a_store_in_which_they_are(patient: Patient) -> None:
    keep_in_store(patient, 'use = "sqlite"')
    apply(patient)
    ran = patient.examine()
    assert (ran.code, ran.of("clients")[0]["observed"]) == (0, "1 clients, 0 services")


def test_a_store_that_is_not_there_yet(patient: Patient) -> None:
    keep_in_store(patient, 'use = "sqlite"')
    ran = patient.examine("--only", "clients")
    (found,) = ran.of("clients")
    assert (ran.code, found["state"]) == (0, "warning")
    assert found["observed"] == "there are no clients, so this server serves nobody"
    assert found["fix"].startswith("Put [[client]] tables into a file, and run: xgate apply")
    assert not (patient.folder / "serverconf.sqlite").exists()


def test_a_store_that_is_another_programs(patient: Patient, tmp_path: Path) -> None:
    keep_in_store(patient, 'use = "sqlite"')
    (patient.folder / "serverconf.sqlite").write_bytes(b"no database of ours")
    check, observed, fix = patient.examine("--only", "clients").link
    assert check == "clients"
    assert observed.startswith("database_error: ")
    assert fix.startswith("Check that the database of [serverconf] runs")


def test_a_database_that_is_gone(patient: Patient) -> None:
    keep_in_store(patient, 'use = "postgres"\nconninfo = "host=/nowhere"')
    check, observed, _ = patient.examine("--only", "clients").link
    assert check == "clients"
    assert observed.startswith("database_error: ")
    assert "/nowhere" in observed


@pytest.mark.parametrize("applied", [False, True])
def test_a_database(patient: Patient, postgres: Cluster, applied: bool) -> None:
    keep_in_store(patient, f'use = "postgres"\nconninfo = "{postgres.make_database()}"')
    if applied:
        apply(patient)
    for _ in range(2):  # nothing was made by the first
        (found,) = patient.examine("--only", "clients").of("clients")
        assert found["state"] == ("ok" if applied else "warning")
