"""How long messages go on while nobody stamps them."""

from __future__ import annotations

import pytest

from xgate.errors import Fault
from xgate.messagelog.outage import Outage
from xgate.testing.clock import FakeClock


def make(clock: FakeClock, accepted: float = 100.0, services: tuple[str, ...] = ("u",)) -> Outage:
    return Outage(lambda: services, clock.monotonic, accepted)


def refusal(outage: Outage) -> tuple[str, str]:
    with pytest.raises(Fault) as caught:
        outage.check()
    return caught.value.code, caught.value.text


def test_messages_go_on_for_the_accepted_time_after_the_first_failure() -> None:
    clock = FakeClock()
    outage = make(clock)
    outage.check()
    outage.begin()
    clock.advance(60)
    outage.begin()  # the first failure counts
    clock.advance(40)
    outage.check()
    clock.advance(1)
    assert refusal(outage) == ("timestamping_failed", "Cannot time-stamp messages")


def test_a_success_ends_it_and_the_next_failure_begins_anew() -> None:
    clock = FakeClock()
    outage = make(clock)
    seen = [outage.lasting]
    outage.begin()
    clock.advance(101)
    seen.append(outage.lasting)
    outage.end()
    seen.append(outage.lasting)
    assert seen == [False, True, False]
    outage.check()
    outage.begin()
    clock.advance(100)
    outage.check()


def test_a_wall_clock_that_jumps_changes_nothing() -> None:
    clock = FakeClock()
    outage = make(clock)
    outage.begin()
    clock.jump_to(clock.now().replace(year=2099))
    outage.check()


def test_zero_accepts_for_ever() -> None:
    clock = FakeClock()
    outage = make(clock, accepted=0)
    outage.begin()
    clock.advance(1e9)
    outage.check()


def test_without_a_service_nothing_is_accepted_even_for_ever() -> None:
    for accepted in (0.0, 100.0):
        assert refusal(make(FakeClock(), accepted, ())) == (
            "mlog.no_timestamping_provider_found",
            "Cannot time-stamp messages: no timestamping services configured",
        )
