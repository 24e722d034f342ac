"""Exchanges per second between two security servers: ``python messages.py --help``.

The rule: nothing is left out. A country is founded, both servers run as processes of their own with
the settings that users have (durable log, timestamping, mutual TLS, a line of log per exchange), a
service and a load generator run beside them on the same cores, and every answer is checked. Speed
is told together with what this machine could do at that moment.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import trio

from gauges import (
    Gauge,
    busy_seconds,
    commit_now,
    fsync_p50_ms,
    machine,
    rsa2048_sign,
)
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
from xgate.net.errors import NetError
from xgate.sandbox.country import Country, found_country
from xgate.sandbox.pair import ServerProcess, serve_surroundings, start_process, start_signer

__all__ = ["measure"]


async def measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """One run in ``folder``, an empty one. Progress goes to standard error.

    :raises BenchError: a server, the service or the load generator ended before its time.
    """
    with bench_service() as (service, port):
        _tell(f"founding a country ({TOKENS[options.token]})")
        country = found_country(
            folder,
            datetime.now(UTC),
            kind=TOKENS[options.token],
            services=services_at(port),
            signers=options.signers,
        )
        if options.close:
            _let_peers_close(country)
        before = rsa2048_sign()
        async with trio.open_nursery() as nursery:
            await nursery.start(serve_surroundings, country, SystemClock())
            async with _signers(country, options) as signers, _servers(country) as servers:
                gauges = [Gauge(server.process.pid) for server in servers]
                gauges += [Gauge(service.pid), Gauge(os.getpid())]
                gauges += [Gauge(signer.process.pid) for signer in signers]
                load = await _measure_load(options, country, [*servers, *signers], gauges)
            nursery.cancel_scope.cancel()
        after = rsa2048_sign()
    signs, sign_us = ((b + a) / 2 for b, a in zip(before, after, strict=True))
    return _result(load, gauges, country, sign_us) | {
        "rsa2048_signs_per_s": signs,
        "rsa2048_sign_cpu_us": sign_us,
        "fsync_p50_ms": fsync_p50_ms(folder),
        "connections": options.connections,
        "body": options.body,
        "rate": options.rate,
        "token": options.token,
        "peers_close": options.close,
        "signers": options.signers,
        **machine(),
        **commit_now(),
    }


def _let_peers_close(country: Country) -> None:
    for place in (country.consumer, country.provider):
        text = place.settings.read_text()
        place.settings.write_text(text.replace("[peers]\n", "[peers]\nkeep-alive = false\n"))


@asynccontextmanager
async def _signers(
    country: Country, options: argparse.Namespace
) -> AsyncIterator[list[ServerProcess]]:
    """The servers' signers, if they are to have any."""
    places = country.places if options.signers else ()
    async with running(start_signer, places) as started:
        yield started


@asynccontextmanager
async def _servers(country: Country) -> AsyncIterator[list[ServerProcess]]:
    """Consumer's and provider's server, running; they drain at the end."""
    async with running(start_process, country.places) as started:
        yield started


async def _measure_load(
    options: argparse.Namespace,
    country: Country,
    servers: list[ServerProcess],
    gauges: list[Gauge],
) -> dict[str, Any]:
    """Run the generator, and the gauges while its window is open; what it printed."""
    command = load_command(
        country,
        connections=options.connections,
        seconds=options.seconds,
        warm_up=options.warm_up,
        body=options.body,
        rate=options.rate,
    )
    process = await trio.lowlevel.open_process(command, stdout=subprocess.PIPE)
    generator = Gauge(process.pid)
    gauges.append(generator)
    said: dict[str, Any] = {}
    busy = 0.0
    try:
        async with trio.open_nursery() as nursery:
            for server in servers:
                nursery.start_soon(_watch, server)
            async for line in lines_of(process):
                if line == "measuring":
                    _tell(f"measuring for {options.seconds:g} s")
                    _begin(gauges, nursery)
                    busy = -busy_seconds()
                elif line == "measured":
                    for gauge in gauges:
                        gauge.end()
                    busy += busy_seconds()
                else:
                    said = json.loads(line)
            nursery.cancel_scope.cancel()
    finally:
        process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()
    if not said:
        raise BenchError("the load generator ended without a result")
    others = busy - sum(gauge.cpu for gauge in gauges)
    return said | {"others_cores": max(others, 0.0) / said["seconds"]}


def _begin(gauges: list[Gauge], nursery: trio.Nursery) -> None:
    for gauge in gauges:
        gauge.begin()
    nursery.start_soon(look, gauges)


async def _watch(server: ServerProcess) -> None:
    """:raises BenchError: it ended, with the last line of its log."""
    descriptor = os.pidfd_open(server.process.pid)
    try:
        await trio.lowlevel.wait_readable(descriptor)
    finally:
        os.close(descriptor)
    last = server.log.read_text(errors="replace").strip().rpartition("\n")[2]
    name, code = server.log.parent.name, server.process.wait()
    raise BenchError(f"the {name}'s server ended with code {code}: {last}")


def _result(
    load: dict[str, Any], gauges: list[Gauge], country: Country, sign_us: float
) -> dict[str, Any]:
    consumer, provider, service, _, *signers, generator = gauges
    exchanges, seconds = load["exchanges"], load["seconds"]
    per = 1e6 / exchanges if exchanges else 0.0
    spent = seconds + load["warm_up_seconds"]
    result = {"exchanges_per_s": exchanges / seconds, **load}
    for name, gauge, place in (
        ("consumer", consumer, country.consumer),
        ("provider", provider, country.provider),
    ):
        batches = statistics_of(place)
        if signers:
            batches["signatures"] = statistics_of(place, "signer")["signatures"]
        cpu = gauge.cpu * per
        result |= {
            f"cpu_us_{name}": cpu,
            f"cpu_in_signatures_{name}": cpu / sign_us,
            f"rss_mb_{name}": gauge.rss,
            f"pss_mb_{name}": gauge.pss,
            f"signature_batches_{name}": batches["signatures"],
            f"commit_batches_{name}": batches["commits"],
            f"commits_per_s_{name}": sum(batches["commits"].values()) / spent,
        }
    for gauge, place in zip(signers, country.places, strict=True) if signers else ():
        result |= {
            f"cpu_us_signer_{place.name}": gauge.cpu * per,
            f"rss_mb_signer_{place.name}": gauge.rss,
        }
    return result | {"cpu_us_service": service.cpu * per, "cpu_us_load": generator.cpu * per}


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _print(result: dict[str, Any]) -> None:
    for name, value in result.items():
        shown = f"{value:,.1f}" if isinstance(value, float) else value
        print(f"{name:32} {shown}")


def main() -> int:
    """Measure once and print; 1 when there is no number or an exchange failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=_Formatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long to measure")
    parser.add_argument("--warm-up", type=float, default=2.0, help="seconds that do not count")
    parser.add_argument("--connections", type=int, default=32, help="of the load generator")
    parser.add_argument("--body", type=int, default=1024, help="octets of a request's body")
    parser.add_argument("--token", choices=sorted(TOKENS), default="rsa", help="all keys' kind")
    parser.add_argument("--rate", type=float, default=0.0, help="open loop: requests per second")
    parser.add_argument("--close", action="store_true", help="servers close after each message")
    parser.add_argument("--signers", action="store_true", help="keys in signers' processes")
    options = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory(prefix="xgate-bench-") as folder:
            result = trio.run(measure, options, Path(folder))
    except BaseExceptionGroup as group:
        error = _first(group)
        if not isinstance(error, BenchError | NetError):
            raise
        _tell(f"error: {error}")
        return 1
    print(json.dumps(result)) if options.json else _print(result)
    return 1 if result["failed"] else 0


class _Formatter(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    pass


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


if __name__ == "__main__":
    sys.exit(main())
