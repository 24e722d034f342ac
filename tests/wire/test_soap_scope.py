"""Scopes: what matters in a document is followed, all else is passed over."""

from __future__ import annotations

from xgate.wire.soap_scope import Scope, ScopeReader, TextScope, local_name
from xgate.wire.xml import scan


class Wanted(Scope):
    def __init__(self, log: list[str]) -> None:
        self.log = log

    def child(self, name: str, attributes: dict[str, str], offset: int) -> Scope | None:
        if name == "text":
            return TextScope(self.log.append)
        return Wanted(self.log) if name == "wanted" else None

    def close(self, text: str, offset: int) -> None:
        self.log.append(f"closed at {offset} with {text!r}")


def test_a_scope_gets_its_own_text_and_not_that_of_what_it_passes_over() -> None:
    document = b"<wanted>a<x>b<wanted>c</wanted><text>d</text></x>e<text>f<g>h</g>i</text></wanted>"
    log: list[str] = []
    scan(document, ScopeReader(Wanted(log)))
    assert log == ["fi", f"closed at {document.rindex(b'</')} with 'ae'"]


def test_a_plain_scope_passes_over_everything() -> None:
    scan(b"<a><b/>c</a>", ScopeReader(Scope()))


def test_local_names() -> None:
    assert local_name("{urn:a}b") == local_name("b") == "b"
