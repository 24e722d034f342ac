"""The house's layers: no room imports upward, and above the trio line nothing touches the world."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src" / "xgate"

FLOORS = [
    {"errors", "ids", "algorithms", "owner"},
    {"_native"},
    {"wire"},
    {"trust"},
    {"globalconf", "serverconf"},
    {"policy"},
    {"clock", "cell", "batch"},
    {"net"},
    {"signer", "messagelog", "opmonitor"},
    {"keepers"},
    {"securityserver"},
    {"testing"},
    {"sandbox"},
    {"cli"},
]
TRIO_LINE = 6
WORLDLY = {"trio", "h11", "ssl", "OpenSSL", "socket", "threading", "asyncio", "random", "secrets"}
CLOCKS = {("datetime", "now"), ("datetime", "utcnow"), ("time", "time"), ("time", "monotonic")}
# These three speak of each other: identifiers are refused by Faults.
TOGETHER = [{"errors", "ids", "algorithms"}]


def floor_of(room: str) -> int:
    return next(level for level, rooms in enumerate(FLOORS) if room in rooms)


def room_of(path: Path) -> str:
    return path.relative_to(SOURCE).with_suffix("").parts[0]


def files() -> list[Path]:
    doors = (SOURCE / "__init__.py", SOURCE / "__main__.py")
    return [p for p in sorted(SOURCE.rglob("*.py")) if p not in doors]


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module or ""


@pytest.mark.parametrize("path", files(), ids=lambda p: str(p.relative_to(SOURCE)))
def test_a_file_imports_only_from_below(path: Path) -> None:
    here = room_of(path)
    for name in imports(path):
        if not name.startswith("xgate."):
            continue
        there = name.split(".")[1]
        if there == here or {here, there} <= TOGETHER[0]:
            continue
        assert floor_of(there) < floor_of(here), f"{here} may not import {there} ({name})"


@pytest.mark.parametrize(
    "path",
    [p for p in files() if floor_of(room_of(p)) < TRIO_LINE],
    ids=lambda p: str(p.relative_to(SOURCE)),
)
def test_above_the_trio_line_nothing_touches_the_world(path: Path) -> None:
    for name in imports(path):
        assert name.split(".")[0] not in WORLDLY, f"{name} belongs below the trio line"
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = node.func.value
            called = (owner.id if isinstance(owner, ast.Name) else "", node.func.attr)
            assert called not in CLOCKS, f"line {node.lineno}: time is an argument here"


def test_every_room_has_a_floor() -> None:
    rooms = {room_of(path) for path in files()}
    assert rooms <= set().union(*FLOORS)
