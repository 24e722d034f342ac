"""Scopes: how a stream of XML events is read without a tree.

The rule: an open element that matters has a scope; the scope names the scope of each child, or
None to pass over the child with all it holds. A scope gets its own character data, and not that of
its children, when it closes.
"""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Scope", "ScopeReader", "TextScope", "local_name"]


class Scope:
    """An element that is open. This one passes over everything."""

    def child(self, name: str, attributes: dict[str, str], offset: int) -> Scope | None:
        """The scope of a child that opens at ``offset``; None to pass over it."""
        return None

    def close(self, text: str, offset: int) -> None:
        """The element closes at ``offset`` (as ``Scanner.end`` has it)."""


class TextScope(Scope):
    """An element of which only the text matters."""

    def __init__(self, put: Callable[[str], None]) -> None:
        self._put = put

    def close(self, text: str, offset: int) -> None:
        """Hand the text over."""
        self._put(text)


class ScopeReader:
    """The scanner's handler: it keeps the open scopes and their texts."""

    def __init__(self, outermost: Scope) -> None:
        self._scopes = [outermost]
        self._texts: list[list[str]] = [[]]

    def start(self, name: str, attributes: dict[str, str], offset: int) -> bool:
        """An element opens; False passes over it."""
        scope = self._scopes[-1].child(name, attributes, offset)
        if scope is None:
            return False
        self._scopes.append(scope)
        self._texts.append([])
        return True

    def text(self, text: str) -> None:
        """Character data of the innermost open element."""
        self._texts[-1].append(text)

    def end(self, name: str, offset: int) -> None:
        """The innermost open element closes."""
        self._scopes.pop().close("".join(self._texts.pop()), offset)


def local_name(name: str) -> str:
    """The name without its ``{namespace}``."""
    return name.rpartition("}")[2]
