"""A security server as a part of another program.

The rule: the program owns the trio loop and the process; the gateway owns its ports, its log and
its keys. The same ``run_server`` as ``xgate serve`` runs.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import trio

from xgate.clock import Clock, SystemClock
from xgate.net.drain import Drain
from xgate.securityserver.journal import Journal, write_to_stderr
from xgate.securityserver.run import Ports, run_server
from xgate.securityserver.settings import Settings

__all__ = ["Gateway"]


class Gateway:
    """One security server; ``run`` it in a nursery, ``stop`` it when done."""

    def __init__(
        self,
        settings: Settings,
        folder: Path,
        *,
        write: Callable[[bytes], None] = write_to_stderr,
        clock: Clock | None = None,
    ) -> None:
        """:param folder: where relative paths of the settings count from.

        :param write: takes each line of the log (JSON, with its line end).
        """
        self._settings = settings
        self._folder = folder
        self._clock = clock or SystemClock()
        self._journal = Journal(self._clock, write)
        self._drain = Drain()

    async def run(self, task_status: trio.TaskStatus[Ports] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until ``stop``; reports its ports when it listens. Errors as ``run_server``."""
        await run_server(
            self._settings,
            self._folder,
            self._clock,
            self._journal,
            self._drain,
            task_status=task_status,
        )

    def stop(self) -> None:
        """Take no new work; ``run`` returns when the running exchanges have ended."""
        self._drain.start()
