"""No limit is without a test that meets it, at either half where there are two."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest
from tests.journeys.limit_table import LIMITS

from xgate.securityserver.limit_settings import LimitSettings
from xgate.securityserver.spool_settings import KEYS
from xgate.wire.fault_codes import CODES

TESTS = Path(__file__).resolve().parents[1]
# One half alone can meet it, or all doors share it.
ONE_HALF = {
    "soap-seconds": "only information systems are waited for so",
    "rest-head-bytes": "information systems send no such part",
    "part-heads-bytes": "one code for both halves",
    "multipart-depth": "between servers there is one within one",
    "multiparts": "the same",
    "ocsp-parts": "servers alone send them",
    "ocsp-bytes": "the same",
    "signature-bytes": "one code for both halves",
    "chain-result-bytes": "the same",
    "chain-bytes": "the same",
    "fault-bytes": "only answers are faults",
    "connections": "all doors share them",
    "connections-per-address": "the same",
    "connections-per-server": "servers alone have certificates",
    "late-seconds": "one code for both halves",
    "slow-log-seconds": "the same",
    "drain-seconds": "all doors share it",
    "free-bytes": "one code for both halves",
}


@cache
def source_of(where: str) -> tuple[set[str], str]:
    """The tests of a file, and its text."""
    text = (TESTS / f"{where}.py").read_text()
    kinds = (ast.AsyncFunctionDef, ast.FunctionDef)
    return {node.name for node in ast.parse(text).body if isinstance(node, kinds)}, text


@pytest.mark.parametrize(("setting", "half", "heard", "where"), LIMITS)
def test_each_row_is_met_somewhere(setting: str, half: str, heard: str, where: str) -> None:
    file, _, test = where.partition("::")
    tests, text = source_of(file)
    assert test in tests, f"there is no test {where}"
    assert setting in text or setting.replace("-", "_") in text, f"{where} says no {setting}"
    assert half in ("callers", "servers")
    assert heard in ("408", "431", "closed", "waits") or heard in CODES


def test_no_limit_lacks_a_row() -> None:
    settings = {*LimitSettings.__struct_encode_fields__, *KEYS.values()}
    halves: dict[str, set[str]] = {}
    for setting, half, _, _ in LIMITS:
        halves.setdefault(setting, set()).add(half)
    assert set(halves) == settings
    assert {name for name, seen in halves.items() if len(seen) == 1} == set(ONE_HALF)
