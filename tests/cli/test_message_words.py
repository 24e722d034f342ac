"""Every code that a message may be refused with is explained, and no code is explained twice."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import xgate
from xgate.cli.explain import explain_code
from xgate.cli.message_words import MESSAGE_WORDS, PREFIXES

SOURCE = Path(xgate.__file__).parent
RAISED = re.compile(r'Fault\(\s*"([a-z_.]+)"')


@pytest.mark.parametrize(
    "room", ["wire", "policy", "securityserver", "signer", "serverconf", "messagelog"]
)
def test_every_code_that_is_raised_there_is_explained(room: str) -> None:
    found = {
        code for path in (SOURCE / room).glob("*.py") for code in RAISED.findall(path.read_text())
    }
    # Of archives in the making the server's own log tells, and nobody else is told.
    on_the_wire = {code for code in found if not code.startswith("archive_")} - ELSEWHERE
    assert on_the_wire
    assert {code for code in on_the_wire if explain_code(code) is None} == set()


# Codes of plain answers and of reading, which never leave in a fault.
ELSEWHERE = {"not_found", "timestamp_non_granted_response"}


def test_the_words_are_sentences() -> None:
    texts = [text for words in MESSAGE_WORDS.values() for text in (words.meaning, words.look_at)]
    for text in (*texts, *PREFIXES.values()):
        assert text[0].isupper() or text[0] == "`", text
        assert text.endswith("."), text
