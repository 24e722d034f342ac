"""What messages feel of a change of a large global configuration: for ``globalconf.py --messages``.

The rule: nothing is left out. Two security servers run as users run them, in a country whose
shared parameters were filled up with synthetic members, signed, and published over HTTP. The same
steady load passes twice: while nothing changes, and while a changed configuration is published,
fetched, verified, read and taken up by both. Latency counts from when a request fell due.
"""

from __future__ import annotations

import argparse
import json
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import trio

from gauges import Gauge
from workload import (
    TOKENS,
    BenchError,
    bench_service,
    lines_of,
    load_command,
    look,
    running,
    services_at,
    statistics_of,
)
from xgate.clock import SystemClock
from xgate.globalconf.shared import SharedParameters
from xgate.sandbox.country import Country, Place, found_country
from xgate.sandbox.pair import serve_surroundings, start_process
from xgate.sandbox.publication import describe_country, publish_country

__all__ = ["reload_under_load"]

_SECTION = "[globalconf]\n"
_SELDOM, _OFTEN = 3600, 2  # seconds between looks at the source
_START_SECONDS = 120.0
_CONNECTIONS = 16
_WARM_UP_SECONDS = 4.0  # longer than a pulse takes to settle
_TAKEN_UP = b'"event":"global configuration refreshed"'


async def reload_under_load(
    options: argparse.Namespace, more: SharedParameters, folder: Path
) -> dict[str, Any]:
    """Both runs in ``folder``, an empty one.

    :param more: members, servers and groups of the instance ``XG`` besides its own.
    :raises BenchError: the changed configuration was not taken up while the load ran.
    """
    with bench_service() as (_, port):
        services = services_at(port)
        now = datetime.now(UTC)
        country = found_country(folder, now, kind=TOKENS[options.token], services=services)
        large = _enlarge(describe_country(country), more)
        changed = msgspec.structs.replace(large, ocsp_freshness_seconds=3601)
        await trio.to_thread.run_sync(publish_country, country, datetime.now(UTC), large)
        release = await trio.to_thread.run_sync(_prepare, country, changed)
        async with trio.open_nursery() as nursery:
            await nursery.start(serve_surroundings, country, SystemClock())
            for place in country.places:
                with place.settings.open("a") as file:
                    file.write("\n[health]\nbeat-milliseconds = 10\n")
            _look_every(country, _SELDOM)
            quiet = await _run(options, country)
            _look_every(country, _OFTEN)
            reloading = await _run(options, country, release)
            nursery.cancel_scope.cancel()
    return {"token": options.token, "rate": options.rate, "quiet": quiet, "reload": reloading}


def _enlarge(own: SharedParameters, more: SharedParameters) -> SharedParameters:
    return msgspec.structs.replace(
        own,
        members=(*own.members, *more.members),
        servers=(*own.servers, *more.servers),
        groups=(*own.groups, *more.groups),
    )


def _prepare(country: Country, changed: SharedParameters) -> Callable[[], None]:
    """Sign a change beside the web root; what puts it there, parts before what names them."""
    beside = msgspec.structs.replace(country, folder=country.folder / "next")
    beside.folder.mkdir()
    publish_country(beside, datetime.now(UTC), changed)

    def release() -> None:
        paths = [path for path in beside.web_root.rglob("*") if path.is_file()]
        for path in sorted(paths, key=lambda path: -len(path.parts)):
            target = country.web_root / path.relative_to(beside.web_root)
            target.parent.mkdir(exist_ok=True)
            path.replace(target)

    return release


def _look_every(country: Country, seconds: int) -> None:
    for place in country.places:
        head, section, rest = place.settings.read_text().partition(_SECTION)
        lines = [one for one in rest.splitlines() if not one.startswith("refresh-seconds")]
        text = "\n".join([f"refresh-seconds = {seconds}", *lines, ""])
        place.settings.write_text(head + section + text)


async def _run(
    options: argparse.Namespace, country: Country, release: Callable[[], None] | None = None
) -> dict[str, Any]:
    """One load over servers that have just started; ``release`` is called when it has warmed up."""
    start = partial(start_process, timeout=_START_SECONDS)
    async with running(start, country.places) as servers:
        gauges = [Gauge(server.process.pid) for server in servers]
        said, took = await _load(options, country, gauges, release)
    result = {name: said[name] for name in ("exchanges", "failed", "failures", "behind")}
    result |= {name: said[name] for name in ("p50_ms", "p99_ms", "max_ms")}
    for place, gauge in zip(country.places, gauges, strict=True):
        loop = statistics_of(place)["loop"]
        result |= {
            f"stall_ms_{place.name}": loop["longest_ms"],
            f"over_20_ms_{place.name}": loop.get("over_20_ms", 0),
            f"cpu_s_{place.name}": gauge.cpu,
            f"cpu_apart_s_{place.name}": gauge.cpu_apart,
            f"rss_mb_{place.name}": gauge.rss,
            f"pss_mb_{place.name}": gauge.pss,
            f"reload_s_{place.name}": took.get(place.name),
        }
    return result


async def _load(
    options: argparse.Namespace,
    country: Country,
    gauges: list[Gauge],
    release: Callable[[], None] | None,
) -> tuple[dict[str, Any], dict[str, float]]:
    """What the generator printed, and how many seconds each server took for the change."""
    took: dict[str, float] = {}
    said: dict[str, Any] = {}
    command = load_command(
        country,
        connections=_CONNECTIONS,
        seconds=options.seconds,
        warm_up=_WARM_UP_SECONDS,
        rate=options.rate,
    )
    process = await trio.lowlevel.open_process(command, stdout=subprocess.PIPE)
    try:
        async with trio.open_nursery() as nursery:
            async for line in lines_of(process):
                if line == "measuring":
                    for gauge in gauges:
                        gauge.begin()
                    nursery.start_soon(look, gauges)
                    if release is not None:
                        await trio.to_thread.run_sync(release)
                        for place in country.places:
                            nursery.start_soon(_await_change, place, took)
                elif line == "measured":
                    for gauge in gauges:
                        gauge.end()
                else:
                    said = json.loads(line)
            nursery.cancel_scope.cancel()
    finally:
        process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()
    if not said:
        raise BenchError("the load generator ended without a result")
    if release is not None and len(took) < len(country.places):
        raise BenchError(f"not every server took the change up in {options.seconds:g} s: {took}")
    return said, took


async def _await_change(place: Place, took: dict[str, float]) -> None:
    began = trio.current_time()
    while _TAKEN_UP not in (place.folder / "server.log").read_bytes():  # noqa: ASYNC110  a process
        await trio.sleep(0.1)
    took[place.name] = trio.current_time() - began
