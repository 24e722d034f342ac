"""What the words for the codes of messages look like."""

from __future__ import annotations

from xgate.cli.message_words import MESSAGE_WORDS, PREFIXES


def test_the_words_are_sentences() -> None:
    texts = [text for words in MESSAGE_WORDS.values() for text in (words.meaning, words.look_at)]
    for text in (*texts, *PREFIXES.values()):
        assert text[0].isupper() or text[0] == "`", text
        assert text.endswith("."), text
