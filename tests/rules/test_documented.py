"""Every file says what it is for; every public name says what it is and what it raises."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src" / "xgate"
FILES = sorted(SOURCE.rglob("*.py"))


def public_names(tree: ast.Module) -> set[str]:
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(
            isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets
        ):
            return set(ast.literal_eval(node.value))
    return set()


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_a_file_and_its_public_names_are_documented(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree), "the file does not say what it is for"
    named = public_names(tree)
    if path.name not in ("__init__.py", "__main__.py", "build.py"):
        assert named, "__all__ is missing"
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            if node.name in named:
                assert ast.get_docstring(node), f"{node.name} has no docstring"
                continue
            assert node.name.startswith("_"), f"{node.name} is neither private nor in __all__"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_all_is_true(path: Path) -> None:
    tree = ast.parse(path.read_text())
    # Names that are loaded when asked for are imported for the type checker only.
    conditional = [inner for node in tree.body if isinstance(node, ast.If) for inner in node.body]
    defined = {
        name
        for node in (*tree.body, *conditional)
        for name in (
            [node.name]
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            else [n.id for t in node.targets for n in ast.walk(t) if isinstance(n, ast.Name)]
            if isinstance(node, ast.Assign)
            else [node.target.id]
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
            else [a.asname or a.name for a in node.names]
            if isinstance(node, ast.ImportFrom | ast.Import)
            else []
        )
    }
    assert public_names(tree) <= defined
