"""The bench of archiving archives all there is."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ARCHIVE = Path(__file__).resolve().parents[2] / "benches" / "archive.py"


def test_all_records_are_archived_and_read_again() -> None:
    command = [sys.executable, str(ARCHIVE), "--json", "--records", "30", "--body-bytes", "1000"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["records"] == 30
    for phase in ("fill", "archive", "read"):
        assert result[phase]["mb_per_s"] > 0
        assert result[phase]["memory_grown_mb"] < 50
