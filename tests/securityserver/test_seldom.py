"""What strangers bring about is told once a minute, and what was not told is counted."""

from __future__ import annotations

from xgate.sandbox.lines import Lines
from xgate.securityserver.journal import Journal
from xgate.securityserver.seldom import Seldom
from xgate.testing.clock import FakeClock


def test_each_thing_is_told_once_a_minute() -> None:
    clock, lines = FakeClock(), Lines()
    seldom = Seldom(Journal(clock, lines.write), clock)
    for thing in ("a", "b", "a", "a"):
        seldom.event(thing, "refused", peer=thing, status=400)
    assert [(line["event"], line["peer"], line["status"]) for line in lines] == [
        ("refused", "a", 400),
        ("refused", "b", 400),
    ]
    assert not any("untold" in line for line in lines)
    clock.advance(59.9)
    seldom.event("a", "refused")
    assert len(lines) == 2
    clock.advance(0.1)
    seldom.event("b", "refused")
    seldom.event("a", "refused")
    assert [line.get("untold") for line in lines] == [None, None, 3, None]


def test_so_many_things_are_told_and_no_more() -> None:
    clock, lines = FakeClock(), Lines()
    seldom = Seldom(Journal(clock, lines.write), clock)
    for thing in range(250):
        seldom.event(thing, "refused")
    assert len(lines) == 100
    clock.advance(60)
    seldom.event(0, "refused")
    assert list(lines)[-1]["untold"] == 150
