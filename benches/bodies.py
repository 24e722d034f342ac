"""What big bodies cost two security servers: ``python bodies.py --help``.

The rule: both servers run as processes of their own, as users run them; a body goes through as a
REST body and as an attachment, there and back; nobody but they may hold it. How far a server's
memory grew is told by the kernel (the peak of its resident memory since just before the exchange,
less what it was then), and the octets are counted and summed at both ends.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import trio

from body_calls import (
    SERVICES,
    CallError,
    call_rest,
    call_soap,
    connected,
    only_error,
    serve_bodies,
    wait_served,
)
from gauges import Gauge, Peak, commit_now, machine
from pair_at_work import at_work
from xgate.clock import SystemClock
from xgate.net.client import ClientConnection
from xgate.net.errors import NetError
from xgate.sandbox.country import Place, found_country
from xgate.testing.postgres import Cluster, find_postgres

__all__ = ["measure"]

_WARM_UP = 4 << 20
_LOGGED = {
    "none": "max-body-bytes = 0",
    "beginning": "truncate-bodies = true",
    "most": f"truncate-bodies = true\nmax-body-bytes = {512 << 20}",
}
_ENCRYPTED = """
[messagelog.encryption]
current = "key"
keys = { key = "log.key" }
"""

Call = Callable[[ClientConnection, int, int], Awaitable[None]]


async def measure(
    options: argparse.Namespace, folder: Path, cluster: Cluster | None
) -> dict[str, Any]:
    """All four exchanges in ``folder``, an empty one.

    :param cluster: keeps both logs; None: each server has a file.
    :raises CallError: an exchange failed. :raises NetError: a server did not start, or broke off.
    """
    country = found_country(folder, SystemClock().now(), kind="P-256", services=SERVICES)
    for place in country.places:
        _set_log(place, _LOGGED[options.logged], cluster, encrypt=options.encrypt)
    async with at_work(country, serve_bodies) as servers, connected(country) as connection:
        gauges = [Gauge(server.process.pid) for server in servers]
        names = [place.name for place in country.places]
        calls: dict[str, Call] = {"rest": call_rest, "soap": partial(call_soap, query="bodies")}
        await wait_served(country)
        for call in calls.values():
            for _ in range(3):
                await call(connection, _WARM_UP, _WARM_UP)
        found = {
            f"{protocol}_{way}": await _one(partial(call, connection, *sizes), gauges, names, size)
            for protocol, call in calls.items()
            for way, sizes, size in (
                ("up", (options.octets, 0), options.octets),
                ("down", (0, options.octets), options.octets),
            )
        }
    grown = max(one[f"grown_mb_{name}"] for one in found.values() for name in names)
    return {
        **found,
        "grown_mb": grown,
        "octets": options.octets,
        "logged": options.logged,
        "store": options.store,
        "encrypted": options.encrypt,
        **machine(),
        **commit_now(),
    }


def _set_log(place: Place, bodies: str, cluster: Cluster | None, *, encrypt: bool) -> None:
    """A body of this size is more than a log may take whole (messagelog 1.2)."""
    section = f"[messagelog]\n{bodies}\n"
    if cluster is not None:
        conninfo = cluster.make_database()
        section += f'use = "postgres"\n\n[messagelog.postgres]\nconninfo = "{conninfo}"\n'
    if encrypt:
        key = place.folder / "log.key"
        key.touch(0o600)
        key.write_bytes(os.urandom(32))
        section += _ENCRYPTED
    text = place.settings.read_text()
    marked = text.replace("[messagelog.timestamping]", f"{section}\n[messagelog.timestamping]")
    place.settings.write_text(marked)


async def _one(
    call: Callable[[], Awaitable[None]], gauges: list[Gauge], names: list[str], size: int
) -> dict[str, float]:
    peaks = [Peak(gauge.pid) for gauge in gauges]
    for gauge in gauges:
        gauge.begin()
    began = time.perf_counter()
    await call()
    took = time.perf_counter() - began
    for gauge in gauges:
        gauge.end()
    result = {"seconds": took, "mb_per_s": size / took / 1e6}
    for name, gauge, peak in zip(names, gauges, peaks, strict=True):
        result[f"cpu_s_per_gb_{name}"] = gauge.cpu / size * 1e9
        result[f"grown_mb_{name}"] = peak.grown_mb()
    return result


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _print(result: dict[str, Any]) -> None:
    rows = {name: value for name, value in result.items() if isinstance(value, dict)}
    columns = list(next(iter(rows.values())))
    print(" " * 10, *(f"{column:>22}" for column in columns))
    for name, row in rows.items():
        print(f"{name:10}", *(f"{row[column]:22,.2f}" for column in columns))
    for name, value in result.items():
        if name not in rows:
            print(f"{name:12} {value}")


def main() -> int:
    """Measure once and print; 1 when an exchange failed or memory grew by more than allowed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=_Formatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--octets", type=int, default=10**9, help="of each body")
    parser.add_argument("--logged", choices=sorted(_LOGGED), default="none", help="of REST bodies")
    parser.add_argument("--store", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--encrypt", action="store_true", help="what is logged")
    parser.add_argument("--most-mb", type=float, default=16.0, help="by which memory may grow")
    parser.add_argument("--folder", default=None, help="where the servers' folders are made")
    options = parser.parse_args()
    programs = find_postgres()
    if options.store == "postgres" and programs is None:
        _tell("error: PostgreSQL is not installed")
        return 1
    try:
        with ExitStack() as opened:
            cluster = None
            if options.store == "postgres" and programs is not None:
                cluster = opened.enter_context(Cluster(programs))
            temporary = tempfile.TemporaryDirectory(prefix="xgate-bench-", dir=options.folder)
            folder = Path(os.fspath(opened.enter_context(temporary)))
            opened.enter_context(only_error())
            result = trio.run(measure, options, folder, cluster)
    except (CallError, NetError, trio.TooSlowError) as error:
        _tell(f"error: {type(error).__name__}: {error}")
        return 1
    print(json.dumps(result)) if options.json else _print(result)
    return 1 if result["grown_mb"] > options.most_mb else 0


class _Formatter(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    pass


if __name__ == "__main__":
    sys.exit(main())
