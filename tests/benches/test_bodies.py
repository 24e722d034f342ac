"""The benchmark of big bodies runs, and memory does not follow their size."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from xgate.testing.postgres import find_postgres

BENCH = Path(__file__).resolve().parents[2] / "benches" / "bodies.py"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(BENCH), "--json", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_both_servers_pass_bodies_on_that_they_could_not_hold() -> None:
    done = run("--octets", str(64_000_000))
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    assert result["grown_mb"] <= 16
    for name in ("rest_up", "rest_down", "soap_up", "soap_down"):
        one = result[name]
        assert one["mb_per_s"] > 0
        assert one["cpu_s_per_gb_consumer"] > 0
        assert one["cpu_s_per_gb_provider"] > 0
        assert max(one["grown_mb_consumer"], one["grown_mb_provider"]) <= result["grown_mb"]


@pytest.mark.parametrize(
    "options",
    [
        ("--logged", "beginning"),
        ("--logged", "beginning", "--store", "postgres"),
        ("--logged", "most", "--encrypt"),
    ],
)
def test_what_is_logged_of_a_body_is_in_no_server_s_memory(
    options: tuple[str, ...],
) -> None:
    """Neither 10 MiB of each, nor all of it encrypted; not in PostgreSQL's client either."""
    if "postgres" in options and find_postgres() is None:
        pytest.skip("PostgreSQL is not installed (Debian's package postgresql)")
    done = run("--octets", str(64_000_000), "--most-mb", "8", *options)
    assert done.returncode == 0, done.stderr + done.stdout
    assert json.loads(done.stdout)["logged"] == options[1]


def test_more_memory_than_allowed_is_a_failure() -> None:
    done = run("--octets", "1000000", "--most-mb", "-1000")
    assert done.returncode == 1
    assert json.loads(done.stdout)["grown_mb"] > -1000
