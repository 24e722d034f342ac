"""Where hostile octets come in there is one door: one XML parser, one HTTP filter, one resolver."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src" / "xgate"

DOORS = {
    "xml": (
        {"fromstring", "XMLParser", "XMLPullParser", "iterparse", "ParserCreate", "XML", "HTML"},
        # The twin reads what the C canonicaliser reads, and is its oracle.
        {"wire/xml.py", "_native/twin_c14n.py"},
    ),
    "http": ({"receive_data"}, {"net/http.py"}),
    "names": (
        {"getaddrinfo", "gethostbyname"},
        # Listeners open before anybody calls; the doctor asks as they do.
        {"net/resolve.py", "net/listen.py", "cli/doctor/doors.py"},
    ),
}


def calls(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute | ast.Name):
            yield node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id


@pytest.mark.parametrize("door", DOORS)
def test_nobody_goes_around_the_door(door: str) -> None:
    names, allowed = DOORS[door]
    found = {
        str(path.relative_to(SOURCE)) for path in SOURCE.rglob("*.py") if names & set(calls(path))
    }
    assert found == allowed
