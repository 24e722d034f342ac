"""The load that two servers carry: a service, a generator of requests, and what both print.

The rule: all of it runs in processes of its own, so that nobody's processor time is another's, and
what could not be measured has no number but a ``BenchError``.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import trio

from gauges import Gauge
from xgate.sandbox.country import CONSUMER, PROVIDER, Country, KeyKind, Place
from xgate.sandbox.pair import ServerProcess

__all__ = [
    "TOKENS",
    "BenchError",
    "bench_service",
    "lines_of",
    "load_command",
    "look",
    "running",
    "services_at",
    "statistics_of",
]

TOKENS: dict[str, KeyKind] = {"rsa": "RSA-2048", "p256": "P-256"}
"""What keys a country may be founded with, by the word for it on a command line."""

_HERE = Path(__file__).parent
_LOOK_SECONDS = 0.25
_SERVICE = """
[[client.service]]
code = "bench"
type = "REST"
url = "http://127.0.0.1:{port}"
allow = ["{client}"]
"""


class BenchError(Exception):
    """There is no number; the text says why."""


@contextmanager
def bench_service() -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The provider's service, running, and its port. :raises BenchError: it did not start."""
    command = [sys.executable, str(_HERE / "provider.py"), "0"]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise BenchError("the service did not start")
        yield process, int(line)
    finally:
        process.kill()
        process.communicate()


def services_at(port: int) -> str:
    """The provider's settings for this service."""
    return _SERVICE.format(port=port, client=CONSUMER.short)


@asynccontextmanager
async def running(
    start: Callable[[Place], Awaitable[ServerProcess]], places: Sequence[Place]
) -> AsyncIterator[list[ServerProcess]]:
    """A process at each place, in their order; they drain at the end."""
    started: list[ServerProcess] = []
    try:
        for place in places:
            started.append(await start(place))  # noqa: PERF401  those that run are stopped
        yield started
    finally:
        with trio.CancelScope(shield=True):
            for server in started:
                await server.stop()


def load_command(country: Country, **options: float) -> list[str]:
    """What starts the generator.

    :param options: those of ``load.py`` by name, with ``_`` for ``-``.
    """
    given = {
        "host": country.consumer.address,
        "port": country.ports.client,
        "target": f"/r1/{PROVIDER.url}/bench",
        "client": CONSUMER.url,
        **{name.replace("_", "-"): value for name, value in options.items()},
    }
    flags = [text for name, value in given.items() for text in (f"--{name}", str(value))]
    return [sys.executable, str(_HERE / "load.py"), *flags]


async def lines_of(process: trio.Process) -> AsyncIterator[str]:
    """What it prints, line by line."""
    assert process.stdout is not None
    held = b""
    async for data in process.stdout:
        *whole, held = (held + data).split(b"\n")
        for line in whole:
            yield line.decode()


async def look(gauges: Sequence[Gauge]) -> None:
    """Have the gauges look for their peaks, for ever."""
    while True:
        await trio.sleep(_LOOK_SECONDS)
        for gauge in gauges:
            gauge.look()


def statistics_of(place: Place, process: str = "server") -> dict[str, Any]:
    """What the server, or its ``signer``, counted until it stopped.

    :raises BenchError: it told nothing.
    """
    for line in (place.folder / f"{process}.log").read_bytes().splitlines():
        if b'"event":"statistics"' in line:
            said: dict[str, Any] = json.loads(line)
            return said
    raise BenchError(f"the {place.name}'s {process} did not stop in order; see {place.folder}")
