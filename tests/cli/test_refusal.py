"""A refusal tells code and cause, and words where there are some."""

from __future__ import annotations

from xgate.cli.refusal import Refusal, refusal_of, refusal_rows
from xgate.errors import Fault


def test_a_code_with_words() -> None:
    refusal = refusal_of(Fault("asic_signature_not_found", "No signatures.xml"))
    assert (refusal.code, refusal.cause) == ("asic_signature_not_found", "No signatures.xml")
    assert [what for what, _ in refusal_rows(refusal)] == ["code", "cause", "meaning", "look at"]


def test_a_code_without_words() -> None:
    refusal = refusal_of(Fault("new_code", "It is new"))
    assert refusal == Refusal("new_code", "It is new")
    assert refusal_rows(refusal) == [("code", "new_code"), ("cause", "It is new")]
