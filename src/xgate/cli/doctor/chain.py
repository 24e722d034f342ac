"""How the checks of ``xgate doctor`` are run: those that need nothing of each other, together.

The rule: a check runs when those that it needs hold; if one of them does not, it is told as not
looked at, because of that one. Each has its own time and all have one, so there is always an end;
what a check itself does wrong is a finding too. Findings stand in the table's order.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

import msgspec
import trio

from xgate.cli.doctor.case import Case
from xgate.cli.doctor.finding import Finding, broken, skipped
from xgate.errors import Fault

__all__ = ["Check", "Findings", "run_checks"]

Findings = Sequence[Finding]


class Check(msgspec.Struct, frozen=True):
    """One row of the table.

    :param needs: checks that must hold before; they stand before it in the table or after it.
    :param after: checks that must have ended before, in whatever way.
    :param seconds: within which it must be done.
    """

    name: str
    run: Callable[[Case], Awaitable[Findings]]
    needs: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    seconds: float = 20.0


async def run_checks(
    case: Case,
    table: Sequence[Check],
    chosen: Collection[str],
    tell: Callable[[Findings], None] = lambda findings: None,
    *,
    without: Collection[str] = (),
    seconds: float = math.inf,
) -> list[Finding]:
    """Run the chosen checks, and what they need.

    :param chosen: names of the table. :param without: names that are not run even if needed.
    :param tell: gets each check's findings, in the table's order, as soon as all before it ended.
        Of a check that was only needed it gets what is broken.
    :param seconds: for everything.
    """
    wanted = _with_needed(table, chosen) - set(without)
    run = _Run(case, {c.name: c for c in table if c.name in wanted}, chosen)
    run.deadline = trio.current_time() + seconds
    async with trio.open_nursery() as nursery:
        for check in run.checks.values():
            nursery.start_soon(run.run, check)
        for name in run.checks:
            await run.ended[name].wait()
            tell(run.shown(name))
    return [finding for name in run.checks for finding in run.shown(name)]


class _Run:
    """One run, and what has been found in it."""

    def __init__(self, case: Case, checks: Mapping[str, Check], chosen: Collection[str]) -> None:
        self.checks = checks
        self.ended = {name: trio.Event() for name in checks}
        self.deadline = math.inf
        self._case = case
        self._chosen = chosen
        self._found: dict[str, Findings] = {}

    async def run(self, check: Check) -> None:
        for name in (*check.needs, *check.after):
            if name in self.ended:
                await self.ended[name].wait()
        lacking = next((name for name in check.needs if not self._holds(name)), None)
        if lacking is None:
            found = await self._examine(check)
        else:
            cause = self._cause(lacking)
            found = [skipped(f"not looked at: it needs '{cause}'", because=cause)]
        self._found[check.name] = [
            msgspec.structs.replace(finding, check=check.name) for finding in found
        ]
        self.ended[check.name].set()

    def shown(self, name: str) -> Findings:
        """What is told of a check that has ended."""
        found = self._found[name]
        if name in self._chosen:
            return found
        return [finding for finding in found if finding.state == "broken"]

    async def _examine(self, check: Check) -> Findings:
        found: Findings | None = None
        deadline = min(self.deadline, trio.current_time() + check.seconds)
        with trio.CancelScope(deadline=deadline):
            try:
                found = await check.run(self._case)
            except Fault as fault:
                found = [broken(fault.text, fix=f"See the cause; its code is {fault.code}.")]
            except OSError as error:
                what = f"{error.filename}: {error.strerror}" if error.filename else str(error)
                found = [broken(what, fix="Run this as the user that the server runs as.")]
            except Exception as error:  # noqa: BLE001  a check that fails ends no other
                what = f"the check itself failed: {type(error).__name__}: {error}"
                found = [broken(what, fix="Tell the makers of xgate.")]
        if found is None:
            said = f"not done in time ({check.seconds:g} s, or what was left of all)"
            found = [broken(said, fix=f"Run it alone: --only {check.name}.")]
        return found

    def _holds(self, name: str) -> bool:
        found = self._found.get(name, ())
        if name in self._case.stands:
            return True
        return bool(found) and not any(f.state == "broken" or f.because for f in found)

    def _cause(self, name: str) -> str:
        """The link that is broken, at the root of what ``name`` lacks."""
        found = self._found.get(name, ())
        return next((f.because for f in found if f.because), name)


def _with_needed(table: Sequence[Check], chosen: Collection[str]) -> set[str]:
    by_name = {check.name: check for check in table}
    wanted: set[str] = set()
    waiting = list(chosen)
    while waiting:
        name = waiting.pop()
        if name not in wanted:
            wanted.add(name)
            waiting += by_name[name].needs
    return wanted
