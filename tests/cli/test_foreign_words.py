"""Every code of the protocol is explained, whoever may send it, and none is explained twice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from xgate.cli.explain import explain_code
from xgate.cli.foreign_words import FOREIGN_WORDS
from xgate.cli.management_words import MANAGEMENT_WORDS
from xgate.cli.message_words import MESSAGE_WORDS, PREFIXES
from xgate.cli.words import WORDS


@pytest.mark.reference
def test_every_code_of_the_reference_is_explained_in_either_spelling(golden: Path) -> None:
    pairs = json.loads((golden / "error-codes.json").read_text())["codes"]
    codes = [code for pair in pairs for code in (pair["v7_7"], pair["v7_8"]) if code]
    assert len(codes) > 150
    assert [code for code in codes if explain_code(code) is None] == []


def test_no_code_is_explained_twice() -> None:
    others = MESSAGE_WORDS.keys() | WORDS.keys() | MANAGEMENT_WORDS.keys() | PREFIXES.keys()
    assert not FOREIGN_WORDS.keys() & others


def test_the_words_are_sentences() -> None:
    texts = [text for words in FOREIGN_WORDS.values() for text in (words.meaning, words.look_at)]
    for text in texts:
        assert text[0].isupper() or text[0] == "`", text
        assert text.endswith("."), text
