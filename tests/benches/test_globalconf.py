"""The benchmark of large configurations runs, and counts what it says it counts."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

BENCH = Path(__file__).resolve().parents[2] / "benches" / "globalconf.py"


def test_two_sizes_side_by_side() -> None:
    command = [sys.executable, str(BENCH), "--json", "--members", "100", "4000"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    small, large = json.loads(done.stdout)["sizes"]
    assert (small["members"], large["members"]) == (100, 4000)
    assert (small["snapshots_mb"], small["reload_cpu_apart_s"]) == (0, 0)  # too small for it
    assert 0 < large["snapshots_mb"] < 2 * large["xml_mb"]
    assert large["reload_cpu_apart_s"] > 0
    for size in (small, large):
        assert size["look_up_cold_ns"] > 0
        assert size["longest_stall_ms"] >= 0
        assert size["start_ms"] > 0
