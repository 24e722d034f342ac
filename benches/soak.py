"""Whether two security servers stay as they are under all kinds of work: ``python soak.py --help``.

The rule: both run as processes of their own, as users run them, while information systems send what
comes in a day: REST and SOAP, small and large, attachments, requests that must be refused, and
connections that are cut in the middle. Memory, open handles and what lies in the spool are read
from the kernel; slopes are told by regression, over what was seen after the warm-up, and the course
of memory by the mean of each tenth of that time: what levels off can be told from what does not.
The servers prove what they have logged meanwhile; what does not verify is counted too.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from array import array
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from random import Random
from statistics import fmean, linear_regression
from typing import Any

import msgspec
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
from gauges import commit_now, handles, machine, resident_mb
from load import fraction
from pair_at_work import at_work
from xgate.clock import SystemClock
from xgate.net.client import ClientConnection
from xgate.net.errors import NetError
from xgate.sandbox.country import CONSUMER, PROVIDER, Country, Place, found_country

__all__ = ["Work", "soak"]

_LOOK_SECONDS = 0.5
_PATIENCE = 60.0  # seconds for an answer, longer than any that the servers grant
_KEPT = 0.9  # how many connections live on after an answer
_SIZES = (0, 100, 1024, 20_000, 100_000)
_LARGE = 3_000_000
_REFUSED = {
    "rest_denied": "server.serverproxy.access_denied",
    "rest_unknown": "server.clientproxy.unknown_member",
    "soap_broken": "client.invalid_soap",
}
_FRACTIONS = {"p50": 0.5, "p99": 0.99, "p999": 0.999}
_SETTLE_LOOKS = 100
_UNPROVEN = ("unproven_consumer", "unproven_provider")
_PARTS = 10  # of a run, whose means tell how memory went
_LOG = """[messagelog]
max-body-bytes = 20_000
truncate-bodies = true

[messagelog.audit]
interval-seconds = 2

[messagelog.timestamping]"""
_SPOOL = '[spool]\ndirectory = "spool"\n\n[globalconf]'
_DENIED = '\n[[client.service]]\ncode = "denied"\ntype = "REST"\nurl = "{base}"\n'


class _Samples(msgspec.Struct):
    """What was seen of one server, over time."""

    seconds: list[float] = msgspec.field(default_factory=list)
    mb: list[float] = msgspec.field(default_factory=list)
    handles: list[float] = msgspec.field(default_factory=list)

    def take(self, now: float, pid: int) -> None:
        self.seconds.append(now)
        self.mb.append(resident_mb(pid))
        self.handles.append(handles(pid))

    def slope(self, values: Sequence[float]) -> float:
        """By how much it grows in an hour."""
        return linear_regression(self.seconds, values).slope * 3600

    def tenths(self, values: Sequence[float]) -> list[float]:
        """The mean of each tenth of the run, in order; of fewer parts if it was short."""
        parts = min(_PARTS, len(values))
        ends = [len(values) * part // parts for part in range(parts + 1)]
        return [fmean(values[first:end]) for first, end in pairwise(ends)]


class Work:
    """Information systems, and what became of their messages."""

    def __init__(self, country: Country, seed: int) -> None:
        self.took: dict[str, array[float]] = {}
        self.errors: Counter[str] = Counter()
        self.wrong: Counter[str] = Counter()
        self.cut = 0
        self.counting = False
        self.stopping = False
        self._country = country
        self._seed = seed
        self._kinds: dict[str, Callable[[ClientConnection, Random], Awaitable[None]]] = {
            "rest": self._rest,
            "rest_large": self._large,
            "soap": self._soap,
            "soap_attached": self._attached,
            "rest_denied": self._denied,
            "rest_unknown": self._unknown,
            "soap_broken": self._broken,
            "cut": self._cut,
        }

    def begin(self) -> None:
        """What comes from now on counts."""
        self.errors.clear()
        self.wrong.clear()
        self.cut = 0
        self.counting = True

    async def run(self, number: int) -> None:
        """Send one message after the other until it is time to stop."""
        random = Random(f"{self._seed}/{number}")
        while not self.stopping:
            with suppress(NetError):
                async with connected(self._country) as connection:
                    connection.timeout = _PATIENCE
                    while await self._send(connection, random) and random.random() < _KEPT:
                        pass

    async def _send(self, connection: ClientConnection, random: Random) -> bool:
        """One message; whether another may follow on this connection."""
        kind = random.choices(list(self._kinds), (30, 2, 20, 10, 4, 4, 4, 4))[0]
        began = time.perf_counter()
        try:
            await self._kinds[kind](connection, random)
        except (CallError, NetError) as error:
            said = error.code if isinstance(error, CallError) else type(error).__name__
            if kind == "cut":
                return False
            self.errors[said] += 1
            if _REFUSED.get(kind) != said:
                self.wrong[f"{kind}: {error}"[:200]] += 1
                return False
        if self.counting:
            took = self.took.setdefault(kind, array("d"))
            took.append(time.perf_counter() - began)
        return not self.stopping and connection.reusable

    async def _rest(self, connection: ClientConnection, random: Random) -> None:
        await call_rest(connection, random.choice(_SIZES), random.choice(_SIZES))

    async def _large(self, connection: ClientConnection, random: Random) -> None:
        await call_rest(connection, random.choice((0, _LARGE)), _LARGE)

    async def _soap(self, connection: ClientConnection, random: Random) -> None:
        await call_soap(connection, 0, 0, f"q{random.getrandbits(60)}")

    async def _attached(self, connection: ClientConnection, random: Random) -> None:
        up, down = random.choices((*_SIZES, _LARGE), k=2)
        await call_soap(connection, up, down, f"q{random.getrandbits(60)}")

    async def _denied(self, connection: ClientConnection, random: Random) -> None:
        await call_rest(connection, random.choice(_SIZES), 0, service="denied")
        raise CallError("an answer where there must be none")

    async def _unknown(self, connection: ClientConnection, random: Random) -> None:
        target = f"/r1/{PROVIDER.instance}/GOV/nobody/at/all"
        await connection.request("GET", target, [("X-Road-Client", CONSUMER.url)])
        head = await connection.receive_head()
        while await connection.receive():
            pass
        raise CallError(head.find_header("x-road-error") or f"HTTP {head.status}")

    async def _broken(self, connection: ClientConnection, random: Random) -> None:
        await connection.request("POST", "/", [("Content-Type", "text/xml")], b"<broken")
        await connection.receive_head()
        said = b""
        while data := await connection.receive():
            said += data
        raise CallError(said.partition(b"<faultcode>")[2].partition(b"<")[0].decode())

    async def _cut(self, connection: ClientConnection, random: Random) -> None:
        """Hang up in the middle of a request, or of its answer."""
        self.cut += 1
        target = f"/r1/{PROVIDER.url}/bodies/x?answer={_LARGE}"
        headers = [("X-Road-Client", CONSUMER.url), ("Content-Length", str(_LARGE))]
        await connection.start("POST", target, headers, bytes(random.randint(0, _LARGE - 1)))
        with trio.move_on_after(random.random() * 0.2):
            await connection.receive_head()
        await connection.aclose()
        raise NetError("cut")


async def soak(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """One run in ``folder``, an empty one. :raises NetError: a server did not start."""
    described = _described(options)  # of now: files may change while it runs
    services = SERVICES + _DENIED
    country = found_country(folder, SystemClock().now(), kind="P-256", services=services)
    for place in country.places:
        text = place.settings.read_text()
        text = text.replace("[messagelog.timestamping]", _LOG).replace("[globalconf]", _SPOOL)
        place.settings.write_text(text)
    work = Work(country, options.seed)
    async with at_work(country, serve_bodies) as servers:
        pids = [server.process.pid for server in servers]
        samples = [_Samples() for _ in servers]
        await wait_served(country)
        async with trio.open_nursery() as nursery:
            for number in range(options.callers):
                nursery.start_soon(work.run, number)
            await trio.sleep(options.warm_up)
            work.begin()
            began = time.monotonic()
            while (now := time.monotonic() - began) < options.seconds:
                for seen, pid in zip(samples, pids, strict=True):
                    seen.take(now, pid)
                await trio.sleep(min(_LOOK_SECONDS, options.seconds / 4))
            work.stopping = True
        left = [await _left(place, pid) for place, pid in zip(country.places, pids, strict=True)]
    return {**_told(work), **_measured(country, samples, left), **described}


async def _left(place: Place, pid: int) -> int:
    """Spool files that are there when nobody sends any more; a moment is granted."""
    for _ in range(_SETTLE_LOOKS):
        if not _spooled(place, pid):
            break
        await trio.sleep(0.1)
    return _spooled(place, pid)


def _spooled(place: Place, pid: int) -> int:
    """With a name, or open without one."""
    folder = place.folder / "spool"
    open_ones = 0
    for handle in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            open_ones += os.fspath(handle.readlink()).startswith(f"{folder}/")
    return len(list(folder.iterdir())) + open_ones


def _told(work: Work) -> dict[str, Any]:
    took = {kind: array("d", sorted(values)) for kind, values in work.took.items()}
    good = array("d", sorted(value for values in took.values() for value in values))
    return {
        "cut": work.cut,
        "errors": dict(work.errors.most_common()),
        "wrong": dict(work.wrong.most_common(20)),
        **_times(good),
        "by_kind": {kind: _times(values) for kind, values in sorted(took.items())},
    }


def _times(ordered: array[float]) -> dict[str, float]:
    times = {f"{name}_ms": fraction(ordered, part) * 1000 for name, part in _FRACTIONS.items()}
    return {"exchanges": len(ordered), **times}


def _measured(country: Country, samples: list[_Samples], left: list[int]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for place, seen, files in zip(country.places, samples, left, strict=True):
        name = place.name
        result |= {
            f"mb_{name}": seen.mb[-1],
            f"mb_most_{name}": max(seen.mb),
            f"mb_per_hour_{name}": seen.slope(seen.mb),
            f"mb_tenths_{name}": seen.tenths(seen.mb),
            f"handles_{name}": seen.handles[-1],
            f"handles_per_hour_{name}": seen.slope(seen.handles),
            f"spool_files_left_{name}": files,
            **_audited(place),
        }
    return result


def _audited(place: Place) -> dict[str, int]:
    """How many records the server has proven anew, and how many of these did not verify."""
    lines = [
        json.loads(line)
        for line in (place.folder / "server.log").read_text().splitlines()
        if '"audited"' in line
    ]
    return {
        f"audited_{place.name}": sum(line["records"] for line in lines),
        f"unproven_{place.name}": sum(line["failed"] for line in lines),
    }


def _described(options: argparse.Namespace) -> dict[str, Any]:
    return {
        "seconds": options.seconds,
        "warm_up_seconds": options.warm_up,
        "callers": options.callers,
        "seed": options.seed,
        **machine(),
        **commit_now(),
    }


def main() -> int:
    """Soak once and print; 1 when an answer was wrong, evidence bad, or something left."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=_Formatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--seconds", type=float, default=600.0, help="after the warm-up")
    parser.add_argument("--warm-up", type=float, default=60.0, help="seconds that do not count")
    parser.add_argument("--callers", type=int, default=8, help="information systems' connections")
    parser.add_argument("--seed", type=int, default=1, help="decides who sends what")
    options = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory(prefix="xgate-bench-") as folder, only_error():
            result = trio.run(soak, options, Path(folder))
    except NetError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        return 1
    if options.json:
        print(json.dumps(result))
    else:
        for name, value in result.items():
            print(f"{name:28} {_text(value)}")
    bad = ("spool_files_left_consumer", "spool_files_left_provider", *_UNPROVEN)
    return 1 if result["wrong"] or any(result[name] for name in bad) else 0


def _text(value: object) -> object:
    if isinstance(value, list):
        return " ".join(map(str, map(_text, value)))
    return f"{value:,.1f}" if isinstance(value, float) else value


class _Formatter(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    pass


if __name__ == "__main__":
    sys.exit(main())
