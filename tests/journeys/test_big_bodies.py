"""Bodies that a server has no room for are refused alone, in words, and leave nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trio

from xgate.clock import SystemClock
from xgate.net.client import connect
from xgate.sandbox.country import CONSUMER, PROVIDER, Country
from xgate.sandbox.pair import ServerProcess, serve_surroundings, start_process

if TYPE_CHECKING:
    from tests.journeys.conftest import Caller, Reply, Starter

LARGE = b"x" * 150_000  # more than is kept in memory
SMALL = b"x" * 1000
NO_ROOM = "There is no room for the body of a message now"


def spool(limits: str) -> Mapping[str, str]:
    return {"[globalconf]\n": f'[spool]\ndirectory = "spool"\n{limits}\n\n[globalconf]\n'}


async def echo(caller: Caller, body: bytes | AsyncIterator[bytes]) -> Reply:
    return await caller.rest("POST", "/x", [], body, service="echo")


async def give(caller: Caller, body: bytes | AsyncIterator[bytes]) -> Reply:
    """The answer has no body."""
    return await caller.rest("POST", "/x", [("X-Answer-With", "200")], body)


async def attach(caller: Caller, octets: bytes, query: str) -> Reply:
    return await caller.soap("attached", query, [("text/plain", octets)])


def nothing_left(caller: Caller) -> bool:
    return not any(list((place.folder / "spool").iterdir()) for place in caller.country.places)


async def test_a_message_that_is_too_large_is_told_by_whom_and_why(start: Starter) -> None:
    text = "The bodies of the message have more than 150000 octets"
    async with start(changes=spool("message-bytes = 150_000")) as started:
        caller = started.caller
        reply = await echo(caller, LARGE)
        assert (reply.status, reply.body) == (200, LARGE)
        reply = await echo(caller, LARGE + b"x")
        assert (reply.status, reply.code) == (500, "server.clientproxy.io_error")
        assert reply.text == text
        reply = await attach(caller, LARGE + b"x", "too-large")
        assert (reply.status, reply.code) == (200, "server.serverproxy.io_error")
        assert reply.text == text
        reply = await attach(caller, LARGE[:-100], "large")
        assert (reply.status, reply.code) == (200, "")
        assert nothing_left(caller)


async def test_who_finds_no_room_fails_and_nobody_else(start: Starter) -> None:
    halfway, go_on = trio.Event(), trio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield LARGE
        halfway.set()
        await go_on.wait()
        yield SMALL

    async with start(changes=spool("most-bytes = 200_000")) as started:
        caller = started.caller

        async def first() -> None:
            assert (await give(caller, slowly())).status == 200

        async with trio.open_nursery() as nursery:
            nursery.start_soon(first)
            await halfway.wait()
            reply = await give(caller, LARGE)
            assert (reply.status, reply.code) == (500, "server.clientproxy.io_error")
            assert reply.text == NO_ROOM
            reply = await echo(caller, SMALL)
            assert (reply.status, reply.body) == (200, SMALL)
            go_on.set()
        assert (await give(caller, LARGE)).status == 200
        assert nothing_left(caller)


async def test_a_disk_that_is_nearly_full_refuses_what_does_not_fit_into_memory(
    start: Starter,
) -> None:
    async with start(changes=spool(f"free-bytes = {1 << 60}")) as started:
        reply = await echo(started.caller, LARGE)
        assert (reply.code, reply.text) == ("server.clientproxy.io_error", NO_ROOM)
        reply = await echo(started.caller, SMALL)
        assert (reply.status, reply.body) == (200, SMALL)


@pytest.mark.parametrize("logged", ["body-logging = false", "max-body-bytes = 1"])
async def test_what_is_neither_logged_nor_verified_first_takes_no_room(
    start: Starter, logged: str
) -> None:
    """The consumer's server passes the request on, the provider's server the answer."""
    changes = {
        f"max-body-bytes = {16 << 20}\n": f"{logged}\ntruncate-bodies = true\n",
        **spool("most-bytes = 200_000"),
    }
    async with start(changes=changes) as started:
        reply = await echo(started.caller, LARGE)
        assert (reply.status, reply.body) == (200, LARGE)


def spooled(server: ServerProcess, folder: Path) -> int:
    """Files without a name that the process has open in the folder."""
    count = 0
    for handle in Path(f"/proc/{server.process.pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            count += str(handle.readlink()).startswith(f"{folder}/")
    return count


async def test_a_server_that_is_killed_over_a_body_leaves_nothing_and_starts_again(
    found: Callable[..., Country],
) -> None:
    country = found(spool("most-bytes = 1_000_000"))
    folder = country.consumer.folder / "spool"
    async with trio.open_nursery() as nursery:
        await nursery.start(serve_surroundings, country, SystemClock())
        provider = await start_process(country.provider)
        server = await start_process(country.consumer)
        await kill_over_a_body(country, server, folder)
        assert list(folder.iterdir()) == []
        (folder / "xgate-spool-of-a-crash").write_bytes(LARGE)
        again = await start_process(country.consumer)
        assert list(folder.iterdir()) == []
        for process in (again, provider):
            assert await process.stop() == 0
        nursery.cancel_scope.cancel()


async def kill_over_a_body(country: Country, server: ServerProcess, folder: Path) -> None:
    """Kill it while it holds half of a body in a file."""
    connection = await connect(country.consumer.address, country.ports.client)
    headers = [("X-Road-Client", CONSUMER.url), ("Content-Length", str(2 * len(LARGE)))]
    with trio.fail_after(20):
        while True:
            await connection.start("POST", f"/r1/{PROVIDER.url}/echo/x", headers, LARGE)
            with trio.move_on_after(0.5):
                await connection.receive_head()
            if spooled(server, folder):
                break
            await connection.aclose()  # it has no OCSP response yet
            connection = await connect(country.consumer.address, country.ports.client)
    server.process.kill()
    await trio.to_thread.run_sync(partial(server.process.wait, 10))
    await connection.aclose()
