"""What timestamping and archiving cost the messages: ``python timestamping.py [--backlog N]``.

The rule: the same load, at a steady pace, four times between two servers that run as users run
them: with nothing to stamp but itself, with a timestamping service that is away, while the backlog
of an outage is caught up, and while that backlog is archived. Latency counts from when a request
fell due.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import trio

from gauges import commit_now, machine
from workload import bench_service, lines_of, load_command, running, services_at
from xgate.clock import SystemClock
from xgate.messagelog.record import Record
from xgate.messagelog.sqlite import SqliteStore
from xgate.sandbox.authority import Authority
from xgate.sandbox.country import Country, Place, found_country
from xgate.sandbox.pair import serve_surroundings, start_process
from xgate.trust.verify import Evidence

__all__ = ["measure"]

_SECTION = "[messagelog.timestamping]\n"
_ARCHIVE = """
[messagelog.archive]
directory = "archive"
interval-seconds = 1
"""
_COMMIT = 256
_MOST_SECONDS = 120.0


async def measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Four runs in ``folder``, an empty one; latencies in milliseconds, stamps per second."""
    with bench_service() as (_, port):
        country = _found(folder, port)
        authority = Authority(country, SystemClock())
        async with trio.open_nursery() as nursery:
            await nursery.start(_serve, country, authority)
            async with running(start_process, country.places):
                quiet = await _load(options, country)
                authority.away.add("tsa")
                away = await _load(options, country)
            for place in country.places:
                _fill(place.messagelog, options.backlog)
            waiting = [_unstamped(place) for place in country.places]
            async with running(start_process, country.places):
                catching_up = await _load(options, country, authority.away.clear)
                took = await _until_stamped(country, catching_up.pop("opened"))
            for place in country.places:
                place.settings.write_text(place.settings.read_text() + _ARCHIVE)
            async with running(start_process, country.places):
                archiving = await _load(options, country)
            archived = [_archived(place) for place in country.places]
            nursery.cancel_scope.cancel()
    return {
        "backlog": max(waiting),
        "stamped_in_s": took,
        "stamps_per_s": sum(waiting) / took,
        "rate": options.rate,
        **_named("quiet", quiet),
        **_named("away", away),
        **_named("catching_up", catching_up),
        "archived": sum(archived),
        **_named("archiving", archiving),
        **machine(),
        **commit_now(),
    }


def _found(folder: Path, port: int) -> Country:
    services = services_at(port)
    country = found_country(folder, datetime.now(UTC), kind="P-256", services=services)
    for place in country.places:
        text = place.settings.read_text()
        place.settings.write_text(text.replace(_SECTION, f"{_SECTION}retry-seconds = 1\n"))
    return country


async def _serve(
    country: Country,
    authority: Authority,
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    await serve_surroundings(country, SystemClock(), authority=authority, task_status=task_status)


async def _load(
    options: argparse.Namespace, country: Country, opened: Callable[[], None] | None = None
) -> dict[str, Any]:
    """What the generator printed; ``opened`` is called when its window opens."""
    command = load_command(
        country, connections=16, seconds=options.seconds, warm_up=1.0, rate=options.rate
    )
    process = await trio.lowlevel.open_process(command, stdout=subprocess.PIPE)
    said, at = "", 0.0
    async for line in lines_of(process):
        if line == "measuring":
            at = time.time()
            if opened is not None:
                opened()
        said = line
    await process.wait()
    result: dict[str, Any] = json.loads(said)
    return result | {"opened": at}


def _fill(path: Path, count: int) -> None:
    """Records that wait, as an outage leaves them: as large as real ones, each signed by itself."""
    store = SqliteStore(path)
    (logged,) = store.find(limit=1)
    for first in range(0, count, _COMMIT):
        store.append(
            [_another(logged.record, n) for n in range(first, min(first + _COMMIT, count))]
        )
    store.close()


def _another(record: Record, number: int) -> Record:
    signature = record.evidence.signature + b"<!--%d-->" % number
    evidence = Evidence(signature, record.evidence.chain_result, record.evidence.chain)
    return msgspec.structs.replace(record, evidence=evidence, key=b"")


def _unstamped(place: Place) -> int:
    store = SqliteStore(place.messagelog, read_only=True)
    try:
        return store.statistics().unstamped
    finally:
        store.close()


def _archived(place: Place) -> int:
    """How many records were archived while the load ran; the servers were stopped after it."""
    store = SqliteStore(place.messagelog, read_only=True)
    try:
        return sum(1 for _ in store.find()) - sum(1 for _ in store.archivable(1 << 62, 1 << 30))
    finally:
        store.close()


async def _until_stamped(country: Country, since: float) -> float:
    """Seconds until both logs had no more waiting than one round leaves."""
    with trio.fail_after(_MOST_SECONDS):
        while any(_unstamped(place) for place in country.places):  # noqa: ASYNC110  other processes
            await trio.sleep(0.1)
    return max(_last_stamp(place) for place in country.places) - since


def _last_stamp(place: Place) -> float:
    """When a token for more than a round's worth of records was kept last."""
    lines = map(json.loads, (place.folder / "server.log").read_text().splitlines())
    large = [one for one in lines if one["event"] == "timestamped" and one["records"] >= 1000]
    return datetime.fromisoformat(large[-1]["time"]).timestamp() if large else time.time()


def _named(name: str, load: dict[str, Any]) -> dict[str, Any]:
    wanted = ("p50_ms", "p99_ms", "max_ms", "failed", "exchanges")
    return {f"{key}_{name}": load[key] for key in wanted}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition(":")[0])
    parser.add_argument("--backlog", type=int, default=20_000, help="records that wait, per log")
    parser.add_argument("--rate", type=float, default=50.0, help="requests per second")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each run")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = trio.run(measure, options, Path(folder))
    if options.json:
        print(json.dumps(result))
        return
    for name, value in result.items():
        print(f"{name:24} {value:.1f}" if isinstance(value, float) else f"{name:24} {value}")


if __name__ == "__main__":
    main()
