"""A loop that is kept from its work is found late."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from xgate.keepers.pulse import SETTLING, Pulse

BEAT = 0.01


@pytest.fixture
def mock_clock() -> MockClock:
    return MockClock()


async def beat(mock_clock: MockClock, late: float = 0.0) -> None:
    """Let the time of the next beat pass, and this much more before the loop runs."""
    await wait_all_tasks_blocked()
    mock_clock.jump(BEAT + late)
    await wait_all_tasks_blocked()


async def test_the_latest_beat_is_told_and_how_many_were_late(mock_clock: MockClock) -> None:
    pulse = Pulse(BEAT)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pulse.keep)
        await wait_all_tasks_blocked()
        mock_clock.jump(SETTLING + 5)  # what is late before that is nobody's concern
        for late in (0.0, 0.03, 0.0006, 0.0):
            await beat(mock_clock, late)
        assert pulse.longest == pytest.approx(0.03)
        counts = {f"over_{ms}_ms": 1 for ms in (1, 2, 5, 10, 20)}
        assert pulse.told() == {"longest_ms": 30.0, **counts}
        await beat(mock_clock, 0.015)
        assert pulse.longest == pytest.approx(0.03)
        assert pulse.told()["over_10_ms"] == 2
        nursery.cancel_scope.cancel()


async def test_a_loop_in_time_has_no_late_beats(mock_clock: MockClock) -> None:
    pulse = Pulse(BEAT)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pulse.keep)
        await wait_all_tasks_blocked()
        mock_clock.jump(SETTLING)
        for _ in range(5):
            await beat(mock_clock)
        assert pulse.longest < 1e-9
        assert list(pulse.told()) == ["longest_ms"]
        nursery.cancel_scope.cancel()
