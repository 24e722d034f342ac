"""``xgate keys``: the reference's token goes into a key store, and what is in one is listed."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from xgate.signer.store import KeyEntry, StoredCertificate, read_store, write_store
from xgate.testing.authority import Authority
from xgate.testing.pki import make_key

Run = Callable[..., Any]
PIN = "Secret1234"
MEMBERS = [None, "DEV/COM/1234", "DEV/COM/4321"]


@pytest.fixture(scope="session")
def token(golden: Path) -> Path:
    return golden / "env-dev-v6" / "signer"


@pytest.fixture
def pin_file(tmp_path: Path) -> Path:
    file = tmp_path / "pin"
    file.write_text(f"{PIN}\n")
    return file


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "keys.xgate"


@pytest.fixture
def small(store: Path, authority: Authority) -> Path:
    """A key store with two keys, one of them with a certificate that cannot be read."""
    good = StoredCertificate(authority.ca.certificate.der, "XG/COM/777")
    bad = StoredCertificate(b"no certificate", "XG/COM/778", active=False, status="saved")
    keys = [
        (KeyEntry("A1", "", "SIGNING", (good, bad)), make_key("a")),
        (KeyEntry("B2", "auth", "AUTHENTICATION"), make_key("b")),
    ]
    write_store(store, PIN, keys)
    return store


@pytest.mark.reference
def test_the_reference_s_token_is_imported(
    xgate: Run, token: Path, store: Path, pin_file: Path
) -> None:
    ran = xgate("keys", "import", token, "--store", store, "--pin-file", pin_file)
    assert (ran.code, ran.err) == (0, "")
    assert "  certificate  of DEV/COM/4321: registered, active" in ran.out.splitlines()
    assert PIN not in ran.out
    assert stat.S_IMODE(store.stat().st_mode) == 0o600
    opened = read_store(store).unlock(PIN)
    assert [entry.certificates[0].member for entry in opened.entries] == MEMBERS


@pytest.mark.reference
def test_the_pin_from_the_environment(
    xgate: Run, token: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN_PIN", PIN)
    ran = xgate("keys", "import", token, "--store", store, "--pin-env", "TOKEN_PIN", "--json")
    assert ran.code == 0
    said = json.loads(ran.out)
    assert said["store"] == str(store)
    assert [key["certificates"][0]["member"] for key in said["keys"]] == MEMBERS
    listed = xgate("keys", "list", "--store", store, "--json")
    assert listed.code == 0
    assert json.loads(listed.out) == said


@pytest.mark.reference
def test_a_wrong_pin_writes_nothing(
    xgate: Run, token: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN_PIN", "Secret9999")
    ran = xgate("keys", "import", token, "--store", store, "--pin-env", "TOKEN_PIN")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("xgate: pin_incorrect: ")
    assert "Secret9999" not in ran.err
    assert not store.exists()


@pytest.mark.reference
def test_a_key_store_is_not_written_over_unless_told_to(
    xgate: Run, token: Path, small: Path, pin_file: Path
) -> None:
    before = small.read_bytes()
    command = ("keys", "import", token, "--store", small, "--pin-file", pin_file)
    ran = xgate(*command)
    assert ran.code == 2
    assert "exists; say --replace" in ran.err
    assert small.read_bytes() == before
    assert xgate(*command, "--replace").code == 0
    assert len(read_store(small).entries()) == 3


@pytest.mark.reference
def test_where_nothing_can_be_written(
    xgate: Run, token: Path, pin_file: Path, tmp_path: Path
) -> None:
    store = pin_file / "keys.xgate"  # below a file
    ran = xgate("keys", "import", token, "--store", store, "--pin-file", pin_file)
    assert ran.code == 2
    assert ran.err.startswith(f"xgate: Cannot write {store}")


def test_a_folder_that_holds_no_token(
    xgate: Run, store: Path, pin_file: Path, tmp_path: Path
) -> None:
    pin = ("--store", store, "--pin-file", pin_file)
    ran = xgate("keys", "import", tmp_path, *pin)
    assert ran.code == 2
    assert "token_not_found" in ran.err
    ran = xgate("keys", "import", tmp_path / "gone", *pin)
    assert ran.code == 2
    assert "is not a folder" in ran.err
    (tmp_path / "keyconf.xml").write_text("<keyConf/>")
    ran = xgate("keys", "import", tmp_path, *pin)
    assert ran.code == 1
    assert "holds no key" in ran.err
    assert not store.exists()


def test_the_pin_is_asked_for_before_anything_is_read(
    xgate: Run, store: Path, tmp_path: Path
) -> None:
    ran = xgate("keys", "import", tmp_path, "--store", store)
    assert ran.code == 2
    assert ran.err == "xgate: Give the PIN by --pin-file or --pin-env\n"


def test_listing_asks_for_no_pin(xgate: Run, small: Path, authority: Authority) -> None:
    ran = xgate("keys", "list", "--store", small)
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert lines[0] == "token 0  softToken-0, not logged in"
    assert lines[1] == "A1  SIGNING  -"
    assert lines[2] == "  certificate  of XG/COM/777: registered, active"
    assert f"               sha256 {authority.ca.certificate.sha256.hex()}" in lines
    assert "  certificate  of XG/COM/778: saved, not active" in lines
    assert any(line.startswith("  problem      ") for line in lines)
    assert lines[-1] == "B2  AUTHENTICATION  auth"


def test_a_certificate_that_cannot_be_read_hides_no_other(xgate: Run, small: Path) -> None:
    good, bad = json.loads(xgate("keys", "list", "--store", small, "--json").out)["keys"][0][
        "certificates"
    ]
    assert good["certificate"]["serial"].isdigit()
    assert bad["certificate"] is None
    assert bad["problem"]


def test_a_key_store_that_cannot_be_used(xgate: Run, small: Path, tmp_path: Path) -> None:
    small.chmod(0o640)
    ran = xgate("keys", "list", "--store", small)
    assert ran.code == 2
    assert "chmod 600" in ran.err
    other = tmp_path / "other"
    other.write_bytes(msgspec.json.encode({"format": "another"}))
    other.chmod(0o600)
    for path, cause in ((other, "is not a key store"), (tmp_path / "gone", "xgate keys import")):
        ran = xgate("keys", "list", "--store", path)
        assert ran.code == 2
        assert cause in ran.err
        assert ran.err.count("\n") == 1


@pytest.mark.reference
def test_the_command_itself(token: Path, tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "xgate", "keys", "import", token, "--pin-env", "TOKEN_PIN"],
        env={**os.environ, "TOKEN_PIN": PIN},
        cwd=tmp_path,
        umask=0,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert stat.S_IMODE((tmp_path / "keys.xgate").stat().st_mode) == 0o600
