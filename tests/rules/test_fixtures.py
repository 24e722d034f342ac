"""No fixture that silently does nothing.

pytest-trio runs a coroutine fixture only for a test that takes it as an argument: one that is used
in any other way would check nothing, and nobody would be told.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]


def idle(*sources: str) -> set[str]:
    """Names of coroutine fixtures that are automatic, or used by a mark."""
    nodes = [node for source in sources for node in ast.walk(ast.parse(source))]
    marked = {
        name.value
        for node in nodes
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("usefixtures")
        for name in node.args
        if isinstance(name, ast.Constant)
    }
    fixtures = {
        node.name: " ".join(ast.unparse(one) for one in node.decorator_list)
        for node in nodes
        if isinstance(node, ast.AsyncFunctionDef)
    }
    return {
        name
        for name, decorators in fixtures.items()
        if "fixture" in decorators and (name in marked or "autouse=True" in decorators)
    }


def test_every_coroutine_fixture_is_taken_as_an_argument() -> None:
    assert idle(*(path.read_text() for path in TESTS.rglob("*.py"))) == set()


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("@pytest.fixture(autouse=True)\nasync def check(): yield", {"check"}),
        (
            "@pytest.fixture\nasync def check(): yield\nm = pytest.mark.usefixtures('check')",
            {"check"},
        ),
        ("@pytest.fixture\nasync def check(): yield", set()),
        ("@pytest.fixture(autouse=True)\ndef check(): yield", set()),
    ],
)
def test_one_that_is_not_is_found(source: str, found: set[str]) -> None:
    assert idle(source) == found
