"""``xgate globalconf verify``: an anchor, a published configuration, and the verdict."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from xgate.globalconf.anchor import anchor_hash
from xgate.sandbox.country import Country, found_country
from xgate.testing.authority import NOW

Run = Callable[..., Any]
JUNE = "2025-06-02T12:00:00Z"


@pytest.fixture(scope="session")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Country:
    return found_country(tmp_path_factory.mktemp("country"), NOW, kind="P-256")


@pytest.fixture(scope="session")
def anchor(founded: Country) -> Path:
    return founded.folder / "configuration-anchor.xml"


def test_a_configuration_that_is_proven(xgate: Run, founded: Country, anchor: Path) -> None:
    ran = xgate("globalconf", "verify", anchor, founded.web_root, "--at", JUNE)
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert lines[0] == "valid  configuration of XG"
    assert lines[1] == f"  anchor       sha224 {anchor_hash(anchor.read_bytes())}"
    assert "  version      6" in lines
    assert "  expires      2025-07-01 12:00:00 UTC" in lines
    assert "  part         shared-params.xml of XG  verified (SHA-512)" in lines
    assert "  lists        2 security servers" in lines


def test_a_script_gets_one_object(xgate: Run, founded: Country, anchor: Path) -> None:
    ran = xgate("globalconf", "verify", anchor, founded.web_root, "--at", JUNE, "--json")
    said = json.loads(ran.out)
    assert (ran.code, said["ok"], said["instance"], said["version"]) == (0, True, "XG", 6)
    assert said["judged_at"] == JUNE
    assert [part["state"] for part in said["parts"]] == ["verified", "verified"]
    assert said["counts"] == {
        "members": 2,
        "subsystems": 2,
        "security_servers": 2,
        "groups": 0,
        "certification_authorities": 1,
        "timestamping_services": 1,
    }
    assert (said["warnings"], said["refusals"]) == ([], [])


def test_a_refusal_tells_code_cause_and_what_to_look_at(
    xgate: Run, founded: Country, anchor: Path, tmp_path: Path
) -> None:
    root = tmp_path / "web"
    shutil.copytree(founded.web_root, root)
    next(root.glob("V6/*/private-params.xml")).write_text("other")
    ran = xgate("globalconf", "verify", anchor, root, "--at", JUNE)
    assert ran.code == 1
    lines = ran.out.splitlines()
    assert lines[0] == "NOT VALID  configuration of XG"
    assert "  code         global_conf_part_downloaded_file_integrity_failure" in lines
    assert "  meaning      A file is not the one that was signed." in lines
    assert "  part         private-params.xml of XG  changed (SHA-512)" in lines
    said = json.loads(xgate("globalconf", "verify", anchor, root, "--at", JUNE, "--json").out)
    assert said["ok"] is False
    assert said["counts"] is None
    assert [refused["reason"]["code"] for refused in said["refusals"]] == [
        "global_conf_part_downloaded_file_integrity_failure"
    ]


@pytest.mark.parametrize("at", ["2025-07-01T12:00:00", "2025-07-01T14:00:00+02:00", "2025-06-09"])
def test_a_time_without_a_zone_is_utc(xgate: Run, founded: Country, anchor: Path, at: str) -> None:
    assert xgate("globalconf", "verify", anchor, founded.web_root, "--at", at).code == 0


def test_without_a_time_it_is_now(xgate: Run, founded: Country, anchor: Path) -> None:
    ran = xgate("globalconf", "verify", anchor, founded.web_root)
    assert ran.code == 1
    assert "  code         global_conf_outdated" in ran.out.splitlines()


def test_what_cannot_be_used(xgate: Run, founded: Country, anchor: Path, tmp_path: Path) -> None:
    root = founded.web_root
    for arguments, cause in (
        ((anchor, tmp_path / "gone"), "There is no"),
        ((anchor, tmp_path), "publishes nothing"),
        ((tmp_path / "gone", root), "Cannot read"),
        ((founded.folder / "consumer" / "xgate.toml", root), "malformed_anchor"),
        ((anchor, root, "--at", "yesterday"), "is not a time"),
        ((anchor, root, "--at", "0001-01-01T00:00:00+14:00"), "is not a time"),
        ((anchor,), "DIRECTORY requires an argument"),
    ):
        ran = xgate("globalconf", "verify", *arguments)
        assert (ran.code, ran.out) == (2, ""), arguments
        assert cause in ran.err
        assert ran.err.count("\n") == 1


def test_the_command_itself(founded: Country, anchor: Path) -> None:
    command = [sys.executable, "-m", "xgate", "globalconf", "verify", "--at", JUNE]
    files = [str(anchor), str(founded.web_root)]
    ran = subprocess.run([*command, *files], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith("valid  configuration of XG\n")


@pytest.mark.reference
@pytest.mark.parametrize(
    ("folder", "instance", "version", "expires", "warnings"),
    [
        ("globalconf-signed/v2-2023-06", "CS", 2, "2033-06-11T17:13:49Z", 0),
        ("globalconf-signed/v3-2023-11-13", "CS", 3, "2033-11-10T17:19:50Z", 1),
        ("globalconf-signed/v3-2024-04", "CS", 3, "2034-04-09T00:36:51Z", 1),
        ("globalconf-signed/v4-2024-05", "DEV", 4, "2034-05-30T06:46:02Z", 0),
    ],
)
def test_the_reference_s_signed_configurations(
    xgate: Run,
    golden: Path,
    folder: str,
    instance: str,
    version: int,
    expires: str,
    warnings: int,
) -> None:
    root = golden / folder
    anchor = root / "configuration-anchor.xml"
    for at, code in (("2026-11-23", 0), (expires, 0), ("2036-01-01", 1)):
        ran = xgate("globalconf", "verify", anchor, root, "--at", at, "--json")
        assert ran.code == code
        said = json.loads(ran.out)
        assert said["instance"] == instance
        if code:
            assert said["refusals"][0]["reason"]["code"] == "global_conf_outdated"
            continue
        assert (said["version"], said["expires"]) == (version, expires)
        assert {part["state"] for part in said["parts"]} == {"verified"}
        assert len(said["warnings"]) == warnings


@pytest.mark.reference
def test_the_reference_s_ecosystem_before_and_after_its_keys_changed(
    xgate: Run, golden: Path
) -> None:
    root = golden / "env-dev-v6"
    anchor = root / "configuration-anchor.xml"
    command = ("globalconf", "verify", "--at", "2026-11-23", anchor)
    before = xgate(*command, root / "globalconf-initial")
    assert before.code == 0
    assert "  lists        5 subsystems" in before.out.splitlines()
    after = xgate(*command, root / "globalconf-rotated")
    assert after.code == 1
    assert "  code         global_conf_missing_verification_cert" in after.out.splitlines()
    assert "Whether the keys were changed" in after.out
