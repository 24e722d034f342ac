"""Who has failed is asked last, and tried again by one asker at a time."""

from __future__ import annotations

import pytest

from xgate.net.turns import Turns
from xgate.testing.clock import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def turns(clock: FakeClock) -> Turns:
    return Turns(clock.monotonic, rest=60)


def test_they_are_asked_in_the_order_given(turns: Turns) -> None:
    assert turns.order(["b", "a", "c"]) == ["b", "a", "c"]


def test_one_that_failed_is_asked_last_until_it_answers(turns: Turns) -> None:
    turns.failed("b")
    assert turns.order(["b", "a", "c"]) == ["a", "c", "b"]
    turns.answered("b")
    assert turns.order(["b", "a", "c"]) == ["b", "a", "c"]


def test_who_rests_is_told_apart(turns: Turns) -> None:
    turns.failed("a")
    assert turns.split(["b", "a", "c"]) == (["b", "c"], ["a"])


def test_when_all_have_failed_they_keep_their_order(turns: Turns) -> None:
    for name in ("a", "b"):
        turns.failed(name)
    assert turns.order(["b", "a"]) == ["b", "a"]


def test_after_a_rest_a_single_asker_tries_it(turns: Turns, clock: FakeClock) -> None:
    turns.failed("b")
    clock.advance(59)
    assert turns.order(["b", "a"]) == ["a", "b"]
    clock.advance(1)
    assert turns.order(["b", "a"]) == ["b", "a"]
    assert turns.order(["b", "a"]) == ["a", "b"]
    clock.advance(60)
    assert turns.order(["b", "a"]) == ["b", "a"]


def test_names_that_nobody_asks_for_are_forgotten(turns: Turns, clock: FakeClock) -> None:
    turns.failed("old")
    clock.advance(600)
    turns.order(["a"])
    assert turns.order(["old", "a"]) == ["old", "a"]
    assert turns.order(["old", "a"]) == ["old", "a"]
