"""Every refusal of commands on keys and configuration is explained."""

from __future__ import annotations

from pathlib import Path

import xgate
from xgate.cli.explain import explain_code
from xgate.cli.management_words import MANAGEMENT_WORDS
from xgate.cli.message_words import MESSAGE_WORDS
from xgate.cli.words import WORDS

SOURCE = Path(xgate.__file__).parent


def test_every_code_in_the_table_is_raised_somewhere() -> None:
    text = "".join(path.read_text() for path in SOURCE.rglob("*.py") if "words" not in path.name)
    assert {code for code in MANAGEMENT_WORDS if f'"{code}"' not in text} == set()


def test_no_code_is_explained_twice() -> None:
    assert not MANAGEMENT_WORDS.keys() & (MESSAGE_WORDS.keys() | WORDS.keys())


def test_they_are_found_by_either_spelling() -> None:
    explained = explain_code("signer.token_readonly")
    assert explained is not None
    assert explained.meaning == MANAGEMENT_WORDS["token_readonly"].meaning
    assert explain_code("Signer.LoginFailed") is not None


def test_the_words_are_sentences() -> None:
    texts = [text for words in MANAGEMENT_WORDS.values() for text in (words.meaning, words.look_at)]
    for text in texts:
        assert text[0].isupper() or text[0] == "`", text
        assert text.endswith("."), text
