"""A PostgreSQL server of one's own, for tests: made in a moment, on no port, gone at the end.

The rule: it is a real one (Debian's package ``postgresql``), and it syncs to the disk; it listens
on a Unix socket in a folder that only its own user may enter. PostgreSQL does not run as root:
then it runs as the user ``postgres``.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from itertools import count
from pathlib import Path
from typing import Any

import psycopg

from xgate.messagelog.postgres_tables import SCHEMA

__all__ = ["Cluster", "find_postgres"]

_SETTINGS = """
listen_addresses = ''
unix_socket_directories = '{folder}'
max_connections = 60
shared_buffers = 32MB
fsync = on
recovery_init_sync_method = syncfs
log_min_messages = fatal
"""


def find_postgres() -> Path | None:
    """The folder of PostgreSQL's programs, the newest version's; None if it is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=_version)
    return found[-1].parent if found else None


class Cluster:
    """One server with its databases; a context manager that leaves nothing behind."""

    def __init__(self, programs: Path) -> None:
        """Make and start it. :param programs: as ``find_postgres`` tells."""
        self._programs = programs
        self._numbers = count(1)
        self._folder = Path(tempfile.mkdtemp(prefix="xgate-pg-"))
        self._data = self._folder / "data"
        self._emptied: str | None = None
        self._as: dict[str, Any] = {}
        if os.geteuid() == 0:
            shutil.chown(self._folder, "postgres", "postgres")
            self._as = {"user": "postgres", "group": "postgres", "extra_groups": []}
        try:
            self._program(
                "initdb",
                *("--no-sync", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8"),
                *("--username=postgres", f"--pgdata={self._data}"),
            )
            with (self._data / "postgresql.conf").open("a") as file:
                file.write(_SETTINGS.format(folder=self._folder))
            self.start()
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise

    @property
    def pid(self) -> int:
        """The process that all the others belong to."""
        return int((self._data / "postmaster.pid").read_text().split("\n", 1)[0])

    def conninfo(self, database: str = "postgres") -> str:
        """How to connect to a database of it."""
        return f"host={self._folder} dbname={database} user=postgres"

    def make_database(self) -> str:
        """A new, empty database; how to connect to it."""
        name = f"log{next(self._numbers)}"
        with psycopg.connect(self.conninfo(), autocommit=True) as db:
            db.execute(f"CREATE DATABASE {name}".encode())
        return self.conninfo(name)

    def empty_database(self) -> str:
        """Always the same database, emptied: quicker than a new one. How to connect to it.

        Whoever is connected to it is cut off.
        """
        if self._emptied is None:
            self._emptied = self.make_database()
        with psycopg.connect(self._emptied, autocommit=True) as db:
            db.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            db.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE".encode())
            db.execute(f"ALTER DATABASE {db.info.dbname} RESET ALL".encode())
        return self._emptied

    def start(self) -> None:
        """Start it and wait until it takes connections."""
        log = self._folder / "log"
        self._program("pg_ctl", "start", "-w", "-t", "30", "-s", f"-D{self._data}", f"-l{log}")

    def stop(self, *, crash: bool = False) -> None:
        """Stop it: every connection is cut. :param crash: without writing anything in order."""
        mode = "immediate" if crash else "fast"
        self._program("pg_ctl", "stop", "-w", "-t", "30", "-s", f"-D{self._data}", "-m", mode)

    def pause(self) -> None:
        """Let every process of it stand still: connections stay, and nobody answers."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Undo ``pause``."""
        self._signal(signal.SIGCONT)

    def close(self) -> None:
        """Stop it and remove its folder."""
        if (self._data / "postmaster.pid").exists():
            self.resume()
            self.stop(crash=True)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _signal(self, number: signal.Signals) -> None:
        main = self.pid
        children = Path(f"/proc/{main}/task/{main}/children").read_text().split()
        for pid in (main, *map(int, children)):
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue

    def _program(self, name: str, *arguments: str) -> None:
        subprocess.run(  # noqa: S603  programs of the system, with arguments of ours
            [self._programs / name, *arguments],
            check=True,
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **self._as,
        )

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _version(path: Path) -> tuple[int, ...]:
    return tuple(int(piece) for piece in path.parts[-3].split(".") if piece.isdigit())
