"""Every section refuses what it does not know, and writes its keys with hyphens."""

from __future__ import annotations

import msgspec
import pytest

from xgate.securityserver.section import Section


class Sample(Section, frozen=True):
    two_words: int = 1


def test_keys_are_written_with_hyphens() -> None:
    assert msgspec.convert({"two-words": 2}, Sample).two_words == 2


def test_an_unknown_key_is_refused_by_name() -> None:
    with pytest.raises(msgspec.ValidationError, match="unknown field `two_words`"):
        msgspec.convert({"two_words": 2}, Sample)
