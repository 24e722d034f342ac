"""A country in which everything can fail, and be cured.

The rule: a fault is begun and cured by one pair of calls, from one table; whatever ends the run,
what was begun is cured. The country's settings are those that users have, but for where it sends
its messages (through bad wires), where its log is, and how often it is timestamped, archived and
told the configuration.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path

import msgspec
import trio

from fault_plan import DATABASE, KINDS, Fault
from fault_servers import LogDisk, Supervised
from xgate.clock import SystemClock
from xgate.sandbox.country import CONSUMER, Country, Place, found_country
from xgate.sandbox.pair import serve_surroundings
from xgate.sandbox.wires import Wires
from xgate.testing.postgres import Cluster
from xgate.testing.weather import FAIR, Weather, Wind

__all__ = ["Scene", "found_for_faults"]

Act = Callable[[Fault], Awaitable[None]]

_SERVICES = f"""
[[client.service]]
code = "echo"
type = "REST"
url = "{{base}}"
allow = ["{CONSUMER.short}"]

[[client.service]]
code = "getRandom"
version = "v1"
type = "SOAP"
url = "{{base}}/soap"
allow = ["{CONSUMER.short}"]
"""
_LOG_FOLDER = "log"
_ARCHIVE = f"""
[messagelog.archive]
directory = "{_LOG_FOLDER}/archive"
interval-seconds = 1.0
retry-seconds = 1.0
max-file-records = 100
"""
_LATE = Wind(delay=(0.0, 0.3))
_CUT, _HALF_CLOSED, _HANGING = (
    Wind(after=(0, 30_000), end=end) for end in ("reset", "half_close", "hang")
)
_SPOILT = Wind(flips=(0, 30_000))
_WEATHERS = {
    "delay": Weather(there=_LATE, back=_LATE),
    "reset": Weather(there=_CUT, back=_CUT),
    "half_close": Weather(there=_HALF_CLOSED, back=_HALF_CLOSED),
    "noise": Weather(there=_SPOILT, back=_SPOILT),
    "refuse": Weather("refuse"),
    "hang": Weather(there=_HANGING, back=_HANGING),
    "trickle": Weather(back=Wind(rate=200.0)),
    "busy": Weather(answer=b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"),
}
_CONNECT_SECONDS = 2
_ANSWER_SECONDS = 2


def found_for_faults(folder: Path) -> Country:
    """A country with quick keys, and services for ``fault_calls``."""
    return found_country(folder, SystemClock().now(), kind="P-256", services=_SERVICES)


class Scene:
    """A country's servers, wires, authorities and database; ``run`` them in a nursery."""

    def __init__(self, country: Country, seed: int, cluster: Cluster | None) -> None:
        """:param cluster: keeps both logs; None: each server has a file."""
        self.servers = {place.name: Supervised(place) for place in country.places}
        self.skipped: dict[str, str] = {}
        """Kinds of faults that cannot be had here, and why."""
        self._country = country
        self._cluster = cluster
        self.wires = Wires(country, seed=seed)
        self._disks: dict[str, LogDisk] = {}
        self._acts = self._make_acts()

    @property
    def front(self) -> Country:
        """The country as information systems see it: the consumer's port is that of its wire."""
        ports = msgspec.structs.replace(self._country.ports, client=self.wires.client.port)
        return msgspec.structs.replace(self._country, ports=ports)

    @property
    def kinds(self) -> set[str]:
        """The kinds of faults that can be had."""
        return set(KINDS) - set(self.skipped)

    async def run(
        self, *, mounts: bool, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Serve all of it until cancelled. :param mounts: file systems can be mounted."""
        async with trio.open_nursery() as nursery:
            await nursery.start(serve_surroundings, self._country, SystemClock())
            await nursery.start(self.wires.run)
            self.wires.lay(SystemClock().now())
            for place in self._country.places:
                self._settle(place)
            self._prepare(mounts=mounts)
            for server in self.servers.values():
                nursery.start_soon(server.run)
            task_status.started()

    async def suffer(self, storm: Sequence[Fault]) -> None:
        """Begin each fault in its time and cure it in its time; return when all are cured."""
        async with trio.open_nursery() as nursery:
            for fault in storm:
                nursery.start_soon(self._suffer, fault)

    async def stop(self) -> None:
        """Stop both servers in order. :raises ServerEndedError: one did not."""
        for server in self.servers.values():
            await server.stop()

    def close(self) -> None:
        """Forget the logs that have file systems of their own."""
        for disk in self._disks.values():
            disk.close()
        for proxy in self.wires:
            proxy.close()

    async def _suffer(self, fault: Fault) -> None:
        begin, cure = self._acts[fault.kind]
        await trio.sleep(fault.after)
        try:
            await begin(fault)
            if cure is not None:
                await trio.sleep(fault.lasts)
        finally:
            if cure is not None:
                with trio.CancelScope(shield=True):
                    await cure(fault)

    def _settle(self, place: Place) -> None:
        """Change a server's settings."""
        log = f'[messagelog.sqlite]\npath = "{_LOG_FOLDER}/messagelog.sqlite"\n'
        if self._cluster is not None:
            log = (
                f'[messagelog]\nuse = "postgres"\n\n[messagelog.postgres]\n'
                f'conninfo = "{self._cluster.make_database()}"\n'
                f"connect-seconds = {_CONNECT_SECONDS}\nanswer-seconds = {_ANSWER_SECONDS}\n"
            )
        stamping = "[messagelog.timestamping]\n"
        changed = f"{log}{_ARCHIVE}\n{stamping}retry-seconds = 1.0\n"
        text = place.settings.read_text().replace(stamping, changed)
        fresh = "[globalconf]\n"
        place.settings.write_text(text.replace(fresh, f"{fresh}refresh-seconds = 1.0\n"))

    def _prepare(self, *, mounts: bool) -> None:
        """Make the logs' file systems, and find out what cannot be had."""
        if self._cluster is None:
            self.skipped |= dict.fromkeys(DATABASE, "the log is not in PostgreSQL")
            reason = "no file system can be mounted"
            try:
                if mounts:
                    self._disks = {
                        place.name: LogDisk(place.folder / _LOG_FOLDER)
                        for place in self._country.places
                    }
                    return
            except OSError as error:
                reason = str(error)
        else:
            reason = "the log is in PostgreSQL"
        self.skipped["disk_full"] = reason

    def _make_acts(self) -> dict[str, tuple[Act, Act | None]]:
        acts: dict[str, tuple[Act, Act | None]] = {
            "kill": (self._kill, None),
            "pause": (self._pause, self._resume),
            "disk_full": (self._fill_disk, self._empty_disk),
            "file_limit": (self._limit_files, self._unlimit_files),
        }
        for kind in KINDS:
            family = kind.partition("_")[0]
            if family == "wire":
                acts[kind] = self._worsen, self._clear
            elif family == "database":
                acts[kind] = self._harm_database, self._heal_database
        return acts

    async def _kill(self, fault: Fault) -> None:
        self.servers[fault.target].kill()

    async def _pause(self, fault: Fault) -> None:
        self.servers[fault.target].pause()

    async def _resume(self, fault: Fault) -> None:
        self.servers[fault.target].resume()

    async def _fill_disk(self, fault: Fault) -> None:
        await self._disks[fault.target].fill(fault.room)

    async def _empty_disk(self, fault: Fault) -> None:
        await self._disks[fault.target].empty()

    async def _limit_files(self, fault: Fault) -> None:
        """What is full is full for the write-ahead log first: it is what grows."""
        server = self.servers[fault.target]
        growing = server.place.folder / _LOG_FOLDER / "messagelog.sqlite-wal"
        size = growing.stat().st_size if growing.exists() else 0
        server.limit_files(size + fault.room if fault.room else 0)

    async def _unlimit_files(self, fault: Fault) -> None:
        self.servers[fault.target].limit_files(None)

    async def _worsen(self, fault: Fault) -> None:
        getattr(self.wires, fault.target).weather = _WEATHERS[fault.kind.removeprefix("wire_")]

    async def _clear(self, fault: Fault) -> None:
        getattr(self.wires, fault.target).weather = FAIR

    async def _harm_database(self, fault: Fault) -> None:
        assert self._cluster is not None
        if fault.kind == "database_pause":
            self._cluster.pause()
        else:
            crash = fault.kind == "database_crash"
            await trio.to_thread.run_sync(partial(self._cluster.stop, crash=crash))

    async def _heal_database(self, fault: Fault) -> None:
        assert self._cluster is not None
        if fault.kind == "database_pause":
            self._cluster.resume()
        else:
            await trio.to_thread.run_sync(self._cluster.start)
