"""``xgate keys generate|login|logout|pin``: tokens and PINs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Town

from xgate.signer.store import read_store

Run = Callable[..., Any]
PIN = "Secret1234"


@pytest.fixture
def pin_file(tmp_path: Path) -> Path:
    file = tmp_path / "pin"
    file.write_text(PIN)
    return file


def test_a_store_begins_with_its_pin(
    xgate: Run, tmp_path: Path, pin_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ("--store", tmp_path / "keys.xgate")
    ran = xgate("keys", "generate", *store, "--pin-file", pin_file)
    assert (ran.code, "run: xgate keys import, or xgate keys pin" in ran.err) == (1, True)
    ran = xgate("keys", "pin", *store, "--new-pin-file", pin_file)
    assert (ran.code, ran.out) == (0, "The software token has its PIN\n")
    made = xgate("keys", "generate", *store, "--pin-file", pin_file, "--label", "one")
    assert made.code == 0
    assert read_store(tmp_path / "keys.xgate").keys[0].id == made.out.strip()
    monkeypatch.setenv("NEW_PIN", "Another 1234")
    ran = xgate("keys", "pin", *store, "--pin-env", "NEW_PIN", "--new-pin-env", "NEW_PIN")
    assert (ran.code, ran.err) == (
        1,
        "xgate: pin_incorrect: The PIN of the key store is not correct\n",
    )
    ran = xgate("keys", "pin", *store, "--pin-file", pin_file, "--new-pin-env", "NEW_PIN")
    assert (ran.code, ran.out) == (0, "The PIN is changed\n")
    assert len(read_store(tmp_path / "keys.xgate").unlock("Another 1234").private) == 1


def test_weak_pins_are_refused_where_that_is_wanted(town: Town, pin_file: Path) -> None:
    town.config.write_text(town.config.read_text().replace("[keys]", "[keys]\npin-policy = true"))
    pin_file.write_text("weak")
    options = ("--pin-file", town.folder / "pin", "--new-pin-file", pin_file)
    ran = town.keys("pin", *options)
    assert (ran.code, "token_pin_policy_failure" in ran.err) == (1, True)
    pin_file.write_text("Much better 1")
    assert town.keys("pin", *options).code == 0


def test_keys_are_as_the_settings_say(town: Town) -> None:
    said = '[keys]\nrsa-bits = 3072\ncurve = "secp384r1"'
    town.config.write_text(town.config.read_text().replace("[keys]", said))
    made = [town.make_key("rsa"), town.make_key("ecdsa")]
    unlocked = read_store(town.store).unlock((town.folder / "pin").read_text().strip())
    assert [unlocked.private[key].key_size for key in made] == [3072, 384]


def test_a_token_that_is_not_there(town: Town) -> None:
    ran = town.keys("generate", "--token", "hsm")
    assert ran.code == 1
    assert "token_not_found: Token 'hsm' not found; there are: 0" in ran.err


def test_a_login_is_for_the_signers_process(town: Town, pin_file: Path) -> None:
    for command in (("login", "--pin-file", pin_file), ("logout",)):
        ran = town.keys(*command)
        assert ran.code == 2
        assert "xgate serve logs in by itself, by [keys] pin-file" in ran.err
    said = '[keys]\nsigner = "signer.sock"'
    town.config.write_text(town.config.read_text().replace("[keys]", said))
    ran = town.keys("logout")
    assert ran.code == 1
    assert "token_not_available: No signer answers at" in ran.err


def test_a_signer_that_was_started_locked(town: Town, pin_file: Path) -> None:
    text = town.config.read_text().replace('pin-file = "pin"', "")
    town.config.write_text(text.replace("[keys]", '[keys]\nsigner = "run/signer.sock"'))
    pin_file.write_text("Geheim 999 999")
    command = [sys.executable, "-m", "xgate", "signer", "--config", str(town.config)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as signer:
        assert signer.stderr is not None
        while '"signing"' not in (line := signer.stderr.readline()):
            assert line
        ran = town.keys("login", "--pin-file", pin_file)
        assert (ran.code, ran.err) == (
            1,
            "xgate: pin_incorrect: The PIN of the key store is not correct\n",
        )
        for command_, said, active in (
            (("login", "--pin-file", town.folder / "pin"), "token 0 is logged in\n", True),
            (("logout", "0"), "token 0 is logged out\n", False),
        ):
            assert town.told("list")["tokens"][0]["state"]["active"] is not active
            ran = town.keys(*command_)
            assert (ran.code, ran.out) == (0, said)
            assert town.told("list")["tokens"][0]["state"]["active"] is active
            ran = town.keys("csr", "SIGN", "--field", "C=FI")  # where it is open, no PIN is asked
            assert (ran.code, "Give the PIN by" in ran.err) == ((0, False) if active else (2, True))
        signer.terminate()
        assert "Geheim" not in signer.stderr.read()
    assert signer.returncode == 0


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel is asked")
def test_a_command_that_knows_a_pin_leaves_no_core_dump(town: Town) -> None:
    ask = "cat /proc/$PPID/limits > limits; tr '\\\\0' ' ' < /proc/$PPID/cmdline > line; cat pin"
    text = town.config.read_text().replace('pin-file = "pin"', "")
    town.config.write_text(text.replace("[keys]", f'[keys]\npin-command = ["sh", "-c", "{ask}"]'))
    command = [sys.executable, "-m", "xgate", "keys", "generate", "--config", str(town.config)]
    ran = subprocess.run(command, cwd=town.folder, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    limits = (town.folder / "limits").read_text().splitlines()
    (core,) = [line.split() for line in limits if "core file" in line]
    assert core[4:6] == ["0", "0"]
    assert (town.folder / "pin").read_text().strip() not in (town.folder / "line").read_text()


def test_no_pin_on_the_command_line(xgate: Run, tmp_path: Path) -> None:
    for command in ("generate", "pin", "login", "import"):
        for option in (("--pin", PIN), (f"--pin={PIN}",)):
            ran = xgate("keys", command, *option)
            assert ran.code == 2
            assert PIN not in ran.err + ran.out


def test_a_wrong_pin_is_tried_once_and_named_nowhere(town: Town) -> None:
    secret = "Geheim 999 999"
    said = '[keys]\npin-command = ["sh", "-c", "echo tried >> tries; cat wrong"]'
    text = town.config.read_text().replace('pin-file = "pin"', "")
    town.config.write_text(text.replace("[keys]", said))
    (town.folder / "wrong").write_text(secret)
    ran = subprocess.run(
        [sys.executable, "-m", "xgate", "keys", "generate", "--config", town.config],
        cwd=town.folder,
        env=os.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.startswith("xgate: pin_incorrect")
    assert secret not in ran.stderr
    assert (town.folder / "tries").read_text() == "tried\n"
