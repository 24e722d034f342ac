"""Limits of the process, and the libraries below it."""

from __future__ import annotations

import resource

from tests.cli.doctor.conftest import Patient


def test_more_connections_than_files(patient: Patient) -> None:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    patient.add(f"\n[limits]\nconnections = {soft}\n")
    ran = patient.examine("--only", "limits")
    assert ran.code == 0
    found = ran.of("limits")[0]
    assert found["state"] == "warning"
    assert found["observed"] == f"{soft} open files, and [limits] connections = {soft}"
    assert f"LimitNOFILE={2 * soft + 200}" in found["fix"]


def test_the_libraries_are_named(patient: Patient) -> None:
    (found,) = patient.examine("--only", "libraries").of("libraries")
    assert found["state"] == "ok"
    assert found["observed"].startswith("native core works; OpenSSL ")
    assert found["observed"].count("OpenSSL") == 2
