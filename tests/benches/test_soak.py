"""A moment of the soak: all kinds of work are done, and what they leave is looked at."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

SOAK = Path(__file__).resolve().parents[2] / "benches" / "soak.py"


def soak(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SOAK), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_a_short_soak_does_all_kinds_of_work_and_leaves_nothing() -> None:
    done = soak("--json", "--seconds", "6", "--warm-up", "2", "--callers", "4", "--seed", "3")
    assert done.returncode == 0, done.stderr + done.stdout
    result: dict[str, Any] = json.loads(done.stdout)
    assert result["wrong"] == {}
    assert {"rest", "soap", "soap_attached"} <= result["by_kind"].keys()
    assert result["exchanges"] == sum(one["exchanges"] for one in result["by_kind"].values()) > 30
    assert 0 < result["p50_ms"] <= result["p99_ms"] <= result["p999_ms"]
    assert result["cut"] > 0
    assert set(result["errors"]) <= {
        "client.invalid_soap",
        "server.clientproxy.unknown_member",
        "server.serverproxy.access_denied",
    }
    for name in ("consumer", "provider"):
        assert result[f"spool_files_left_{name}"] == 0
        assert 0 < result[f"mb_{name}"] <= result[f"mb_most_{name}"]
        assert result[f"handles_{name}"] > 0
        assert result[f"audited_{name}"] > result[f"unproven_{name}"] == 0
        assert isinstance(result[f"mb_per_hour_{name}"], float)
        assert isinstance(result[f"handles_per_hour_{name}"], float)
        tenths = result[f"mb_tenths_{name}"]
        assert len(tenths) == 10
        assert all(0 < mb <= result[f"mb_most_{name}"] for mb in tenths)


def test_a_person_reads_how_memory_went() -> None:
    done = soak("--seconds", "1", "--warm-up", "1", "--callers", "1")
    assert done.returncode == 0, done.stderr + done.stdout
    lines = dict(line.split(maxsplit=1) for line in done.stdout.splitlines() if " " in line)
    for name in ("consumer", "provider"):
        tenths = lines[f"mb_tenths_{name}"].split()
        assert 1 < len(tenths) <= 10
        assert all(float(mb) > 0 for mb in tenths)
