"""``xgate serve``: run a security server until it is told to stop."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import trio

from xgate.cli.output import Unusable
from xgate.clock import SystemClock
from xgate.net.drain import Drain
from xgate.net.errors import NetError
from xgate.securityserver.journal import Journal
from xgate.securityserver.libraries import libraries_into
from xgate.securityserver.run import run_server
from xgate.securityserver.settings import SettingsError, load_settings

__all__ = ["serve"]


def serve(*, config: Path) -> int:
    """Run a member's security server.

    It writes one JSON line per event and exchange to standard error. SIGTERM or SIGINT makes it
    finish the exchanges that are running and exit with 0; a second one stops it at once.

    :param config: The settings file (TOML); relative paths in it start at its folder.
    """
    try:
        settings = load_settings(config)
    except SettingsError as error:
        raise Unusable(str(error)) from None
    clock = SystemClock()
    folder = config.resolve().parent
    journal = Journal(clock)
    _keep_memory_private()

    async def main() -> None:
        drain = Drain()
        async with trio.open_nursery() as nursery:
            await nursery.start(_drain_on_signal, drain, nursery.cancel_scope)
            await run_server(settings, folder, clock, journal, drain)
            nursery.cancel_scope.cancel()

    try:
        with libraries_into(journal):
            trio.run(main)
    except BaseExceptionGroup as group:
        raise _the_first(group) from None
    return 0


def _the_first(error: BaseException) -> BaseException:
    """What went wrong first: the nurseries around it only report it."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return Unusable(str(error)) if isinstance(error, NetError | SettingsError) else error


async def _drain_on_signal(
    drain: Drain,
    scope: trio.CancelScope,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        task_status.started()
        async for _ in signals:
            if drain.started:
                scope.cancel()
            drain.start()


def _keep_memory_private() -> None:
    """No core dump of a process that holds keys; where the platform has no such switch, none."""
    if sys.platform == "linux":
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
