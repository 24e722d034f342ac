"""Floods: whoever presses hard is held to its share, and everybody else is served in time."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import trio
import trio.testing
from tests.journeys.fault_table import assert_in_table

from xgate.clock import SystemClock
from xgate.errors import Fault
from xgate.ids import ClientId
from xgate.net.client import ClientConnection, connect_on
from xgate.net.errors import NetError
from xgate.net.fetch import fetch
from xgate.net.stream import SocketStream
from xgate.sandbox.country import CONSUMER, PROVIDER, Country
from xgate.sandbox.peer import Peer
from xgate.sandbox.places import Place
from xgate.sandbox.publication import describe_country, publish_country
from xgate.testing.pki import issue_auth
from xgate.wire.transport import write_request_head

if TYPE_CHECKING:
    from tests.journeys.conftest import Started, Starter

LIMITS = "exchanges = 8\nexchanges-waiting = 8\nwait-seconds = 0.5\n"
HEALTH = '[health]\nhost = "127.0.0.1"\nport = 0\n\n'
FLOODER = "127.0.0.77"


def limit(place: Place, limits: str = LIMITS) -> None:
    text = place.settings.read_text()
    assert "[limits]" not in text
    changed = text.replace("[globalconf]", f"{HEALTH}[limits]\n{limits}\n[globalconf]")
    place.settings.write_text(changed)


async def come_from(address: str, host: str, port: int) -> ClientConnection:
    with trio.fail_after(5):
        sock = trio.socket.socket()
        await sock.bind((address, 0))
        await sock.connect((host, port))
    plain = SocketStream(socket.socket(fileno=sock.detach()))
    return await connect_on(plain, host, port)


async def health_of(started: Started, side: str, path: str) -> tuple[int, float]:
    """Status, and the seconds that it took."""
    lines = started.running.consumer if side == "consumer" else started.running.provider
    serving = await lines.wait("serving")
    began = trio.current_time()
    answer = await fetch(f"http://127.0.0.1:{serving['health']}{path}")
    return answer.status, trio.current_time() - began


async def statistics_of(started: Started, side: str) -> Any:
    """How full a server says it is."""
    lines = started.running.consumer if side == "consumer" else started.running.provider
    serving = await lines.wait("serving")
    return json.loads((await fetch(f"http://127.0.0.1:{serving['health']}/statistics")).body)


async def test_an_information_system_that_floods_is_refused_early_and_others_are_served(
    start: Starter, found: Callable[..., Country]
) -> None:
    country = found()
    limit(country.consumer)
    async with start(country) as started, trio.open_nursery() as nursery:
        host, port = started.caller.door
        answer, answers = trio.open_memory_channel[tuple[str, float]](40)

        async def flood() -> None:
            connection = await come_from(FLOODER, host, port)
            connection.timeout = 60
            headers = [("X-Road-Client", CONSUMER.url)]
            began = trio.current_time()
            try:
                await connection.request("GET", f"/r1/{PROVIDER.url}/rest/wait", headers)
                head = await connection.receive_head()
                took = trio.current_time() - began
                answer.send_nowait((head.find_header("x-road-error") or "", took))
            finally:
                await connection.aclose()

        for _ in range(40):
            nursery.start_soon(flood)
        with trio.fail_after(10):
            refused = [await answers.receive() for _ in range(36)]
        assert {code for code, _ in refused} == {"server.clientproxy.network_error"}
        assert max(took for _, took in refused) < 5
        assert len(started.desk.seen) == 4  # half of the places, and nothing of the rest went on
        with trio.fail_after(5):
            replies = [await started.caller.rest("GET", "/echo") for _ in range(10)]
        assert [reply.status for reply in replies] == [200] * 10
        status, took = await health_of(started, "consumer", "/readyz")
        assert (status, took < 2) == (200, True)
        callers = (await statistics_of(started, "consumer"))["gates"]["callers"]
        assert (callers["inside"], callers["most_inside"], callers["waiting"]) == (4, 8, 0)
        assert callers["refused"] == {"exchanges-waiting": 32, "exchanges": 4}
        limits = {line["limit"] for line in started.running.consumer if "limit" in line}
        assert limits == {
            "[limits] exchanges-waiting = 8, at the gate of callers",
            "[limits] exchanges = 8, at the gate of callers",
        }
        started.desk.gate.set()
        with trio.fail_after(10):
            served = [await answers.receive() for _ in range(4)]
        assert [code for code, _ in served] == [""] * 4  # who was in has its answer


OTHER = ClientId("XG", "GOV", "200", "s/ub")


async def test_a_provider_that_hangs_does_not_hold_everybodys_places(
    start: Starter, found: Callable[..., Country]
) -> None:
    country = found()
    limit(country.consumer)
    async with start(country) as started, trio.open_nursery() as nursery:
        host, port = started.caller.door
        answer, answers = trio.open_memory_channel[str](40)

        async def call(address: str) -> None:
            connection = await come_from(address, host, port)
            connection.timeout = 60
            headers = [("X-Road-Client", CONSUMER.url)]
            try:
                await connection.request("GET", f"/r1/{PROVIDER.url}/rest/wait", headers)
                head = await connection.receive_head()
                answer.send_nowait(head.find_header("x-road-error") or "")
            finally:
                await connection.aclose()

        for last in range(60, 68):  # together they would take every place
            nursery.start_soon(call, f"127.0.0.{last}")
        with trio.fail_after(10):
            refused = [await answers.receive() for _ in range(2)]
        assert set(refused) == {"server.clientproxy.network_error"}
        assert len(started.desk.seen) == 6  # three quarters of the places
        met = "[limits] exchanges = 8, at the gate of providers"
        await started.running.consumer.wait("exchange", limit=met)
        with trio.fail_after(5):
            reply = await started.caller.rest("GET", "", service="listMethods", provider=OTHER)
        assert reply.status == 200
        started.desk.gate.set()


def with_another_server(country: Country) -> Peer:
    """A server of the consumer's own member whose only peculiarity is its key."""
    auth = issue_auth(country.ca, "flooder")
    shared = describe_country(country)
    first = next(server for server in shared.servers if server.owner == CONSUMER.member)
    another = msgspec.structs.replace(
        first, server_code="FLOODER", address=FLOODER, auth_cert_hashes=(auth.certificate.sha256,)
    )
    more = msgspec.structs.replace(shared, servers=(*shared.servers, another))
    publish_country(country, SystemClock().now(), more)
    return Peer(country, country.consumer, SystemClock(), auth=auth)


async def test_a_server_that_floods_is_held_to_its_share_and_others_are_served(
    start: Starter, found: Callable[..., Country]
) -> None:
    country = found()
    limit(country.provider)
    flooder = with_another_server(country)
    head = write_request_head(
        "REST",
        boundary="xtop" + "S" * 30,
        original_content_type="",
        soap_action="",
        request_id="00000000-0000-0000-0000-000000000001",
    )
    async with start(country) as started:
        refusals: list[Fault | None] = []

        async def flood() -> None:
            heard = await flooder.ask(country.provider, head, b"no message")
            refusals.append(heard.fault("REST"))

        held = [await flooder.connect(country.provider) for _ in range(4)]  # half of the places
        for connection in held:
            await connection.start("POST", "/", head, b"--xtop")  # and never the rest
        await trio.testing.wait_all_tasks_blocked(0.01)
        with trio.fail_after(10):
            async with trio.open_nursery() as pressing:
                for _ in range(30):
                    pressing.start_soon(flood)
        assert {fault and fault.code for fault in refusals} == {"server.serverproxy.network_error"}
        assert len(refusals) == 30
        for fault in filter(None, refusals):
            assert_in_table(fault.code, fault.text)
        with trio.fail_after(5):
            replies = [await started.caller.rest("GET", "/echo") for _ in range(10)]
        assert [reply.status for reply in replies] == [200] * 10
        for path in ("/livez", "/readyz"):
            status, took = await health_of(started, "provider", path)
            assert (status, took < 2) == (200, True)
        assert not any(connection.heard for connection in held)
        for connection in held:
            await connection.aclose()


async def test_one_server_has_only_so_many_connections(
    start: Starter, found: Callable[..., Country]
) -> None:
    country = found()
    limit(country.provider, "connections-per-server = 3\n")
    flooder = with_another_server(country)
    async with start(country) as started:
        kept = [await flooder.connect(country.provider) for _ in range(4)]
        line = await started.running.provider.wait("peer refused")
        assert line["cause"] == "it has 3 connections already"
        assert line["limit"] == "[limits] connections-per-server = 3"
        refused = (await statistics_of(started, "provider"))["connections"]["refused"]
        assert refused["connections-per-server"] == 1
        assert sum(connection.heard for connection in kept) == 1
        reply = await started.caller.rest("GET", "/echo")
        assert reply.status == 200
        for connection in kept:
            await connection.aclose()


async def test_health_answers_while_every_connection_is_taken(
    start: Starter, found: Callable[..., Country]
) -> None:
    country = found()
    limit(country.consumer, "connections = 16\nconnections-per-address = 8\n")
    async with start(country) as started:
        host, port = started.caller.door
        held = []
        for last in range(60, 80):
            for _ in range(9):
                connection = await come_from(f"127.0.0.{last}", host, port)
                held.append(connection)
                try:
                    await connection.stream.send_all(b"GET / HTTP/1.1\r\nX")  # and no more
                except NetError:
                    continue
        for path in ("/livez", "/readyz"):
            status, took = await health_of(started, "consumer", path)
            assert (status, took < 2) == (200, True)
        connections = (await statistics_of(started, "consumer"))["connections"]
        assert (connections["inside"], connections["most_inside"]) == (16, 16)
        assert connections["refused"]["connections-per-address"] > 0
        line = await started.running.consumer.wait("connection refused", peer="127.0.0.60")
        assert line["limit"] == "[limits] connections-per-address = 8, and no more than are free"
        for connection in held:
            await connection.aclose()
        with trio.fail_after(10):
            assert (await started.caller.rest("GET", "/echo")).status == 200


async def test_health_answers_while_strangers_hold_its_own_connections(
    start: Starter, found: Callable[..., Country]
) -> None:
    country = found()
    limit(country.consumer, "")
    async with start(country) as started:
        port = (await started.running.consumer.wait("serving"))["health"]
        held = []
        for last in range(60, 72):
            for _ in range(33):
                connection = await come_from(f"127.0.0.{last}", "127.0.0.1", int(str(port)))
                held.append(connection)
                with suppress(NetError):
                    await connection.stream.send_all(b"GET / HTTP/1.1\r\nX")  # and no more
        with trio.fail_after(20):  # each of them would have half a minute at another door
            status, _ = await health_of(started, "consumer", "/readyz")
        assert status == 200
        for connection in held:
            await connection.aclose()


async def test_messages_that_are_never_whole_do_not_eat_the_memory(
    start: Starter, found: Callable[..., Country]
) -> None:
    country = found()
    limit(country.consumer, f"memory-bytes = {4 << 20}\n")
    async with start(country) as started:
        host, port = started.caller.door
        begin = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\n"
        begin += b"Content-Length: 1000000\r\n\r\n"
        held = [await come_from(FLOODER, host, port) for _ in range(4)]
        for connection in held:
            await connection.stream.send_all(begin + bytes(b" " * 500_000))
        await trio.testing.wait_all_tasks_blocked(0.01)
        greedy = await come_from(FLOODER, host, port)
        with trio.fail_after(5):
            await greedy.stream.send_all(begin + bytes(b" " * 1_000_000))
            answer = await greedy.stream.receive()
        assert b"server.clientproxy.io_error" in answer
        assert b"try again later" in answer
        met = f"[limits] memory-bytes = {4 << 20}, at the gate of callers"
        await started.running.consumer.wait("exchange", limit=met)
        with trio.fail_after(5):
            reply = await started.caller.soap("tell", "memory-1", content="x" * 500_000)
        assert reply.code == ""
        for connection in (*held, greedy):
            await connection.aclose()


@pytest.mark.parametrize(
    ("limits", "met"),
    [
        (
            f"[limits]\nmemory-bytes = {1 << 20}\n",
            f"[limits] memory-bytes = {1 << 20}, at the gate of peers",
        ),
        ("[spool]\nmost-bytes = 100_000\n", "[spool] most-bytes = 100000"),
    ],
    ids=["memory", "room"],
)
async def test_a_provider_without_memory_or_room_says_so_and_serves_others(
    start: Starter, found: Callable[..., Country], limits: str, met: str
) -> None:
    country = found()
    text = country.provider.settings.read_text()
    country.provider.settings.write_text(text.replace("[globalconf]", f"{limits}\n[globalconf]"))
    large = "x" * 600_000
    async with start(country) as started:
        if met.startswith("[spool]"):
            kind, octets = "text/plain", large.encode()
            reply = await started.caller.soap("attached", "full-1", [(kind, octets)])
            said = "There is no room for the body of a message now"
        else:
            reply = await started.caller.soap("tell", "full-1", content=large)
            said = "The security server has more to do than it can: try again later"
        assert (reply.code, reply.text) == ("server.serverproxy.io_error", said)
        assert_in_table(reply.code, reply.text)
        line = await started.running.provider.wait("exchange", limit=met)
        assert line["code"] == "server.serverproxy.io_error"
        assert (await started.caller.soap("tell", "full-2")).code == ""
