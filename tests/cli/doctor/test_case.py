"""What checks hand to each other."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import trio
from trio.testing import MockClock

from xgate.cli.doctor.case import Case, OtherClock, ask_all, serial_text
from xgate.testing.authority import NOW
from xgate.testing.clock import FakeClock
from xgate.testing.pki import issue, make_ca, make_key


async def test_all_are_asked_at_once_and_answer_in_order(autojump_clock: MockClock) -> None:
    async def ask(seconds: int) -> str:
        await trio.sleep(seconds)
        return f"after {seconds}"

    began = trio.current_time()
    assert await ask_all(ask, [3, 1, 2]) == ["after 3", "after 1", "after 2"]
    assert trio.current_time() - began == 3


async def test_nobody_to_ask() -> None:
    assert await ask_all(trio.sleep, []) == []


def test_another_clock_is_seen_from_ours() -> None:
    case = Case(Path("xgate.toml"), FakeClock(NOW))
    case.note_clock("tsa", NOW + timedelta(minutes=3))
    assert case.clocks == [OtherClock("tsa", timedelta(minutes=3))]


def test_a_server_whose_keys_are_not_open_has_no_certificates() -> None:
    assert Case(Path("xgate.toml"), FakeClock(NOW)).certificates == ()


def test_a_long_serial_number_is_shortened() -> None:
    ca = make_ca()
    short = issue(ca, [], make_key("short"), serial=1234)
    long = issue(ca, [], make_key("long"), serial=12345678901234)
    assert serial_text(short.certificate) == "certificate 1234"
    assert serial_text(long.certificate) == "certificate 12345678..."
