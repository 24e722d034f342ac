"""Nothing acknowledged is ever lost: where a log cannot be written, messages are refused, and they
are served again as soon as it can.

The servers are processes, so that the kernel can leave them without room. What is acknowledged is
held against both logs; ``benches/faults.py`` does the same through storms of faults.
"""

from __future__ import annotations

import resource
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, closing, contextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trio

from xgate.clock import SystemClock
from xgate.sandbox.authority import Authority
from xgate.sandbox.background import Running
from xgate.sandbox.country import CONSUMER, PROVIDER, Country, Place
from xgate.sandbox.desk import Desk
from xgate.sandbox.lines import Lines
from xgate.sandbox.pair import ServerProcess, serve_surroundings, start_process
from xgate.securityserver.log_store import open_log
from xgate.securityserver.settings import load_settings
from xgate.testing.postgres import Cluster

if TYPE_CHECKING:
    from tests.journeys.conftest import Caller, Reply

    Calling = Callable[[Running], Caller]

CANNOT_LOG = "logging_failed.database_error"
SIDES = ("consumer", "provider")
RECOVERY = 60.0
BEYOND_MEMORY = bytes(300_000)


class Pair:
    """Both servers as processes, and those who call them: each message with an id of its own."""

    def __init__(self, caller: Caller, processes: dict[str, ServerProcess]) -> None:
        self.acknowledged: list[str] = []
        self.country = caller.country
        self._processes = processes
        self._caller = caller
        self._ids = (f"message-{number}" for number in count(1))

    async def rest(self, body: bytes = b"body") -> Reply:
        query_id = next(self._ids)
        reply = await self._caller.rest("POST", "/echo", [("X-Road-Id", query_id)], body)
        if not reply.code:
            assert (reply.status, reply.body) == (200, body)
            self.acknowledged.append(query_id)
        return reply

    async def soap(self) -> Reply:
        query_id = next(self._ids)
        reply = await self._caller.soap("tell", query_id)
        if not reply.code:
            assert reply.status == 200
            self.acknowledged.append(query_id)
        return reply

    async def wait_served(self) -> None:
        """Until messages of both protocols are served."""
        with trio.fail_after(RECOVERY):
            while (await self.rest()).code or (await self.soap()).code:  # noqa: ASYNC110  it asks
                await trio.sleep(0.05)

    @contextmanager
    def without_room(self, side: str) -> Iterator[None]:
        """No octet can be added to any file by this server, as on a full disk."""
        pid = self._processes[side].process.pid
        usual = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, usual[1]))
        try:
            yield
        finally:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, usual)

    async def kill_and_restart(self) -> None:
        """SIGKILL for both."""
        end_all(self._processes)
        async with trio.open_nursery() as starting:
            for place in self.country.places:
                starting.start_soon(start, place, self._processes)

    def check_logs(self) -> None:
        """Each acknowledged message is in both logs, its request and its answer once each."""
        assert self.acknowledged
        for place, owner in zip(self.country.places, (CONSUMER, PROVIDER), strict=True):
            settings = load_settings(place.settings).messagelog
            with closing(open_log(settings, place.folder, read_only=True)) as store:
                for query_id in self.acknowledged:
                    found = [logged.record for logged in store.find(query_id=query_id)]
                    assert [(one.response, one.owner) for one in found] == [
                        (False, owner),
                        (True, owner),
                    ]


@asynccontextmanager
async def run_pair(country: Country, calling: Calling) -> AsyncIterator[Pair]:
    clock = SystemClock()
    authority = Authority(country, clock)
    async with trio.open_nursery() as nursery:
        await nursery.start(serve_desk, country, authority)
        processes: dict[str, ServerProcess] = {}
        with ExitStack() as opened:
            opened.callback(end_all, processes)
            async with trio.open_nursery() as starting:
                for place in country.places:
                    starting.start_soon(start, place, processes)
            caller = calling(Running(country, authority, Lines(), Lines()))
            opened.callback(caller.close)
            pair = Pair(caller, processes)
            await pair.wait_served()
            yield pair
            for server in processes.values():
                assert await server.stop() == 0
        nursery.cancel_scope.cancel()


async def start(place: Place, processes: dict[str, ServerProcess]) -> None:
    processes[place.name] = await start_process(place)


def end_all(processes: dict[str, ServerProcess]) -> None:
    for server in processes.values():
        server.process.kill()
        server.process.wait()


def put_log_into(settings: Path, conninfo: str) -> None:
    text = settings.read_text()
    log = f'use = "postgres"\npostgres = {{conninfo = "{conninfo}"}}\n'
    settings.write_text(text.replace("[messagelog]\n", f"[messagelog]\n{log}"))


async def serve_desk(
    country: Country, authority: Authority, task_status: trio.TaskStatus[None]
) -> None:
    desk = Desk()
    await serve_surroundings(
        country, SystemClock(), services=desk.serve, authority=authority, task_status=task_status
    )


@pytest.mark.parametrize("side", SIDES)
async def test_without_room_messages_are_refused_and_with_it_served_again(
    found: Callable[..., Country], calling: Calling, side: str
) -> None:
    async with run_pair(found(), calling) as pair:
        before = len(pair.acknowledged)
        with pair.without_room(side):
            rest, soap, large = await pair.rest(), await pair.soap(), await pair.rest(BEYOND_MEMORY)
            assert len(pair.acknowledged) == before
        await pair.wait_served()
        if side == "provider":
            assert {rest.code, soap.code} == {f"server.serverproxy.{CANNOT_LOG}"}
            assert large.code == "server.serverproxy.io_error"
        else:  # for REST, whatever fails while the request streams is an io_error
            assert soap.code == f"server.clientproxy.{CANNOT_LOG}"
            assert rest.code == large.code == "server.clientproxy.io_error"
            assert f"[SYSTEM] {CANNOT_LOG}: " in rest.text
        pair.check_logs()


async def test_without_its_database_messages_are_refused_and_with_it_served_again(
    found: Callable[..., Country],
    calling: Calling,
    postgres: Cluster,
) -> None:
    country = found()
    for place in country.places:
        put_log_into(place.settings, postgres.make_database())
    async with run_pair(country, calling) as pair:
        before = len(pair.acknowledged)
        await trio.to_thread.run_sync(lambda: postgres.stop(crash=True))
        try:
            rest, soap = await pair.rest(), await pair.soap()
            assert len(pair.acknowledged) == before
        finally:
            await trio.to_thread.run_sync(postgres.start)
        await pair.wait_served()
        assert soap.code == f"server.clientproxy.{CANNOT_LOG}"
        assert f"[SYSTEM] {CANNOT_LOG}: " in rest.text
        pair.check_logs()


async def test_a_killed_server_has_all_that_it_acknowledged(
    found: Callable[..., Country], calling: Calling
) -> None:
    async with run_pair(found(), calling) as pair:
        for _ in range(5):
            await pair.rest()
            await pair.soap()
        await pair.kill_and_restart()
        await pair.wait_served()
        pair.check_logs()
