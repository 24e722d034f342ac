"""Findings, and the sentence that they end in."""

from __future__ import annotations

import msgspec
import pytest

from xgate.cli.doctor.finding import (
    Finding,
    broken,
    first_broken,
    ok,
    sentence_of,
    skipped,
    warning,
)


def named(finding: Finding, check: str) -> Finding:
    return msgspec.structs.replace(finding, check=check)


def test_the_first_broken_link_is_told_with_its_value_and_its_mend() -> None:
    chain = [
        named(ok("version 6"), "configuration"),
        named(warning("late", fix="Set it."), "time"),
        named(broken("it expired", about="certificate 7", fix="Get another."), "certificates"),
        named(broken("taken", fix="Stop it."), "ports"),
    ]
    assert first_broken(chain) == chain[2]
    assert sentence_of(chain) == (
        "The first broken link is certificates (certificate 7): it expired. Get another."
    )


def test_a_cause_that_is_a_sentence_ends_once() -> None:
    found = [named(broken("It is not approved.", fix="Ask."), "ca")]
    assert sentence_of(found) == "The first broken link is ca: It is not approved. Ask."


@pytest.mark.parametrize(
    ("findings", "said"),
    [
        ([ok("a"), skipped("b")], "Nothing is broken."),
        ([warning("a", fix="b")], "Nothing is broken; 1 warning."),
        ([warning("a", fix="b"), warning("c", fix="d")], "Nothing is broken; 2 warnings."),
    ],
)
def test_what_is_not_broken_is_told_too(findings: list[Finding], said: str) -> None:
    assert first_broken(findings) is None
    assert sentence_of(findings) == said


def test_a_script_sees_what_is_there_and_nothing_else() -> None:
    assert msgspec.json.encode(named(skipped("b", because="keys"), "peers")) == (
        b'{"check":"peers","state":"skipped","observed":"b","because":"keys"}'
    )
