"""The benchmark of catching up runs, and tells of each of its three runs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "benches" / "timestamping.py"


def test_a_short_run_catches_up() -> None:
    short = ("--json", "--backlog", "1500", "--rate", "5", "--seconds", "1")
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *short],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["backlog"] >= 1500
    assert told["stamps_per_s"] > 0
    for run in ("quiet", "away", "catching_up"):
        assert told[f"failed_{run}"] == 0
        assert told[f"exchanges_{run}"] > 0
        assert 0 < told[f"p50_ms_{run}"] <= told[f"p99_ms_{run}"]
