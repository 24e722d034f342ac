"""The place where bodies wait."""

from __future__ import annotations

from pathlib import Path

from tests.cli.doctor.conftest import Patient


def spool(patient: Patient, *lines: str) -> None:
    patient.add("\n[spool]\n" + "".join(f"{line}\n" for line in lines))


def test_a_folder_that_is_there_is_used_as_the_server_would(patient: Patient) -> None:
    (patient.folder / "spool").mkdir(mode=0o700)
    spool(patient, 'directory = "spool"')
    ran = patient.examine("--only", "spool")
    (found,) = ran.of("spool")
    assert (ran.code, found["state"]) == (0, "ok")
    assert found["observed"].startswith(f"{patient.folder / 'spool'}: ")
    assert found["observed"].endswith(" MB free")
    assert list((patient.folder / "spool").iterdir()) == []


def test_the_systems_own_place_is_looked_at_where_no_folder_is_named(patient: Patient) -> None:
    assert patient.examine("--only", "spool").states("spool") == {"ok"}


def test_a_folder_that_is_not_there_yet_is_the_servers_to_make(patient: Patient) -> None:
    spool(patient, 'directory = "run/spool"')
    (found,) = patient.examine("--only", "spool").of("spool")
    assert found["state"] == "ok"
    assert found["observed"].endswith("MB free; the server makes it when it starts")
    assert not (patient.folder / "run").exists()


def test_a_file_in_the_folders_place(patient: Patient) -> None:
    spool(patient, 'directory = "pin"')
    check, observed, fix = patient.examine("--only", "spool").link
    assert check == "spool"
    where = patient.folder / "pin"
    assert observed == f"{where}: no file can be made in {where}: Not a directory"
    assert fix == "Name a folder in [spool] directory."


def test_a_folder_that_takes_no_files(patient: Patient) -> None:
    spool(patient, 'directory = "/proc/1"')
    check, observed, fix = patient.examine("--only", "spool").link
    assert check == "spool"
    assert observed.startswith("/proc/1: no file can be made in /proc/1: ")
    assert "chown of /proc/1" in fix


def test_a_disk_that_has_no_more_than_must_stay_free(patient: Patient, small_disk: Path) -> None:
    spool(patient, f'directory = "{small_disk}"')
    ran = patient.examine("--only", "spool")
    check, observed, fix = ran.link
    assert check == "spool"
    refused = "bodies that do not fit into memory are refused"
    assert observed == f"{small_disk}: 1 MB free: {refused}"
    assert ran.report["first_broken"]["expected"] == f"[spool] free-bytes = {256 << 20} at least"
    assert fix.startswith("Make room on this disk")


def test_more_is_promised_than_there_is(patient: Patient, small_disk: Path) -> None:
    limits = "free-bytes = 0", "most-bytes = 5_000_000", "message-bytes = 4_000_000"
    spool(patient, f'directory = "{small_disk}"', *limits)
    ran = patient.examine("--only", "spool")
    (found,) = ran.of("spool")
    assert (ran.code, found["state"]) == (0, "warning")
    assert found["observed"] == f"{small_disk}: 1 MB free, and bodies are promised 5 MB"
    assert found["fix"].endswith("or lower [spool] most-bytes.")


def test_one_message_is_promised_more_than_all_together(patient: Patient) -> None:
    spool(patient, "free-bytes = 0", "most-bytes = 4_000", "message-bytes = 5_000")
    ran = patient.examine("--only", "spool")
    (found,) = ran.of("spool")
    assert (ran.code, found["state"]) == (0, "warning")
    assert found["observed"] == (
        "[spool] message-bytes = 5000, and all bodies together may take 4000"
    )
