"""Every code that a verdict may have is explained."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import xgate
from xgate.cli.words import WORDS, find_words

SOURCE = Path(xgate.__file__).parent
# Raised there, and never on the way to a verdict.
ELSEWHERE = {
    "invalid_dn_parameter",
    "cannot_create_signature",
    "cannot_create_signature.internal_error",
    "mlog.timestamp_non_granted_response",
    "mlog.timestamp_response_validation_failed",
    "ssl_authentication_failed",
}
RAISED = re.compile(r'Fault\(\s*"([a-z_.]+)"')


def codes(room: str) -> set[str]:
    return {
        code for path in (SOURCE / room).glob("*.py") for code in RAISED.findall(path.read_text())
    }


@pytest.mark.parametrize("room", ["trust", "globalconf"])
def test_every_code_that_is_raised_there_has_words(room: str) -> None:
    found = codes(room)
    assert len(found) > 5
    assert {code for code in found - ELSEWHERE if find_words(code) is None} == set()


def test_what_stands_in_front_of_a_code_does_not_matter() -> None:
    code = "malformed_signature.invalid_hash_chain_ref"
    assert find_words(code) is WORDS["invalid_hash_chain_ref"]
    assert find_words("mlog.tsp_certificate_not_found") is WORDS["tsp_certificate_not_found"]
    assert find_words("invalid_cert_path.cert_validation") is WORDS["cert_validation"]


def test_a_code_may_be_explained_as_a_whole() -> None:
    whole = find_words("cannot_create_cert_path.internal_error")
    assert whole is not None
    assert whole is not find_words("internal_error")


def test_an_unknown_code_has_no_words() -> None:
    assert find_words("no.such.code") is None
    assert find_words("") is None


def test_the_words_are_sentences() -> None:
    for code, words in WORDS.items():
        for text in (words.meaning, words.look_at):
            assert text[0].isupper(), code
            assert text.endswith("."), code
