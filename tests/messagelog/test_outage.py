"""How long messages go on while nobody stamps them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from xgate.errors import Fault
from xgate.messagelog.outage import Outage
from xgate.testing.clock import FakeClock


def make(
    clock: FakeClock,
    accepted: float = 100.0,
    services: tuple[str, ...] = ("u",),
    path: Path | None = None,
) -> Outage:
    return Outage(lambda: services, clock, accepted, path)


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


def test_a_restart_grants_no_new_period(tmp_path: Path) -> None:
    clock = FakeClock()
    path = tmp_path / "outage"
    outage = make(clock, path=path)
    assert not path.exists()
    outage.begin()
    clock.advance(90)
    outage.begin()
    again = make(clock, path=path)
    assert (again.lasting, again.seconds) == (True, 90.0)
    again.check()
    clock.advance(11)
    assert refusal(again)[0] == "timestamping_failed"
    again.end()
    assert not path.exists()
    assert not make(clock, path=path).lasting
    again.check()


def test_the_time_while_the_server_was_down_counts(tmp_path: Path) -> None:
    clock, path = FakeClock(), tmp_path / "outage"
    make(clock, path=path).begin()
    later = FakeClock(clock.now() + timedelta(seconds=101))  # another process: its own monotonic
    assert refusal(make(later, path=path))[0] == "timestamping_failed"


@pytest.mark.parametrize("text", ["", "yesterday", "2026-01-01T00:00:00", "\xff"])
def test_a_file_that_says_nothing_is_no_outage(tmp_path: Path, text: str) -> None:
    path = tmp_path / "outage"
    path.write_bytes(text.encode("latin-1"))
    outage = make(FakeClock(), path=path)
    assert not outage.lasting
    outage.begin()
    assert make(FakeClock(), path=path).lasting


def test_an_outage_from_the_future_begins_now(tmp_path: Path) -> None:
    clock, path = FakeClock(), tmp_path / "outage"
    make(clock, path=path).begin()
    clock.jump_to(clock.now() - timedelta(days=1))
    assert make(clock, path=path).seconds == 0.0


def test_a_folder_that_takes_nothing_costs_only_the_memory(tmp_path: Path) -> None:
    clock = FakeClock()
    outage = make(clock, path=tmp_path / "gone" / "outage")
    outage.begin()
    clock.advance(101)
    assert refusal(outage)[0] == "timestamping_failed"
    outage.end()
    outage.check()
