"""The benchmark measures what it says, and tells when there is nothing to measure."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

BENCHES = Path(__file__).resolve().parents[2] / "benches"
NUMBERS = {
    "exchanges_per_s",
    "p50_ms",
    "p99_ms",
    "cpu_us_consumer",
    "cpu_us_provider",
    "rss_mb_consumer",
    "rss_mb_provider",
    "pss_mb_consumer",
    "pss_mb_provider",
    "commits_per_s_consumer",
    "commits_per_s_provider",
    "rsa2048_signs_per_s",
    "fsync_p50_ms",
}


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(BENCHES / "messages.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def measured(*arguments: str) -> dict[str, Any]:
    short = ("--json", "--seconds", "1", "--warm-up", "0.2", "--connections", "2")
    done = run(*short, *arguments)
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def test_a_short_run_counts_exchanges_and_what_they_took() -> None:
    result = measured("--token", "p256")
    assert result["failed"] == 0
    assert result["failures"] == {}
    assert result["exchanges"] > 0
    assert all(result[name] > 0 for name in NUMBERS)
    assert result["p50_ms"] <= result["p99_ms"] <= result["max_ms"]
    assert {"cpu", "cores", "python", "commit", "dirty"} <= result.keys()
    for side in ("consumer", "provider"):
        signatures = result[f"signature_batches_{side}"]
        covered = sum(int(size) * count for size, count in signatures.items())
        assert covered >= result["exchanges"]
        commits = result[f"commit_batches_{side}"]
        assert sum(int(size) * count for size, count in commits.items()) >= 2 * result["exchanges"]


def test_signers_are_measured_with_their_servers() -> None:
    result = measured("--token", "p256", "--signers")
    assert (result["failed"], result["signers"]) == (0, True)
    for side in ("consumer", "provider"):
        assert result[f"cpu_us_signer_{side}"] > 0
        signatures = result[f"signature_batches_{side}"]
        assert sum(int(size) * count for size, count in signatures.items()) > 0


def server_of(bench: int, name: str) -> int:
    """The process of one server, among the children of the bench's process."""
    children = Path(f"/proc/{bench}/task/{bench}/children").read_text().split()
    (found,) = (
        int(child)
        for child in children
        if f"/{name}/xgate.toml" in Path(f"/proc/{child}/cmdline").read_text()
    )
    return found


def test_a_server_that_ends_too_early_is_told_with_its_last_words() -> None:
    command = [sys.executable, str(BENCHES / "messages.py"), "--json", "--token", "p256"]
    with subprocess.Popen(
        [*command, "--seconds", "30", "--warm-up", "0.2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as bench:
        assert bench.stderr is not None
        assert any("measuring" in line for line in bench.stderr)
        os.kill(server_of(bench.pid, "provider"), signal.SIGKILL)
        said, why = bench.communicate(timeout=40)
    assert bench.returncode == 1
    assert said == ""
    assert why.startswith("error: the provider's server ended with code -9: {")


def test_what_cannot_be_measured_has_no_number() -> None:
    done = run("--token", "chalk")
    assert done.returncode == 2
    assert done.stdout == ""
    assert "chalk" in done.stderr
