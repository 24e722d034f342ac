"""``xgate verify``: every file gets its verdict, for people and for scripts."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]
Batch = Callable[..., bytes]


@pytest.fixture
def folder(tmp_path: Path, plain: bytes, batch: Batch) -> Path:
    """Two valid containers, a damaged one further down, and what is none."""
    (tmp_path / "inner").mkdir()
    (tmp_path / "a.asice").write_bytes(plain)
    (tmp_path / "b.asice").write_bytes(batch())
    (tmp_path / "inner" / "c.asice").write_bytes(plain[:-30])
    (tmp_path / "notes.txt").write_text("no container")
    return tmp_path


def test_a_valid_container_tells_who_and_when(
    xgate: Run, folder: Path, configuration: Path
) -> None:
    ran = xgate("verify", folder / "a.asice", "--globalconf", configuration)
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert lines[0] == f"valid  {folder / 'a.asice'}"
    assert "  signed by    XG/COM/777" in lines
    assert "  signature    of this message alone" in lines
    assert any(line.startswith("  time-stamp   2025-06-01 12:00:00 UTC by ") for line in lines)
    assert "  OCSP         good, produced 2025-06-01 12:00:00 UTC" in lines
    assert any(line.startswith("  part         /message.xml  verified  sha512 ") for line in lines)


def test_a_script_gets_one_object(xgate: Run, folder: Path, configuration: Path) -> None:
    ran = xgate("verify", folder, "--globalconf", configuration, "--json")
    assert ran.code == 1
    said = json.loads(ran.out)
    assert (said["ok"], said["valid"], said["invalid"]) == (False, 2, 1)
    alone, merged, damaged = said["files"]
    assert [file["valid"] for file in said["files"]] == [True, True, False]
    assert alone["signer"]["member"] == "XG/COM/777"
    assert alone["signer"]["certificate"]["serial"].isdigit()
    assert alone["timestamp"]["at"] == "2025-06-01T12:00:00Z"
    assert alone["ocsp"][0]["status"] == "good"
    assert (alone["kind"], merged["kind"]) == ("plain", "batch")
    assert [(p["name"], p["state"]) for p in merged["parts"]] == [
        ("/message.xml", "verified"),
        ("/attachment1", "missing"),
    ]
    assert damaged["reason"]["code"] == "asic_invalid_container"
    assert damaged["file"].endswith("inner/c.asice")


def test_a_folder_means_the_containers_below_it(
    xgate: Run, folder: Path, configuration: Path
) -> None:
    ran = xgate("verify", folder, "--globalconf", configuration)
    assert ran.code == 1
    heads = [line for line in ran.out.splitlines() if not line.startswith(" ")]
    assert [head[-7:] for head in heads[:-1]] == ["a.asice", "b.asice", "c.asice"]
    assert heads[-1] == "2 of 3 containers are valid"
    assert "  code         asic_invalid_container" in ran.out.splitlines()


def test_what_cannot_be_used_is_said_before_anything_is_judged(
    xgate: Run, folder: Path, configuration: Path, tmp_path: Path
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    for arguments, cause in (
        ((folder / "a.asice", folder / "gone.asice", "--globalconf", configuration), "no file"),
        ((empty, "--globalconf", configuration), "There is no .asice file and no archive below"),
        ((folder, "--globalconf", tmp_path / "gone"), "is not a configuration"),
        ((folder, "--globalconf", empty), "is not a configuration"),
        ((folder,), "--globalconf requires an argument"),
        (("--globalconf", configuration), "FILES requires an argument"),
    ):
        ran = xgate("verify", *arguments)
        assert (ran.code, ran.out) == (2, ""), arguments
        assert cause in ran.err
        assert ran.err.count("\n") == 1


@pytest.mark.reference
def test_a_container_of_an_unknown_country_is_explained(
    xgate: Run, folder: Path, configuration: Path, golden: Path
) -> None:
    container = golden / "asic" / "valid-signed-message.asice"
    ran = xgate("verify", container, "--globalconf", configuration)
    assert ran.code == 1
    assert "of the same X-Road instance" in ran.out


def test_notes_about_the_configuration_go_to_standard_error(
    xgate: Run, folder: Path, configuration: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "conf"
    for file in configuration.rglob("*"):
        if file.is_file():
            target = copy / file.relative_to(configuration)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.read_bytes())
    (copy / "ZZ").mkdir()
    (copy / "ZZ" / "shared-params.xml").write_text("no XML")
    ran = xgate("verify", folder / "a.asice", "--globalconf", copy, "--json")
    assert ran.code == 0
    assert json.loads(ran.out)["ok"] is True
    assert ran.err.startswith("xgate: note: shared-params.xml of ZZ is passed over")


def test_the_command_itself(folder: Path, configuration: Path) -> None:
    """As a process: standard output is what a script reads, whatever the terminal."""
    ran = subprocess.run(
        [sys.executable, "-m", "xgate", "verify", str(folder), "--globalconf", str(configuration)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (1, "")
    assert ran.stdout.endswith("2 of 3 containers are valid\n")


def test_nobody_reads_to_the_end(folder: Path, configuration: Path) -> None:
    command = [sys.executable, "-m", "xgate", "verify", str(folder), "--globalconf"]
    with subprocess.Popen(
        [*command, str(configuration)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 1


@pytest.mark.reference
def test_the_reference_s_containers_get_their_verdicts(
    xgate: Run, golden: Path, configuration_of_cs: Path
) -> None:
    items = json.loads((golden / "expected.json").read_text())["items"]
    containers = [item for item in items if item["file"].startswith("asic/")]
    for conf, of_cs in ((configuration_of_cs, True), (golden / "globalconf" / "good2_v3", False)):
        mine = [item for item in containers if ("(instance CS)" in item["trust"]) == of_cs]
        files = [golden / item["file"] for item in mine]
        ran = xgate("verify", *files, "--globalconf", conf, "--json")
        said = json.loads(ran.out)
        assert len(said["files"]) == len(mine) > 3
        for item, file in zip(mine, said["files"], strict=True):
            failed = item["expect"].startswith("FAIL ")
            assert file["valid"] is not failed, item["file"]
            if failed:
                assert file["reason"]["code"] == item["expect"].split()[1]
                assert file["reason"]["meaning"]
            else:
                assert file["timestamp"]["at"] == item["time"]
        assert ran.code == (0 if of_cs else 1)


@pytest.mark.reference
def test_the_reference_s_verificationconf_as_a_zip(xgate: Run, golden: Path) -> None:
    conf = golden / "globalconf" / "verificationconf-2024-06.zip"
    ran = xgate("verify", golden / "asic" / "valid-batch-ts.asice", "--globalconf", conf)
    assert ran.code == 0
    assert "  signed by    DEV/COM/4321" in ran.out.splitlines()
