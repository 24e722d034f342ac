"""The file that maps members to OpenPGP keys."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xgate.messagelog.key_map import read_key_map, useless_lines


@pytest.mark.reference
def test_the_reference_s_file_is_read_as_it_reads_it(golden: Path) -> None:
    text = (golden / "messagelog" / "gpg" / "keys.ini").read_text("utf-8")
    told = json.loads((golden / "vectors.json").read_text("utf-8"))["gpg_keys_ini"]
    assert {member: list(keys) for member, keys in read_key_map(text).items()} == told
    assert len(useless_lines(text)) == 4


def test_comments_and_empty_lines_say_nothing_and_others_are_told() -> None:
    text = "# comment\n\n  # another\nEE/GOV/1 = AB\nno key\n=\r\nEE/GOV/2 =\n = AB\n"
    assert read_key_map(text) == {"EE/GOV/1": ("AB",)}
    assert useless_lines(text) == (5, 6, 7, 8)


words = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=9)
members = words.filter(lambda word: "\\" not in word)
pairs = st.lists(st.tuples(members, words), max_size=6)


@given(pairs)
@settings(max_examples=100, deadline=None)
def test_what_is_escaped_is_read_back(given_pairs: list[tuple[str, str]]) -> None:
    lines = [
        f"  {member.replace('=', chr(92) + '=').replace('#', chr(92) + '#')}  =  {key}  "
        for member, key in given_pairs
    ]
    wanted: dict[str, list[str]] = {}
    for member, key in given_pairs:
        keys = wanted.setdefault(member, [])
        keys += [] if key in keys else [key]
    found = read_key_map("\n".join(lines))
    assert {member: list(keys) for member, keys in found.items()} == wanted


@given(st.text(max_size=100))
@settings(max_examples=100, deadline=None)
def test_garbage_says_nothing_or_something(text: str) -> None:
    for member, keys in read_key_map(text).items():
        assert member
        assert all(keys)
