"""``xgate demo`` as its user runs it: the numbers, the tale, and what ``--keep`` leaves to try."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

from xgate.testing.softhsm import SoftHsm

XGATE = [sys.executable, "-m", "xgate"]


def test_one_object_tells_that_everything_held(tmp_path: Path) -> None:
    command = [*XGATE, "demo", "--json", "--folder", str(tmp_path / "demo")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(done.stdout)
    assert result["ok"] is True
    assert result["rest"] >= 20
    assert result["soap"] == 3
    assert result["refused"] == 2
    # Four records of each exchange; the refused ones are logged where they were asked.
    assert result["asic_verified"] >= 4 * (result["rest"] + result["soap"]) + result["refused"]
    assert result["memory_mb"] < 300
    containers = list((tmp_path / "demo" / "evidence").rglob("*.asice"))
    assert len(containers) == result["asic_verified"]


def test_servers_without_keys_tell_the_same_tale(tmp_path: Path) -> None:
    command = [*XGATE, "demo", "--signers", "--json", "--folder", str(tmp_path / "demo")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    for name in ("consumer", "provider"):
        *_, statistics, stopped = (tmp_path / "demo" / name / "signer.log").read_text().splitlines()
        assert sum(json.loads(statistics)["signatures"].values()) > 0
        assert json.loads(stopped)["event"] == "stopped"


def test_kept_running_it_prints_lines_that_work(tmp_path: Path) -> None:
    """The printed ``xgate verify`` line is run as printed; Ctrl-C ends everything it started."""
    command = [*XGATE, "demo", "--keep", "--folder", str(tmp_path / "demo")]
    lines = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as demo:
        assert demo.stdout is not None
        for line in demo.stdout:
            lines.append(line.strip())
            if line.startswith("Stop with"):
                break
        (verify,) = (line for line in lines if line.startswith("xgate verify"))
        arguments = shlex.split(verify)[1:]
        checked = subprocess.run([*XGATE, *arguments, "--json"], capture_output=True, check=False)
        demo.send_signal(signal.SIGINT)
        assert demo.wait(timeout=60) == 0
    assert json.loads(checked.stdout)["ok"] is True
    assert any(
        re.match(r"curl -i -H 'X-Road-Client: XG/COM/100/portal' http://127", x) for x in lines
    )
    for name in ("consumer", "provider"):
        log = (tmp_path / "demo" / name / "server.log").read_text().splitlines()
        assert json.loads(log[-1])["event"] == "stopped"


def test_a_folder_that_holds_a_demo_is_refused(tmp_path: Path) -> None:
    (tmp_path / "consumer").mkdir()
    command = [*XGATE, "demo", "--json", "--folder", str(tmp_path)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, env=dict(os.environ)
    )
    assert done.returncode == 1
    assert "exists" in json.loads(done.stdout)["error"]


def test_keys_on_hardware_tokens_prove_every_message_too(softhsm: SoftHsm, tmp_path: Path) -> None:
    """Both kinds of keys: what signs messages, and what shows a server to its peers."""
    folder = tmp_path / "demo"
    command = [*XGATE, "demo", "--hsm", "--json", "--folder", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(done.stdout)
    assert result["asic_verified"] >= 4 * (result["rest"] + result["soap"]) + result["refused"]
    for name in ("consumer", "provider"):
        assert json.loads((folder / name / "keys.xgate").read_bytes())["software"]["keys"] == {}


def test_without_softhsm_the_package_is_named(tmp_path: Path) -> None:
    command = [*XGATE, "demo", "--hsm", "--folder", str(tmp_path / "demo")]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PATH": str(tmp_path)},
    )
    assert done.returncode == 2
    assert "apt-get install softhsm2" in done.stderr
    assert not (tmp_path / "demo").exists()
