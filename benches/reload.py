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
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import trio

from gauges import Gauge
from xgate.clock import SystemClock
from xgate.globalconf.shared import SharedParameters
from xgate.sandbox.country import CONSUMER, PROVIDER, Country, KeyKind, Place, found_country
from xgate.sandbox.pair import ServerProcess, serve_surroundings, start_process
from xgate.sandbox.publication import describe_country, publish_country

__all__ = ["TOKENS", "ReloadError", "reload_under_load"]

TOKENS: dict[str, KeyKind] = {"rsa": "RSA-2048", "p256": "P-256"}

_HERE = Path(__file__).parent
_SERVICE = """
[[client.service]]
code = "bench"
type = "REST"
url = "http://127.0.0.1:{port}"
allow = ["{client}"]
"""
_SECTION = "[globalconf]\n"
_SELDOM, _OFTEN = 3600, 2  # seconds between looks at the source
_START_SECONDS = 120.0
_WARM_UP_SECONDS = 4.0  # longer than a pulse takes to settle
_TAKEN_UP = b'"event":"global configuration refreshed"'


class ReloadError(Exception):
    """There is no number; the text says why."""


async def reload_under_load(
    options: argparse.Namespace, more: SharedParameters, folder: Path
) -> dict[str, Any]:
    """Both runs in ``folder``, an empty one.

    :param more: members, servers and groups of the instance ``XG`` besides its own.
    :raises ReloadError: the changed configuration was not taken up while the load ran.
    """
    with _service() as port:
        services = _SERVICE.format(port=port, client=CONSUMER.short)
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
    async with _servers(country) as servers:
        gauges = [Gauge(server.process.pid) for server in servers]
        said, took = await _load(options, country, gauges, release)
    result = {name: said[name] for name in ("exchanges", "failed", "failures", "behind")}
    result |= {name: said[name] for name in ("p50_ms", "p99_ms", "max_ms")}
    for place, gauge in zip(country.places, gauges, strict=True):
        loop = _statistics(place)["loop"]
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
    process = await trio.lowlevel.open_process(_command(options, country), stdout=subprocess.PIPE)
    try:
        async with trio.open_nursery() as nursery:
            async for line in _lines(process):
                if line == "measuring":
                    for gauge in gauges:
                        gauge.begin()
                    nursery.start_soon(_look, gauges)
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
        raise ReloadError("the load generator ended without a result")
    if release is not None and len(took) < len(country.places):
        raise ReloadError(f"not every server took the change up in {options.seconds:g} s: {took}")
    return said, took


async def _look(gauges: list[Gauge]) -> None:
    while True:
        await trio.sleep(0.25)
        for gauge in gauges:
            gauge.look()


async def _await_change(place: Place, took: dict[str, float]) -> None:
    began = trio.current_time()
    while _TAKEN_UP not in (place.folder / "server.log").read_bytes():  # noqa: ASYNC110  a process
        await trio.sleep(0.1)
    took[place.name] = trio.current_time() - began


def _command(options: argparse.Namespace, country: Country) -> list[str]:
    given = {
        "host": country.consumer.address,
        "port": country.ports.client,
        "target": f"/r1/{PROVIDER.url}/bench",
        "client": CONSUMER.url,
        "connections": 16,
        "seconds": options.seconds,
        "warm-up": _WARM_UP_SECONDS,
        "rate": options.rate,
    }
    flags = [text for name, value in given.items() for text in (f"--{name}", str(value))]
    return [sys.executable, str(_HERE / "load.py"), *flags]


async def _lines(process: trio.Process) -> AsyncIterator[str]:
    assert process.stdout is not None
    held = b""
    async for data in process.stdout:
        *whole, held = (held + data).split(b"\n")
        for line in whole:
            yield line.decode()


@contextmanager
def _service() -> Iterator[int]:
    """The port of the provider's service."""
    command = [sys.executable, str(_HERE / "provider.py"), "0"]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()


@asynccontextmanager
async def _servers(country: Country) -> AsyncIterator[list[ServerProcess]]:
    started: list[ServerProcess] = []
    try:
        for place in country.places:
            started.append(await start_process(place, timeout=_START_SECONDS))  # noqa: PERF401
        yield started
    finally:
        with trio.CancelScope(shield=True):
            for server in started:
                await server.stop()


def _statistics(place: Place) -> dict[str, dict[str, float]]:
    """What the server wrote when it stopped."""
    for line in (place.folder / "server.log").read_bytes().splitlines():
        if b'"event":"statistics"' in line:
            said: dict[str, dict[str, float]] = json.loads(line)
            return said
    raise ReloadError(f"the {place.name}'s server did not stop in order")
