"""Limits are explained by the name of a setting that there is, with the value that was met."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

from xgate.cli.limit_words import LIMIT_WORDS, explain_limit
from xgate.net.listen import AcceptLimits, Crowd
from xgate.net.room import Room
from xgate.securityserver.gate import open_gates
from xgate.securityserver.limit_settings import LimitSettings
from xgate.securityserver.occupancy import look_at
from xgate.securityserver.server import SecurityServer
from xgate.securityserver.spool_settings import KEYS, SpoolSettings

LIMITS = LimitSettings()
SERVER = SimpleNamespace(
    gates=open_gates(LIMITS, lambda: 0.0),
    room=Room(),
    crowd=Crowd(AcceptLimits()),
    servers_refused=0,
    settings=SimpleNamespace(limits=LIMITS),
)


def test_every_word_is_of_a_setting_and_the_room_has_all() -> None:
    settings = {
        *LimitSettings.__struct_encode_fields__,
        *SpoolSettings.__struct_encode_fields__,
    }
    assert set(LIMIT_WORDS) <= settings
    assert set(KEYS.values()) <= set(LIMIT_WORDS)


def test_whatever_statistics_count_has_words() -> None:
    counted = look_at(cast("SecurityServer", SERVER)).connections.refused
    assert set(counted) <= set(LIMIT_WORDS)


def test_the_limit_is_told_as_the_line_has_it() -> None:
    words = explain_limit("[limits] exchanges = 8, at the gate of callers")
    assert words is not None
    assert words.meaning.endswith("The limit: [limits] exchanges = 8, at the gate of callers.")
    assert "Raise it" in words.look_at
    assert explain_limit("") is explain_limit("[limits] unheard-of = 1") is None


def test_the_words_are_sentences() -> None:
    for words in LIMIT_WORDS.values():
        for sentence in (words.meaning, words.look_at):
            assert sentence.endswith(".")
