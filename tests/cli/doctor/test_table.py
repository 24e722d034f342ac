"""The table's order is the order in which things can break."""

from __future__ import annotations

from xgate.cli.doctor.table import TABLE

NAMES = [check.name for check in TABLE]


def test_every_name_is_there_once_and_what_it_needs_too() -> None:
    assert len(set(NAMES)) == len(NAMES)
    for check in TABLE:
        assert {*check.needs, *check.after} <= set(NAMES), check.name


def test_there_is_an_order_in_which_all_can_run() -> None:
    done: set[str] = set()
    left = list(TABLE)
    while left:
        ready = [check for check in left if {*check.needs, *check.after} <= done]
        assert ready, f"these wait for each other: {[check.name for check in left]}"
        done |= {check.name for check in ready}
        left = [check for check in left if check not in ready]


def test_the_chain_begins_with_what_all_hangs_on() -> None:
    assert NAMES[:6] == ["settings", "clients", "files", "anchor", "configuration", "time"]
