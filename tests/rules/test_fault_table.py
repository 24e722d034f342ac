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
# Of 7.8, without a name before.
NEW = {"unknown_host", "mlog", "no_timestamping_provider_found"}
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
    assert pieces - set(CODES) - NEW == set()


SOURCE = Path(__file__).resolve().parents[2] / "src" / "xgate"
# Where messages are judged on their way.
ON_THE_WAY = (
    *sorted((SOURCE / "policy").glob("*.py")),
    *sorted((SOURCE / "wire").glob("*.py")),
    *(
        SOURCE / "securityserver" / f"{name}.py"
        for name in ("client_proxy", "server_proxy", "service_call", "service_link", "intake")
    ),
    *(
        SOURCE / "securityserver" / f"{name}.py"
        for name in ("soap_intake", "rest_intake", "receive", "reply", "outlet", "peers")
    ),
)
# What is raised there and needs no row.
ELSEWHERE = {
    "service_missing_url": "settings without an address are refused; a test of service_call has it",
    "invalid_wsdl": "descriptions have their own journeys",
    "invalid_wsdl_service_identifier": "the same",
    "openapi_parsing_error": "the same",
    "unsupported_openapi_version": "the same",
}


def test_no_fault_on_the_way_lacks_a_row() -> None:
    raised = {
        node.args[0].value.rpartition(".")[2]
        for path in ON_THE_WAY
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "Fault"
        and node.args
        and isinstance(node.args[0], ast.Constant)
        and isinstance(node.args[0].value, str)
    }
    rows = {code.rpartition(".")[2] for code, _, _ in TABLE}
    assert set(ELSEWHERE) <= raised, "an exception is raised no more"
    assert raised - rows - set(ELSEWHERE) == set(), "name the journey in tests/journeys/fault_table"
