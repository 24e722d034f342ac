"""Every section refuses what it does not know, and writes its keys with hyphens."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import pytest

from xgate.securityserver.section import Section, SettingsError, read_table


class Sample(Section, frozen=True):
    two_words: Annotated[int, msgspec.Meta(le=9)] = 1
    text: str = ""
    inner: tuple[Sample, ...] = ()


def test_keys_are_written_with_hyphens() -> None:
    assert msgspec.convert({"two-words": 2}, Sample).two_words == 2


def test_an_unknown_key_is_refused_by_name() -> None:
    with pytest.raises(msgspec.ValidationError, match="unknown field `two_words`"):
        msgspec.convert({"two_words": 2}, Sample)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("two-words = 10", r"`int` <= 9 - at `\$\.two-words`, and it is 10"),
        ("[[inner]]\n[[inner]]\ntwo-words = 11", r"`\$\.inner\[1\]\.two-words`, and it is 11"),
        ("two-words = 'hidden'", r"got `str` - at `\$\.two-words`"),
        ("text = 12", r"got `int` - at `\$\.text`"),
    ],
)
def test_a_number_that_may_not_be_is_told_and_no_text_is(
    tmp_path: Path, text: str, said: str
) -> None:
    file = tmp_path / "sample.toml"
    file.write_text(text)
    with pytest.raises(SettingsError, match=said + "$"):
        read_table(file, Sample)
