"""What commands that run until they are told to stop have in common, and how one starts anew.

The rule: the first SIGTERM or SIGINT drains, the second one stops at once; what the settings make
impossible is exit code 2; everything else is told in JSON lines on standard error.
"""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, NoReturn

import trio

from xgate._native.provider import provider_environment
from xgate.cli.output import Unusable
from xgate.clock import Clock, SystemClock
from xgate.errors import first_cause
from xgate.net.drain import Drain
from xgate.net.errors import NetError
from xgate.securityserver.journal import Journal
from xgate.securityserver.libraries import libraries_into
from xgate.securityserver.settings import Settings, SettingsError, load_settings
from xgate.signer.hardening import Hardened

__all__ = [
    "Run",
    "give_memory_back",
    "pass_over_modules",
    "read_settings",
    "run_until_told",
    "start_again_with_provider",
]

Run = Callable[[Settings, Path, Clock, Journal, Drain], Coroutine[Any, Any, None]]
"""``run_server`` and its like: settings, their folder, time, the log, and when to end."""


_M_MMAP_THRESHOLD = -3
_LARGE = 1 << 20  # octets


def read_settings(config: Path) -> Settings:
    """The settings in a file. :raises Unusable: there are none."""
    try:
        return load_settings(config)
    except SettingsError as error:
        raise Unusable(str(error)) from None


def run_until_told(run: Run, settings: Settings, config: Path, hardened: Hardened) -> int:
    """Run until a signal has drained it; the exit code.

    :param config: the file that the settings were read from.
    :param hardened: what was done for the keys of this process, to tell of.
    :raises Unusable: something that the settings name cannot be used.
    :raises Fault: a key store does not open, or there is no usable configuration.
    """
    give_memory_back()
    pass_over_modules()
    clock = SystemClock()
    folder = config.resolve().parent
    journal = Journal(clock)
    if hardened != Hardened(None, None):
        journal.event("keys less protected", dumps=hardened.dumps, swap=hardened.swap)

    async def main() -> None:
        drain = Drain()
        async with trio.open_nursery() as nursery:
            await nursery.start(_drain_on_signal, drain, nursery.cancel_scope)
            await run(settings, folder, clock, journal, drain)
            nursery.cancel_scope.cancel()

    try:
        with libraries_into(journal):
            trio.run(main)
    except BaseExceptionGroup as group:
        cause = first_cause(group)
        unusable = isinstance(cause, NetError | SettingsError)
        raise (Unusable(str(cause)) if unusable else cause) from None
    return 0


def give_memory_back() -> None:
    """Let the C library return large blocks to the system as soon as they are free.

    By itself glibc keeps blocks as large as it has ever seen one freed: after one configuration of
    25 MB a server would keep several times that for ever. Other libraries have no such switch.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGE)


def pass_over_modules() -> None:
    """Let the garbage collector look at nothing that is there by now: it stays until the end.

    It would be 50,000 objects each time, for which every message waits 30 ms. What is taken up
    later, such as a configuration, is collected as ever.
    """
    gc.freeze()


def start_again_with_provider() -> NoReturn:
    """This very process once more, with OpenSSL's provider for keys that the signer holds.

    :raises FileNotFoundError: the provider was not built.
    """
    environment = {**os.environ, **provider_environment()}
    command = [sys.executable, *sys.orig_argv[1:]]
    os.execve(sys.executable, command, environment)  # noqa: S606  the very command that runs


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
