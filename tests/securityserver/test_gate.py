"""Places for exchanges: shared fairly, waited for shortly, refused early."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from trio.testing import MockClock, wait_all_tasks_blocked

from xgate.errors import Fault
from xgate.securityserver.gate import Gate, GateLimits, NoMemoryError, open_gates
from xgate.securityserver.limit_settings import LimitSettings


class Visitors:
    """Who comes to a gate, each in a task of its own, and stays until it is sent away."""

    def __init__(self, gate: Gate, nursery: trio.Nursery) -> None:
        self.gate = gate
        self.inside: Counter[Hashable] = Counter()
        self.refused: Counter[Hashable] = Counter()
        self._nursery = nursery
        self._leave: dict[Hashable, list[trio.Event]] = {}

    async def come(self, who: Hashable, times: int = 1) -> None:
        for _ in range(times):
            self._nursery.start_soon(self._visit, who)
            await wait_all_tasks_blocked()

    async def leave(self, who: Hashable, times: int = 1) -> None:
        for _ in range(times):
            self._leave[who].pop(0).set()
            await wait_all_tasks_blocked()

    async def _visit(self, who: Hashable) -> None:
        try:
            async with self.gate.enter(who):
                self.inside[who] += 1
                over = trio.Event()
                self._leave.setdefault(who, []).append(over)
                try:
                    await over.wait()
                finally:
                    self.inside[who] -= 1
        except Fault as fault:
            self.refused[who] += fault.code == "network_error"


@asynccontextmanager
async def visitors_of(gate: Gate) -> AsyncIterator[Visitors]:
    async with trio.open_nursery() as nursery:
        yield Visitors(gate, nursery)
        nursery.cancel_scope.cancel()
    assert (gate.inside, gate.waiting, gate._waiting, gate._inside) == (0, 0, {}, Counter())


def gate_of(places: int = 8, queue: int = 8, wait: float = 2.0, **more: object) -> Gate:
    return Gate(GateLimits(places, queue, wait), **more)  # type: ignore[arg-type]  # by name


async def test_nobody_holds_more_places_than_are_free() -> None:
    async with visitors_of(gate_of()) as visitors:
        for who, most in (("a", 4), ("b", 2), ("c", 1), ("d", 1)):
            await visitors.come(who, most)
            assert visitors.inside[who] == most
        assert visitors.gate.inside == 8
        await visitors.come("e")
        assert visitors.inside["e"] == 0  # it waits
        await visitors.leave("a")
        assert visitors.inside["e"] == 1


async def test_who_has_weight_may_hold_so_many_times_what_is_free() -> None:
    gate = Gate(GateLimits(8, 8, 2.0, weight=3))
    async with visitors_of(gate) as visitors:
        await visitors.come("a", 7)
        await visitors.come("b", 2)
        assert visitors.inside == Counter(a=6, b=2)


async def test_at_the_border_the_next_one_waits_and_comes_in_when_another_leaves(
    autojump_clock: MockClock,
) -> None:
    autojump_clock.autojump_threshold = float("inf")
    async with visitors_of(gate_of()) as visitors:
        await visitors.come("a", 5)
        assert (visitors.inside["a"], visitors.gate.waiting) == (4, 1)
        await visitors.leave("a")
        assert (visitors.inside["a"], visitors.gate.waiting) == (4, 0)


async def test_a_flood_from_one_does_not_delay_another(autojump_clock: MockClock) -> None:
    autojump_clock.autojump_threshold = float("inf")
    async with visitors_of(gate_of(places=100, queue=50)) as visitors:
        await visitors.come("flood", 500)
        assert visitors.inside["flood"] == 50
        assert visitors.gate.waiting == 25
        assert visitors.refused["flood"] == 500 - 50 - 25
        await visitors.come("other", 20)
        assert visitors.inside["other"] == 20
        assert trio.current_time() == 0


async def test_a_free_place_goes_to_whoever_holds_the_fewest(autojump_clock: MockClock) -> None:
    autojump_clock.autojump_threshold = float("inf")
    async with visitors_of(gate_of(places=6, queue=20)) as visitors:
        await visitors.come("a", 3)
        await visitors.come("b", 2)
        await visitors.come("c")
        await visitors.come("a", 3)
        await visitors.come("c", 1)
        await visitors.come("b", 1)
        await visitors.come("d", 1)
        await visitors.leave("a")
        assert visitors.inside == Counter(a=2, b=2, c=1, d=1)
        await visitors.leave("a", 2)
        await visitors.leave("b", 1)
        assert visitors.inside["c"] == 2


async def test_nobody_overtakes_its_own(autojump_clock: MockClock) -> None:
    autojump_clock.autojump_threshold = float("inf")
    entered: list[int] = []
    gate = gate_of(places=2)

    async def visit(number: int) -> None:
        async with gate.enter("a"):
            entered.append(number)
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        for number in range(4):
            nursery.start_soon(visit, number)
            await trio.lowlevel.checkpoint()
    assert entered == sorted(entered)


async def test_whoever_waits_is_refused_in_time_and_told_so(autojump_clock: MockClock) -> None:
    async with visitors_of(gate_of(places=2)) as visitors:
        visitors._nursery.start_soon(visitors._visit, "a")
        visitors._nursery.start_soon(visitors._visit, "a")
        await trio.sleep(1.99)
        assert visitors.refused["a"] == 0
        await trio.sleep(0.02)
        assert visitors.refused["a"] == 1
        assert visitors.gate.refused == {"exchanges": 1}


async def test_the_queue_is_shared_by_the_same_rule(autojump_clock: MockClock) -> None:
    autojump_clock.autojump_threshold = float("inf")
    async with visitors_of(gate_of(places=2, queue=4)) as visitors:
        await visitors.come("a", 5)
        assert (visitors.gate.waiting, visitors.refused["a"]) == (2, 2)
        await visitors.come("b", 3)  # one has the last place, one waits
        assert (visitors.inside["b"], visitors.gate.waiting) == (1, 3)
        assert visitors.refused["b"] == 1
        assert visitors.gate.refused == {"exchanges-waiting": 3}


async def limit_met(gate: Gate) -> str:
    """Which limit somebody meets who is inside already."""
    with pytest.raises(Fault) as refusal:
        async with gate.enter("a"), gate.enter("a"):
            pytest.fail("there is no second place")
    return refusal.value.limit


async def test_a_refusal_names_the_gate_and_the_setting_that_was_met() -> None:
    full = gate_of(places=2, wait=0.01, name="callers")
    assert await limit_met(full) == "[limits] exchanges = 2, at the gate of callers"
    queued = gate_of(places=2, queue=0, name="peers")
    assert await limit_met(queued) == "[limits] exchanges-waiting = 0, at the gate of peers"
    strained = gate_of(wait=0.01, strained=lambda: "late-seconds = 1", name="peers")
    assert await limit_met(strained) == "[limits] late-seconds = 1, at the gate of peers"
    assert strained.refused == {"late-seconds": 1}
    memory = Gate(GateLimits(8, 8, 2.0, octets=10), name="callers")
    async with memory.enter("a") as visit:
        with pytest.raises(NoMemoryError) as refusal:
            visit.claim(11)
    assert refusal.value.limit == "[limits] memory-bytes = 10, at the gate of callers"


async def test_memory_is_shared_by_the_same_rule_and_given_back() -> None:
    gate = Gate(GateLimits(8, 8, 2.0, octets=1000))
    async with gate.enter("a") as first, gate.enter("a") as second:
        first.claim(300)
        second.claim(200)
        with pytest.raises(OSError, match="try again later"):
            second.claim(1)  # as much as is free
        async with gate.enter("b") as other:
            other.claim(250)
            with pytest.raises(OSError, match="try again later"):
                other.claim(1)
            assert gate.octets == 750
        assert gate.octets == 500
    assert (gate.octets, gate._octets, gate.refused) == (0, Counter(), {"memory-bytes": 2})


async def test_a_visitor_that_gives_up_leaves_nothing_behind() -> None:
    gate = gate_of(places=2)
    async with visitors_of(gate) as visitors:
        await visitors.come("a", 1)
        with trio.move_on_after(0):
            async with gate.enter("a"):
                pytest.fail("there is no place")
        assert gate.waiting == 0


async def test_one_that_is_cancelled_and_called_at_once_gives_its_place_back() -> None:
    gate = gate_of(places=2)
    scope = trio.CancelScope()

    async def wait() -> None:
        with scope:
            async with gate.enter("a"):
                pytest.fail("it was cancelled")

    async with trio.open_nursery() as nursery, gate.enter("a"):
        nursery.start_soon(wait)
        await wait_all_tasks_blocked()
        assert gate.waiting == 1
        scope.cancel()
    assert (gate.inside, gate.waiting) == (0, 0)


async def test_under_strain_only_those_who_hold_less_than_the_others_get_more(
    autojump_clock: MockClock,
) -> None:
    autojump_clock.autojump_threshold = float("inf")
    strained = ""
    async with visitors_of(gate_of(places=100, strained=lambda: strained)) as visitors:
        await visitors.come("a", 10)
        await visitors.come("b", 2)
        strained = "late-seconds = 1"
        await visitors.come("a")
        await visitors.come("b")
        await visitors.come("c")
        assert visitors.inside == Counter(a=10, b=3, c=1)
        await visitors.leave("a", 7)
        assert visitors.inside["a"] == 4  # it waited, and the others hold as many now
        assert visitors.gate.waiting == 0


async def test_when_the_strain_is_over_nobody_is_refused_for_it(
    autojump_clock: MockClock,
) -> None:
    strained = "late-seconds = 1"
    async with visitors_of(gate_of(strained=lambda: strained)) as visitors:
        visitors._nursery.start_soon(visitors._visit, "a")
        visitors._nursery.start_soon(visitors._visit, "a")
        await trio.sleep(1)
        assert visitors.inside["a"] == 1
        strained = ""
        await trio.sleep(1.5)
        assert (visitors.inside["a"], visitors.refused["a"]) == (2, 0)


@given(
    places=st.integers(1, 12),
    acts=st.lists(st.tuples(st.sampled_from("abcd"), st.booleans()), max_size=60),
)
def test_whatever_comes_and_goes_the_rule_holds(places: int, acts: list[tuple[str, bool]]) -> None:
    async def main() -> None:
        gate = gate_of(places, queue=6)
        async with visitors_of(gate) as visitors:
            for who, comes in acts:
                if comes:
                    await visitors.come(who)
                elif visitors.inside[who]:
                    await visitors.leave(who)
                assert gate.inside == sum(visitors.inside.values()) <= places
                assert gate.waiting <= 6
                able = [name for name in gate._waiting if gate._has_place(name)]
                assert not able, "a free place and somebody who waits for it"

    trio.run(main, clock=MockClock())


def test_a_server_has_gates_with_the_limits_of_its_settings() -> None:
    gates = open_gates(LimitSettings(exchanges=3, exchanges_waiting=2, wait_seconds=1), lambda: 9.0)
    assert gates.callers is not gates.peers
    limits = GateLimits(3, 2, 1, octets=512 << 20)
    assert gates.callers.limits == gates.peers.limits == limits
    assert gates.providers is not gates.services
    assert gates.providers.limits == gates.services.limits == replace(limits, weight=3)
    assert gates.strain()  # the log is too far behind
    assert not open_gates(LimitSettings(slow_log_seconds=9), lambda: 9.0).strain()
