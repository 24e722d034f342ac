"""``xgate doctor`` beside servers that are processes of their own, before and after one is ill."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

XGATE = [sys.executable, "-m", "xgate"]


def examine(settings: Path, *more: str) -> tuple[int, dict[str, Any]]:
    command = [*XGATE, "doctor", "--config", str(settings), "--json", *more]
    done = subprocess.run(command, capture_output=True, timeout=120, check=False)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def states(report: dict[str, Any], check: str) -> list[str]:
    return [found["state"] for found in report["findings"] if found["check"] == check]


def test_a_pair_that_is_well_and_then_loses_its_provider(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    command = [*XGATE, "demo", "--keep", "--folder", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as demo:
        try:
            assert demo.stdout is not None
            told = []
            for line in demo.stdout:
                told.append(line.strip())
                if line.startswith("Stop with"):
                    break
            assert f"xgate doctor --config {folder / 'consumer' / 'xgate.toml'}" in told
            for place in ("consumer", "provider"):
                code, report = examine(folder / place / "xgate.toml", "--services")
                assert (code, report["first_broken"]) == (0, None), report["verdict"]
                assert set(states(report, "ports")) == {"ok"}
                assert states(report, "peers") == ["ok", "ok"]
            shutil.copytree(folder / "consumer", folder / "copy")
        finally:
            demo.send_signal(signal.SIGINT)
        assert demo.wait(timeout=60) == 0
    code, report = examine(folder / "copy" / "xgate.toml")
    link = report["first_broken"]
    assert (code, link["check"]) == (1, "configuration")
    assert "Connection refused" in link["observed"]
    assert report["verdict"].startswith("The first broken link is configuration (127.0.0.1:")
    assert set(states(report, "ports")) == {"ok"}
    assert states(report, "registration") == ["ok"]  # by what the server has kept
