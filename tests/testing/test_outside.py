"""Time that flies, services that answer or fail, and reports that can be waited for."""

from __future__ import annotations

import pytest
import trio

from xgate.net.errors import NetError
from xgate.testing.authority import NOW
from xgate.testing.outside import LoopClock, Services, Watch


async def test_the_wall_clock_goes_with_the_loops(
    autojump_clock: trio.testing.MockClock,
) -> None:
    clock = LoopClock()
    assert (clock.now(), clock.monotonic()) == (NOW, 0.0)
    await trio.sleep(3600)
    assert (clock.now() - NOW).total_seconds() == clock.monotonic() == 3600


async def test_threads_see_the_same_time(mock_clock: trio.testing.MockClock) -> None:
    clock = LoopClock(clock=mock_clock)
    mock_clock.jump(3600)
    assert await trio.to_thread.run_sync(clock.monotonic) == 3600.0
    assert (clock.now() - NOW).total_seconds() == 3600.0


async def test_a_report_is_waited_for_by_its_name(autojump_clock: trio.testing.MockClock) -> None:
    watch = Watch()

    async def tell() -> None:
        for number in range(3):
            await trio.sleep(10)
            watch("other")
            watch("done", number=number)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(tell)
        reports = await watch.wait("done", 2)
    assert [(report.time, report.fields) for report in reports] == [
        (10, {"number": 0}),
        (20, {"number": 1}),
    ]


async def test_a_service_answers_late_or_not_at_all(
    autojump_clock: trio.testing.MockClock,
) -> None:
    services = Services()

    async def late(body: bytes) -> bytes:
        await trio.sleep(5)
        return body * 2

    def never(_: bytes) -> bytes:
        raise NetError("refused")

    services.answers = {"late": late, "never": never, "now": lambda body: body}
    assert await services.post("now", b"a", "text/x") == b"a"
    assert await services.post("late", b"a", "text/y") == b"aa"
    with pytest.raises(NetError):
        await services.post("never", b"a", "text/y")
    assert services.asked == [(0, "now"), (0, "late"), (5, "never")]
    assert services.urls == ["now", "late", "never"]
    assert services.kinds == {"text/x", "text/y"}


async def test_a_report_that_never_comes_is_not_waited_for_without_end(
    autojump_clock: trio.testing.MockClock,
) -> None:
    watch = Watch(most=3)

    async def tell() -> None:
        while True:
            await trio.sleep(10)
            watch("other")

    with pytest.RaisesGroup(pytest.RaisesExc(AssertionError, match="3 reports")):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(tell)
            await watch.wait("done")
