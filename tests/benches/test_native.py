"""The comparison of the C core times only what gives the same result."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

NATIVE = Path(__file__).resolve().parents[2] / "benches" / "native.py"


def test_every_contender_has_a_time_beside_its_twin() -> None:
    command = [sys.executable, str(NATIVE), "--json", "--seconds", "0.02"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert {"cpu", "python", "commit", "rsa2048_signs_per_s"} <= result.keys()
    for took in result["us"].values():
        assert {"C", "twin"} <= took.keys()
        assert all(us > 0 for us in took.values())
    for work, other in (("canonicalise", "lxml"), ("SHA-512", "hashlib")):
        assert all(other in took for name, took in result["us"].items() if work in name)
