"""Whether anything acknowledged is ever lost: ``python faults.py --help``.

The rule: two security servers run as users run them while information systems send messages without
end and a plan, decided by a seed, lets everything around them fail: processes are killed and stand
still, there is no more room for the log, the database, the timestamping service and other
authorities go away, connections break. After each storm of faults all is cured, and messages must
be served again within a minute. At the end each acknowledged message must be in the logs of both
servers, and in their archives, once, and proven.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import trio

from fault_calls import Callers, read_journal
from fault_plan import Fault, plan_storms
from fault_proof import Findings, open_for_reading, prove
from fault_scene import Scene, found_for_faults
from fault_servers import ServerEndedError
from xgate.messagelog.store import LogStore
from xgate.sandbox.country import Country
from xgate.testing.postgres import Cluster, find_postgres

__all__ = ["RecoveryError", "endure"]

_RECOVERY_SECONDS = 60.0
_CALLERS = 6
_LOOK_SECONDS = 0.2
_MOST_TOLD = 20


class RecoveryError(Exception):
    """Everything was cured, and the service did not come back."""


async def endure(
    options: argparse.Namespace, folder: Path, cluster: Cluster | None
) -> dict[str, Any]:
    """One run in ``folder``, an empty one. Progress goes to standard error.

    :raises RecoveryError: messages were not served, or not archived, within the limit.
    :raises ServerEndedError: a server did not stop in order at the end.
    """
    began = time.monotonic()
    country = found_for_faults(folder)
    with closing(Scene(country, options.seed, cluster)) as scene:
        callers = Callers(scene.front, folder / "journal", options.seed)
        result = await _storm(options, country, scene, callers)
        _tell(f"verifying what is in the logs of {callers.acknowledged.total()} messages")
        journal = read_journal(folder / "journal")
        findings = prove(country, journal, options.verify, options.seed)
    findings.unverifiable += callers.wrong
    return {
        **_described(findings),
        **result,
        "seconds": time.monotonic() - began,
        "seed": options.seed,
        "store": options.store,
    }


async def _storm(
    options: argparse.Namespace, country: Country, scene: Scene, callers: Callers
) -> dict[str, Any]:
    """From the start of the servers to their end; the numbers of what happened."""
    faults: list[Fault] = []
    recoveries = []
    async with trio.open_nursery() as nursery:
        await nursery.start(_run_scene, scene, options.mounts)
        for kind, reason in scene.skipped.items():
            _tell(f"no {kind}: {reason}")
        async with trio.open_nursery() as calling:
            calling.start_soon(callers.run, _CALLERS)
            _tell(f"first messages after {await _wait_served(callers, 'the start'):.1f} s")
            only = "wire_" if options.weather else ""
            kinds = {kind for kind in scene.kinds if kind.startswith(only)}
            for storm in plan_storms(options.seed, options.faults, kinds, options.longest):
                faults += storm
                what = ", ".join(map(str, storm))
                _tell(f"{len(faults)}/{options.faults}: {what}")
                await scene.suffer(storm)
                recoveries.append(await _wait_served(callers, what))
                count = callers.acknowledged.total()
                _tell(f"    {count} served, again after {recoveries[-1]:.1f} s")
            callers.stop()
        await _wait_done(country)
        await scene.stop()
        nursery.cancel_scope.cancel()
    longest = max(recoveries, default=0.0)
    return _counted(callers, scene, faults) | {"longest_recovery_seconds": longest}


async def _run_scene(
    scene: Scene, mounts: bool, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    await scene.run(mounts=mounts, task_status=task_status)


async def _wait_served(callers: Callers, after: str) -> float:
    with trio.move_on_after(_RECOVERY_SECONDS):
        return await callers.wait_served()
    said = dict(callers.refused.most_common(5)), dict(callers.unanswered)
    raise RecoveryError(f"not served within {_RECOVERY_SECONDS:g} s of {after}; so far {said}")


async def _wait_done(country: Country) -> None:
    """Until all that was logged is timestamped and archived."""
    with trio.move_on_after(_RECOVERY_SECONDS):
        for place in country.places:
            with closing(open_for_reading(place)) as store:
                while await _behind(store):  # noqa: ASYNC110  it is another process that works
                    await trio.sleep(_LOOK_SECONDS)
        return
    raise RecoveryError(f"not all was archived within {_RECOVERY_SECONDS:g} s of the cure")


async def _behind(store: LogStore) -> int:
    """How many records are not archived yet."""
    numbers = await trio.to_thread.run_sync(store.statistics)
    return numbers.records - numbers.archived


def _described(findings: Findings) -> dict[str, Any]:
    wrong = [*findings.lost, *findings.duplicated, *findings.unverifiable]
    return {
        "lost": len(findings.lost),
        "duplicated": len(findings.duplicated),
        "unverifiable": len(findings.unverifiable),
        "wrong": wrong[:_MOST_TOLD],
        "records": findings.records,
        "verified": findings.verified,
        "archived": findings.archived,
    }


def _counted(callers: Callers, scene: Scene, faults: list[Fault]) -> dict[str, Any]:
    return {
        "faults": len(faults),
        "by_kind": dict(Counter(fault.kind for fault in faults).most_common()),
        "skipped": scene.skipped,
        "acknowledged": callers.acknowledged.total(),
        "by_protocol": dict(callers.acknowledged),
        "refused": callers.refused.total(),
        "refusals": dict(callers.refused.most_common()),
        "unanswered": callers.unanswered.total(),
        "unanswered_by_cause": dict(callers.unanswered.most_common()),
        "starts": {name: server.starts for name, server in scene.servers.items()},
        "ended": {name: dict(server.ended) for name, server in scene.servers.items()},
        "internal_errors": {name: server.internal_errors for name, server in scene.servers.items()},
    }


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _print(result: dict[str, Any]) -> None:
    for name, value in result.items():
        shown = f"{value:,.1f}" if isinstance(value, float) else value
        print(f"{name:26} {shown}")


def main() -> int:
    """Run once and print; 0 when nothing was lost, duplicated or not proven."""
    options = _read_options()
    _get_mounts_of_our_own(options)
    programs = find_postgres()
    if options.store == "postgres" and programs is None:
        _tell("error: PostgreSQL is not installed")
        return 2
    with ExitStack() as opened:
        folder = options.folder or Path(
            opened.enter_context(tempfile.TemporaryDirectory(prefix="xgate-faults-"))
        )
        cluster = None
        if options.store == "postgres" and programs is not None:
            cluster = opened.enter_context(Cluster(programs))
        try:
            result = trio.run(endure, options, folder, cluster)
        except BaseExceptionGroup as group:
            error = _first(group)
            if not isinstance(error, RecoveryError | ServerEndedError):
                raise
            _tell(f"error: {error}")
            return 1
    print(json.dumps(result)) if options.json else _print(result)
    return 1 if result["lost"] or result["duplicated"] or result["unverifiable"] else 0


def _read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--faults", type=int, default=200, help="how many (200)")
    parser.add_argument("--seed", type=int, default=1, help="decides which and when (1)")
    parser.add_argument("--store", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--weather", action="store_true", help="nothing but bad connections")
    parser.add_argument("--longest", type=float, default=3.0, help="seconds of one fault (3)")
    parser.add_argument(
        "--verify", type=int, default=100_000, help="about how many containers at most (100000)"
    )
    parser.add_argument("--folder", type=Path, help="an empty folder that is left as it was used")
    parser.add_argument("--mounts", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def _get_mounts_of_our_own(options: argparse.Namespace) -> None:
    """Begin anew where what is mounted is seen by nobody else and ends with us, if that may be."""
    if options.mounts or options.store != "sqlite":
        return
    own = ["unshare", "--mount", "--propagation", "private"]
    try:
        allowed = subprocess.run([*own, "true"], capture_output=True, check=False).returncode == 0
    except OSError:
        return
    if allowed:
        os.execvp(own[0], [*own, sys.executable, *sys.argv, "--mounts"])


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


if __name__ == "__main__":
    sys.exit(main())
