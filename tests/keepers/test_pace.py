"""Rests differ, and none is longer than was said."""

from __future__ import annotations

import pytest

from xgate.keepers.pace import spread


@pytest.fixture
def steady() -> None:
    """Not here: chance is what is looked at."""


def test_rests_differ_and_are_never_longer() -> None:
    rests = {spread(60) for _ in range(100)}
    assert len(rests) > 90
    assert all(48 <= rest <= 60 for rest in rests)
    assert max(rests) - min(rests) > 6


def test_nothing_is_no_rest() -> None:
    assert spread(0.0) == 0.0
