"""How checks are run: together where they can, in order where they must, and always to an end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from xgate.cli.doctor.case import Case
from xgate.cli.doctor.chain import Check, Findings, run_checks
from xgate.cli.doctor.finding import broken, ok, warning
from xgate.errors import Fault
from xgate.testing.clock import FakeClock


@pytest.fixture
def case() -> Case:
    return Case(Path("xgate.toml"), FakeClock())


def finds(*findings: object, seconds: float = 0) -> Callable[[Case], Awaitable[Findings]]:
    async def run(case: Case) -> Findings:
        await trio.sleep(seconds)
        for finding in findings:
            if isinstance(finding, Exception):
                raise finding
        return findings  # type: ignore[return-value]

    return run


BAD = broken("it is not there", fix="Get it.")


async def test_what_needs_a_broken_link_is_not_looked_at(case: Case) -> None:
    table = [
        Check("root", finds(BAD)),
        Check("trunk", finds(ok("strong")), needs=("root",)),
        Check("leaf", finds(ok("green")), needs=("trunk",)),
        Check("stone", finds(ok("hard"))),
    ]
    found = await run_checks(case, table, ["root", "trunk", "leaf", "stone"])
    assert [(f.check, f.state, f.because) for f in found] == [
        ("root", "broken", ""),
        ("trunk", "skipped", "root"),
        ("leaf", "skipped", "root"),  # the root of it all, not what is between
        ("stone", "ok", ""),
    ]


async def test_a_warning_stops_nobody(case: Case) -> None:
    table = [
        Check("root", finds(warning("old", fix="Care."))),
        Check("leaf", finds(ok("green")), needs=("root",)),
    ]
    found = await run_checks(case, table, ["root", "leaf"])
    assert [f.state for f in found] == ["warning", "ok"]


async def test_what_stands_although_it_is_broken_is_built_upon(case: Case) -> None:
    case.stands.add("root")
    table = [Check("root", finds(BAD)), Check("leaf", finds(ok("green")), needs=("root",))]
    found = await run_checks(case, table, ["root", "leaf"])
    assert [f.state for f in found] == ["broken", "ok"]


async def test_independent_checks_run_together_and_are_told_in_order(
    case: Case, autojump_clock: MockClock
) -> None:
    told: list[str] = []
    table = [
        Check("time", finds(ok("right"), seconds=1), after=("slow",)),
        Check("slow", finds(ok("done"), seconds=5)),
        Check("quick", finds(ok("done"), seconds=4)),
    ]
    began = trio.current_time()
    await run_checks(
        case, table, ["time", "slow", "quick"], lambda found: told.append(found[0].check)
    )
    assert trio.current_time() - began == 6
    assert told == ["time", "slow", "quick"]


async def test_a_check_that_takes_too_long_is_broken(case: Case, autojump_clock: MockClock) -> None:
    (found,) = await run_checks(
        case, [Check("slow", finds(ok("never"), seconds=50), seconds=20)], ["slow"]
    )
    assert (found.state, found.fix) == ("broken", "Run it alone: --only slow.")
    assert "20 s" in found.observed


async def test_all_together_have_a_time_too(case: Case, autojump_clock: MockClock) -> None:
    table = [
        Check("first", finds(ok("done"), seconds=15)),
        Check("second", finds(ok("never"), seconds=15), needs=("first",)),
    ]
    found = await run_checks(case, table, ["first", "second"], seconds=25)
    assert [f.state for f in found] == ["ok", "broken"]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (Fault("io_error", "no room"), "no room"),
        (PermissionError(13, "Permission denied", "/etc/pin"), "/etc/pin: Permission denied"),
        (ValueError("what?"), "the check itself failed: ValueError: what?"),
    ],
)
async def test_a_check_that_fails_ends_no_other(case: Case, error: Exception, said: str) -> None:
    table = [Check("bad", finds(error)), Check("good", finds(ok("fine")))]
    found = await run_checks(case, table, ["bad", "good"])
    assert [(f.state, f.observed) for f in found] == [("broken", said), ("ok", "fine")]


async def test_what_is_only_needed_is_told_if_it_is_broken(case: Case) -> None:
    table = [
        Check("fine", finds(ok("fine"))),
        Check("root", finds(BAD), needs=("fine",)),
        Check("leaf", finds(ok("green")), needs=("root",)),
        Check("stone", finds(ok("hard"))),
    ]
    found = await run_checks(case, table, ["leaf"])
    assert [(f.check, f.state) for f in found] == [("root", "broken"), ("leaf", "skipped")]


async def test_what_is_left_out_is_not_run_even_if_it_is_needed(case: Case) -> None:
    table = [
        Check("root", finds(AssertionError("it was run"))),
        Check("leaf", finds(ok("green")), needs=("root",)),
    ]
    (found,) = await run_checks(case, table, ["leaf"], without=["root"])
    assert (found.state, found.because) == ("skipped", "root")
