"""A store of one's own: private, real, and of no other process."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from xgate.testing.softhsm import SoftHsm, SoftHsmError, find_softhsm


def slots(store: SoftHsm) -> str:
    return subprocess.run(
        ["softhsm2-util", "--show-slots"],
        env={**os.environ, **store.environment},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_tokens_come_and_go(softhsm: SoftHsm) -> None:
    softhsm.make_token("first", "1234", "123456")
    softhsm.make_token("second", "1234", "123456")
    softhsm.delete_token("first")
    assert "second" in slots(softhsm)
    assert "first" not in slots(softhsm)


def test_stores_are_apart_and_for_their_user_alone(softhsm: SoftHsm, tmp_path: Path) -> None:
    softhsm.make_token("mine", "1234", "123456")
    other = SoftHsm(softhsm.library, tmp_path / "other")
    assert "mine" not in slots(other)
    assert other.conf.parent.stat().st_mode & 0o077 == 0


def test_it_is_told_why_nothing_was_made(softhsm: SoftHsm) -> None:
    with pytest.raises(SoftHsmError, match="length of the PIN is out of range"):
        softhsm.make_token("x", "1", "2")
    with pytest.raises(SoftHsmError, match="Could not find a token"):
        softhsm.delete_token("nobody's")


def test_in_the_block_this_process_uses_the_store(softhsm: SoftHsm, tmp_path: Path) -> None:
    other = SoftHsm(softhsm.library, tmp_path / "other")
    before = os.environ["SOFTHSM2_CONF"]
    with other.in_this_process():
        assert os.environ["SOFTHSM2_CONF"] == str(other.conf) != before
    assert os.environ["SOFTHSM2_CONF"] == before


def test_it_is_found_where_the_package_puts_it(softhsm: SoftHsm) -> None:
    assert find_softhsm() == softhsm.library
    assert softhsm.library.name == "libsofthsm2.so"
