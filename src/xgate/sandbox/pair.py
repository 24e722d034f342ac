"""Runs a country: its authorities, its provider's services and its two security servers.

The rule: the authorities and services run in this process; the servers either in it too (tests, by
the same ``run_server``) or as processes of their own (demo, benchmarks), which is what users run.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import trio

from xgate.clock import Clock
from xgate.net.drain import Drain
from xgate.net.errors import NetError
from xgate.net.listen import listen_on, serve_listeners
from xgate.net.server import Exchange, ServerLimits, serve_connection
from xgate.net.stream import Stream
from xgate.sandbox.authority import Authority
from xgate.sandbox.lines import Lines
from xgate.sandbox.places import Country, Place
from xgate.sandbox.services import serve_people, serve_random
from xgate.securityserver.journal import Journal
from xgate.securityserver.run import run_server
from xgate.securityserver.settings import load_settings

__all__ = [
    "ServerProcess",
    "run_in_process",
    "serve_surroundings",
    "start_process",
    "start_signer",
]

_NAMES = {"serve": "server", "signer": "signer"}

Handler = Callable[[Exchange], Awaitable[None]]


async def serve_surroundings(
    country: Country,
    clock: Clock,
    *,
    services: Handler | None = None,
    authority: Authority | None = None,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve the authorities and the provider's services until cancelled."""
    doors = (
        (country.ports.authority, (authority or Authority(country, clock)).handler),
        (country.ports.services, services or _services),
    )
    async with trio.open_nursery() as nursery:
        for port, handler in doors:
            listeners = await listen_on("127.0.0.1", port)
            serve = partial(serve_listeners, listeners, _connections(handler, clock))
            await nursery.start(serve)
        task_status.started()


async def _services(exchange: Exchange) -> None:
    if exchange.target.startswith("/soap"):
        await serve_random(exchange)
    else:
        await serve_people(exchange)


def _connections(handler: Handler, clock: Clock) -> Callable[[Stream], Awaitable[None]]:
    async def serve(stream: Stream) -> None:
        await serve_connection(stream, handler, ServerLimits(), clock)

    return serve


@asynccontextmanager
async def run_in_process(place: Place, clock: Clock, lines: Lines) -> AsyncIterator[Drain]:
    """Run one server as a task until the block ends or the drain that it gives is started.

    :param lines: take what it logs.
    """
    drain = Drain()
    journal = Journal(clock, lines.write)
    async with trio.open_nursery() as nursery:
        settings = load_settings(place.settings)
        await nursery.start(partial(run_server, settings, place.folder, clock, journal, drain))
        try:
            yield drain
        finally:
            drain.start()


class ServerProcess:
    """A security server, or its signer, as a process of its own; its log is in its folder."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self.log = log

    async def stop(self) -> int:
        """Ask it to drain and wait for its end; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        with trio.move_on_after(30):
            while self.process.poll() is None:
                await trio.sleep(0.02)
        if self.process.poll() is None:
            self.process.kill()
        return await trio.to_thread.run_sync(self.process.wait)


async def start_process(place: Place, *, timeout: float = 20.0) -> ServerProcess:
    """Start ``xgate serve`` for a place and wait until it says that it serves.

    :raises NetError: it ended or said nothing in time; the text ends with its last log line.
    """
    return await _start(place, "serve", b'"event":"serving"', place.folder / "server.log", timeout)


async def start_signer(place: Place, *, timeout: float = 20.0) -> ServerProcess:
    """Start ``xgate signer`` for a place whose settings name its socket; errors likewise."""
    return await _start(place, "signer", b'"event":"signing"', place.folder / "signer.log", timeout)


async def _start(
    place: Place, command: str, ready: bytes, log: Path, timeout: float
) -> ServerProcess:
    words = [sys.executable, "-m", "xgate", command, "--config", os.fspath(place.settings)]
    environment = dict(os.environ)
    if place.hardware is not None:
        environment |= place.hardware.environment
    with log.open("wb") as sink:
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stderr=sink, env=environment)
    with trio.move_on_after(timeout):
        while process.poll() is None:
            if ready in log.read_bytes():
                return ServerProcess(process, log)
            await trio.sleep(0.02)
    process.kill()
    process.wait()
    said = log.read_text(errors="replace").strip().rpartition("\n")[2]
    raise NetError(f"the {place.name}'s {_NAMES[command]} did not start: {said}")
