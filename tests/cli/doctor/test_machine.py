"""Limits of the process, and the libraries below it."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest
from tests.cli.doctor.conftest import Patient

from xgate._native import provider
from xgate.cli.doctor.machine import may_be_swapped


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


def test_a_provider_that_was_not_built(
    patient: Patient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    patient.edit("[keys]", '[keys]\nsigner = "signer.sock"')
    monkeypatch.setattr(provider, "_FOLDER", tmp_path)
    check, observed, fix = patient.examine("--only", "settings", "--only", "libraries").link
    assert check == "libraries"
    assert f"no OpenSSL provider in {tmp_path}" in observed
    assert fix == "Install xgate anew: pip install --force-reinstall xgate."


@pytest.mark.parametrize(
    ("user", "lockable", "lines", "swapped"),
    [
        (1000, 8 << 20, 2, True),
        (1000, 8 << 20, 1, False),
        (1000, resource.RLIM_INFINITY, 2, False),
        (0, 8 << 20, 2, False),
    ],
)
def test_keys_that_may_be_swapped(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    user: int,
    lockable: int,
    lines: int,
    swapped: bool,
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: user)
    swaps = tmp_path / "swaps"
    assert may_be_swapped(lockable, swaps) is False
    swaps.write_text("Filename Type Size Used Priority\n/dev/sda2 partition 1 0 -2\n"[: 33 * lines])
    assert may_be_swapped(lockable, swaps) is swapped
