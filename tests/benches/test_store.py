"""The benchmark of stores measures real ones, and says what a batch saves."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from xgate.testing.postgres import find_postgres

STORE = Path(__file__).resolve().parents[2] / "benches" / "store.py"


@pytest.mark.parametrize("store", ["sqlite", "sqlite, encrypted", "postgres"])
def test_each_store_has_its_numbers(store: str, tmp_path: Path) -> None:
    if store == "postgres" and find_postgres() is None:
        pytest.skip("PostgreSQL is not installed")
    command = [sys.executable, str(STORE), "--json", "--seconds", "0.1", "--stores", store]
    done = subprocess.run(
        [*command, "--folder", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert {"cpu", "python", "commit", "fsync_p50_ms"} <= result.keys()
    assert list(result["stores"]) == [store]
    batches = result["stores"][store]
    assert list(batches) == ["1", "10", "100"]
    assert all(numbers["rows_per_s"] > 0 for numbers in batches.values())
    assert batches["100"]["bytes_per_exchange"] > 2 * 4096
