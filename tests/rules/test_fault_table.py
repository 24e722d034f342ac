"""The fault tables are whole: each row has a code of the protocol and a test that makes it come."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest
from tests.journeys.fault_table import TABLE

from xgate.wire.fault_codes import CODES

JOURNEYS = Path(__file__).resolve().parents[1] / "journeys"
# Where one is told on, its words are not ours.
FOREIGN = {"client.some.code", "Server.ServerProxy.Old", "soap:Server"}
# Shared rows that tests take in from here.
ROWS = (JOURNEYS / "rows.py").read_text()


@cache
def sources_in(name: str) -> dict[str, str]:
    """The tests of a file and the text of the whole file."""
    text = (JOURNEYS / f"{name}.py").read_text()
    return {
        node.name: text
        for node in ast.parse(text).body
        if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef)
    }


@pytest.mark.parametrize(("code", "text", "where"), TABLE)
def test_each_row_is_made_to_come_somewhere(code: str, text: str, where: str) -> None:
    file, _, test = where.partition("::")
    re.compile(text)
    assert test in sources_in(file), f"there is no test {where}"
    leaf = code.rpartition(".")[2]
    source = sources_in(file)[test] + (ROWS if "MESSAGES" in sources_in(file)[test] else "")
    assert leaf in source or leaf.upper() in source, f"{where} does not speak of {leaf}"


def test_codes_are_those_of_the_protocol() -> None:
    pieces = {piece for code, _, _ in TABLE if code not in FOREIGN for piece in code.split(".")}
    assert pieces - set(CODES) - {"unknown_host"} == set()
