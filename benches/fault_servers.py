"""Security servers that can be killed, paused and left without room, and come back.

The rule: a process that ends is started again at once, as a supervisor of the system would; each
fault is made by the kernel and cured by it, and the server is told nothing of it.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import trio

from xgate.sandbox.country import Place

__all__ = ["LogDisk", "ServerEndedError", "Supervised"]

_TOO_SOON = 0.2  # seconds before the next try when a server has ended at its start
_STOP_SECONDS = 30.0
_DISK = 8 << 30  # memory is taken only for what is written
_TRIES = 20


class ServerEndedError(Exception):
    """A server did not stop in order."""


class Supervised:
    """One security server, for as long as ``run`` runs."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.starts = 0
        """How often it was started."""
        self.ended: Counter[int] = Counter()
        """How often it ended by itself, by exit code."""
        self._process: subprocess.Popen[bytes] | None = None
        self._limit = resource.RLIM_INFINITY
        self._stopping = False

    @property
    def log(self) -> Path:
        """What all its processes have written."""
        return self.place.folder / "server.log"

    @property
    def internal_errors(self) -> int:
        """How many errors of its own its log tells of."""
        with self.log.open("rb") as lines:
            return sum(b'"event":"internal error"' in line for line in lines)

    async def run(self) -> None:
        """Start it whenever it does not run, until ``stop``; when cancelled, it is killed."""
        try:
            while not self._stopping:
                with self.log.open("ab") as sink:
                    self._start(sink.fileno())
                code = await self._wait()
                if code != -signal.SIGKILL and not self._stopping:
                    self.ended[code] += 1
                await trio.sleep(_TOO_SOON)
        finally:
            self.kill()

    def kill(self) -> None:
        """SIGKILL."""
        self._signal(signal.SIGKILL)

    def pause(self) -> None:
        """It stands still, whatever is done to it but killing."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Undo ``pause``."""
        self._signal(signal.SIGCONT)

    def limit_files(self, octets: int | None) -> None:
        """It cannot write beyond this place of any file; None: it can."""
        self._limit = resource.RLIM_INFINITY if octets is None else octets
        self._set_limit()

    async def stop(self) -> None:
        """Ask it to end, and wait for that.

        :raises ServerEndedError: it did not end in order.
        """
        self._stopping = True
        self._signal(signal.SIGTERM)
        with trio.move_on_after(_STOP_SECONDS):
            code = await self._wait()
            if code != 0:
                raise ServerEndedError(f"the {self.place.name}'s server ended with code {code}")
            return
        raise ServerEndedError(f"the {self.place.name}'s server has not ended in {_STOP_SECONDS} s")

    def _start(self, sink: int) -> None:
        command = [sys.executable, "-m", "xgate", "serve", "--config"]
        self._process = subprocess.Popen(
            [*command, os.fspath(self.place.settings)], stdin=subprocess.DEVNULL, stderr=sink
        )
        self.starts += 1
        self._set_limit()

    async def _wait(self) -> int:
        """Until the present process has ended; its exit code."""
        assert self._process is not None
        if (code := self._process.poll()) is not None:
            return code
        descriptor = os.pidfd_open(self._process.pid)
        try:
            await trio.lowlevel.wait_readable(descriptor)
            return self._process.wait()
        finally:
            os.close(descriptor)

    def _set_limit(self) -> None:
        if self._process is not None and self._process.poll() is None:
            _, hard = resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE)
            resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE, (self._limit, hard))

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)


class LogDisk:
    """A file system of its own for a server's log, which can be made as full as one likes."""

    def __init__(self, folder: Path) -> None:
        """:param folder: where to mount it. :raises OSError: it cannot be mounted."""
        self._folder = folder
        folder.mkdir()
        self._mount(f"size={_DISK}")

    async def fill(self, room: int) -> None:
        """Leave room for so many octets only."""
        await trio.to_thread.run_sync(self._fill, room)

    async def empty(self) -> None:
        """Undo ``fill``."""
        await trio.to_thread.run_sync(self._mount, f"remount,size={_DISK}")

    def close(self) -> None:
        """Forget all that is on it."""
        subprocess.run(["umount", "--lazy", os.fspath(self._folder)], check=False)

    def _fill(self, room: int) -> None:
        for _ in range(_TRIES):
            used = os.statvfs(self._folder)
            taken = (used.f_blocks - used.f_bfree) * used.f_frsize
            try:
                return self._mount(f"remount,size={taken + room}")
            except OSError as error:  # it holds more by now than it was to hold
                last = error
        raise last

    def _mount(self, options: str) -> None:
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", os.fspath(self._folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise OSError(done.stderr.strip() or "mount failed")
