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
        for asked in ("look_up_first", "look_up_nobody", "known", "addresses_first", "on_server"):
            assert size[f"{asked}_ns"] > 0
        assert size["longest_stall_ms"] >= 0
        assert size["start_ms"] > 0


def test_messages_pass_while_a_changed_configuration_is_taken_up() -> None:
    command = [sys.executable, str(BENCH), "--json", "--messages", "--members", "3000"]
    load = ["--seconds", "10", "--rate", "10", "--token", "p256"]
    done = subprocess.run(
        [*command, *load], capture_output=True, text=True, timeout=180, check=False
    )
    assert done.returncode == 0, done.stderr
    (size,) = json.loads(done.stdout)["sizes"]
    quiet, reload = size["quiet"], size["reload"]
    for run in (quiet, reload):
        assert (run["failed"], run["failures"]) == (0, {})
        assert run["exchanges"] > 0
        assert run["p50_ms"] <= run["p99_ms"] <= run["max_ms"]
    for side in ("consumer", "provider"):
        assert quiet[f"reload_s_{side}"] is None
        assert 0 < reload[f"reload_s_{side}"] < 10
        assert quiet[f"cpu_apart_s_{side}"] == 0
        assert reload[f"cpu_apart_s_{side}"] > 0
        assert all(run[f"stall_ms_{side}"] >= 0 for run in (quiet, reload))
        assert all(run[f"rss_mb_{side}"] > 0 for run in (quiet, reload))
