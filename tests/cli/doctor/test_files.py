"""Settings that mean nothing, and files that others may read or change."""

from __future__ import annotations

import os

import pytest
from tests.cli.doctor.conftest import Patient


def test_settings_that_cannot_be_used_end_with_2(patient: Patient) -> None:
    patient.edit("[peers]", "[pears]")
    ran = patient.examine()
    check, observed, fix = ran.link
    assert (ran.code, check) == (2, "settings")
    assert "unknown key 'pears'; did you mean 'peers'?" in observed
    assert str(patient.settings) in fix
    assert ran.states("keys") == {"skipped"}
    assert ran.states("libraries") == {"ok"}


@pytest.mark.parametrize(
    ("name", "mode", "observed", "fix"),
    [
        ("keys.xgate", 0o604, "mode 0604: other users may read it", "chmod 600"),
        ("pin", 0o666, "mode 0666: other users may change it", "chmod go-w"),
        ("xgate.toml", 0o666, "mode 0666: other users may change it", "chmod go-w"),
    ],
)
def test_a_file_that_is_open_to_others(
    patient: Patient, name: str, mode: int, observed: str, fix: str
) -> None:
    path = patient.folder / name
    path.chmod(mode)
    ran = patient.examine("--only", "files")
    assert ran.link == ("files", observed, f"Run: {fix} {path}")
    assert ran.code == 1


@pytest.mark.parametrize("name", ["pin", "messagelog.sqlite", "opmonitor.sqlite"])
def test_a_secret_that_others_may_read_is_a_warning(patient: Patient, name: str) -> None:
    (patient.folder / name).chmod(0o640)
    ran = patient.examine("--only", "files")
    (found,) = ran.of("files")
    assert (ran.code, found["state"]) == (0, "warning")
    assert found["observed"] == "mode 0640: other users may read it"
    assert found["fix"] == f"Run: chmod 600 {patient.folder / name}"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_files_of_different_users(patient: Patient) -> None:
    os.chown(patient.folder / "pin", 1, 1)
    ran = patient.examine("--only", "files")
    (found,) = ran.of("files")
    assert (ran.code, found["state"]) == (0, "warning")
    assert "keys.xgate of user 0, pin of user 1" in found["observed"]
