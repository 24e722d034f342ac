"""Tests mirror the source: ``src/xgate/<room>/<file>.py`` has ``tests/<room>/test_<file>.py``."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "xgate"
TESTS = ROOT / "tests"
# Test folders that mirror no room: what crosses rooms, and what holds the house together.
ACROSS = {"rules", "native", "journeys", "interop", "benches", "examples"}


def test_every_source_file_has_its_tests() -> None:
    missing = [
        str(path.relative_to(SOURCE))
        for path in sorted(SOURCE.rglob("*.py"))
        if path.name not in ("__init__.py", "__main__.py", "build.py")
        and not (TESTS / path.relative_to(SOURCE).parent / f"test_{path.name}").exists()
    ]
    assert missing == []


def test_every_test_file_has_its_source() -> None:
    strays = [
        str(path.relative_to(TESTS))
        for path in sorted(TESTS.rglob("test_*.py"))
        if path.relative_to(TESTS).parts[0] not in ACROSS
        and not (SOURCE / path.relative_to(TESTS).parent / path.name.removeprefix("test_")).exists()
    ]
    assert strays == []
