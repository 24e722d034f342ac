"""Connections: of information systems by their authentication mode, to services over HTTPS, between
servers; and how a server goes home.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import msgspec
import pytest
import trio
from tests.journeys.spoken import https_desk

from xgate.clock import SystemClock
from xgate.globalconf.generate import register_server
from xgate.ids import ClientId
from xgate.net.client import connect
from xgate.net.context import service_context
from xgate.net.errors import ConnectError, NetError
from xgate.sandbox.country import PROVIDER, Country
from xgate.sandbox.ports import find_free_ports
from xgate.sandbox.publication import describe_country, publish_country
from xgate.testing.pki import Credential

if TYPE_CHECKING:
    from tests.journeys.conftest import Caller, Reply, Starter

DENIED = "server.clientproxy.ssl_authentication_failed"
SEALED, PINNED, BARE = (ClientId("XG", "COM", "100", name) for name in ("sealed", "pinned", "bare"))


# The information system's side


async def ask_as(
    caller: Caller, client: ClientId, *, secure: bool, identity: Credential | None = None
) -> Reply:
    return await caller.rest("GET", "/echo", client=client, secure=secure, identity=identity)


@pytest.mark.parametrize("secure", [False, True])
async def test_nossl_takes_both(caller: Caller, secure: bool) -> None:
    reply = await caller.rest("GET", "/echo", secure=secure)

    assert reply.status == 200


async def test_sslnoauth_wants_https_and_no_certificate(caller: Caller) -> None:
    plain = await ask_as(caller, SEALED, secure=False)
    secure = await ask_as(caller, SEALED, secure=True)

    assert plain.code == DENIED
    assert plain.text.endswith("specifies HTTPS NO AUTH but client made plaintext connection")
    assert secure.code == "server.serverproxy.access_denied"  # past the door; it has no right


async def test_sslauth_wants_one_of_its_certificates(
    caller: Caller, trusted: Credential, stranger: Credential
) -> None:
    plain = await ask_as(caller, PINNED, secure=False)
    nobody = await ask_as(caller, PINNED, secure=True)
    other = await ask_as(caller, PINNED, secure=True, identity=stranger)
    right = await ask_as(caller, PINNED, secure=True, identity=trusted)

    assert [reply.code for reply in (plain, nobody, other)] == [DENIED] * 3
    assert plain.text.endswith("specifies HTTPS but did not supply TLS certificate")
    assert nobody.text == plain.text
    assert other.text.endswith("TLS certificate does not match any IS certificates")
    assert right.code == "server.serverproxy.access_denied"


async def test_sslauth_without_certificates_listed_lets_nobody_in(
    caller: Caller, trusted: Credential
) -> None:
    reply = await ask_as(caller, BARE, secure=True, identity=trusted)

    assert (reply.code, reply.text) == (DENIED, f"Client ({BARE}) has no IS certificates")


async def test_the_mode_holds_for_soap_too(caller: Caller) -> None:
    reply = await caller.soap("tell", "mode-1", client=SEALED)

    assert (reply.status, reply.code) == (200, DENIED)
    assert caller.counts("mode-1") == [0, 0]


# The service's side


def https_settings(port: int, more: str = "") -> dict[str, str]:
    """The service ``nameless`` is served over HTTPS; the provider lists a certificate for it."""
    provider = f'id = "{PROVIDER.short}"\n'
    return {
        'url = "http://nobody.invalid"\n': f'url = "https://127.0.0.1:{port}/rest"\n{more}',
        provider: provider + 'certificates = ["trusted.pem"]\n',
    }


async def test_an_https_service_is_known_by_its_certificate(
    start: Starter, trusted: Credential, stranger: Credential
) -> None:
    (port,) = find_free_ports(1, ["127.0.0.1"])
    async with start(changes=https_settings(port)) as started:
        caller, ports = started.caller, started.running.country.ports
        ask = partial(caller.rest, "POST", "/echo", body=b"hello", service="nameless")
        async with https_desk(port, trusted, started.desk.serve) as chains:
            right = await ask()
        async with https_desk(port, stranger, started.desk.serve):
            wrong = await ask()
        away = await ask()
        own = await connect(
            started.running.country.provider.address, ports.client_tls, tls=service_context()
        )
        await own.aclose()

        assert (right.status, right.body) == (200, b"hello")
        assert chains == [own.stream.peer_chain]  # we show the certificate that callers know
        await caller.prove(right.id)
        assert wrong.code == "server.serverproxy.ssl_authentication_failed"
        assert wrong.text == "IS certificate is not trusted"
        assert len(started.desk.seen) == 1
        assert away.code == "server.serverproxy.network_error"


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"220 mail.example ESMTP\r\n",
        b"HTTP/1.1 99 Odd\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 99999,
    ],
)
async def test_a_service_that_speaks_no_http(start: Starter, answer: bytes) -> None:
    (port,) = find_free_ports(1, ["127.0.0.1"])

    async def speak(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        await stream.send_all(answer)
        await stream.aclose()

    changes = {'url = "http://nobody.invalid"': f'url = "http://127.0.0.1:{port}"'}
    async with start(changes=changes) as started, trio.open_nursery() as nursery:
        await nursery.start(partial(trio.serve_tcp, speak, port, host="127.0.0.1"))
        reply = await started.caller.rest("GET", "/", service="nameless")
        nursery.cancel_scope.cancel()

    assert reply.code == "server.serverproxy.io_error"


async def test_an_https_service_may_go_unverified(start: Starter, stranger: Credential) -> None:
    (port,) = find_free_ports(1, ["127.0.0.1"])
    async with start(changes=https_settings(port, "verify-tls = false\n")) as started:
        async with https_desk(port, stranger, started.desk.serve):
            reply = await started.caller.rest("GET", "/echo", service="nameless")

        assert reply.status == 200


# Between servers


@asynccontextmanager
async def relay(host: str, port: int, target: int) -> AsyncIterator[list[trio.SocketStream]]:
    """Passes connections on; gives those that came."""
    came: list[trio.SocketStream] = []

    async def pump(source: trio.SocketStream, sink: trio.SocketStream) -> None:
        try:
            async for data in source:
                await sink.send_all(data)
            await sink.send_eof()
        except trio.BrokenResourceError:
            pass

    async def handle(stream: trio.SocketStream) -> None:
        came.append(stream)
        onward = await trio.open_tcp_stream(host, target)
        async with onward, trio.open_nursery() as nursery:
            nursery.start_soon(pump, stream, onward)
            nursery.start_soon(pump, onward, stream)

    async with trio.open_nursery() as nursery:
        await nursery.start(partial(trio.serve_tcp, handle, port, host=host))
        yield came
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(("keep_alive", "connections"), [(True, 1), (False, 3)])
async def test_a_connection_to_a_peer_is_used_again_if_both_allow_it(
    start: Starter, found: Callable[..., Country], keep_alive: bool, connections: int
) -> None:
    country = found()
    (port,) = find_free_ports(1, [country.provider.address])
    text = country.consumer.settings.read_text()
    peers = f"[peers]\nserver-port = {country.ports.server}"
    assert peers in text
    changed = f"[peers]\nkeep-alive = {str(keep_alive).lower()}\nserver-port = {port}"
    country.consumer.settings.write_text(text.replace(peers, changed))
    async with (
        relay(country.provider.address, port, country.ports.server) as came,
        start(country) as started,
    ):
        for _ in range(3):
            reply = await started.caller.rest("POST", "/echo", body=b"x" * 100_000)
            assert reply.status == 200

    assert len(came) == connections


async def test_unusable_addresses_are_passed_over(
    start: Starter, found: Callable[..., Country]
) -> None:
    country = found({"[peers]\n": "[peers]\nkeep-alive = false\n"})
    shared = describe_country(country)
    odd = ["127.0.0,78", "\ufeffzero\u200b.width", "::1", "", "127.0.0.1"]
    more = tuple(
        register_server(PROVIDER.member, f"ODD{number}", address, [], [PROVIDER])
        for number, address in enumerate(odd)
    )
    shared = msgspec.structs.replace(shared, servers=(*shared.servers, *more))
    publish_country(country, SystemClock().now(), shared)
    async with start(country) as started:
        for _ in range(6):
            reply = await started.caller.rest("POST", "/echo", body=b'{"value" : 42}')
            assert (reply.status, reply.body) == (200, b'{"value" : 42}')


async def test_peers_that_are_too_old_are_told_so(start: Starter) -> None:
    changes = {"[peers]\n": '[peers]\nmin-client-version = "7.9.0"\n'}
    async with start(changes=changes) as started:
        rest = await started.caller.rest("GET", "/echo")
        soap = await started.caller.soap("tell", "old-1")

    assert [rest.code, soap.code] == ["server.serverproxy.client_proxy_version_not_supported"] * 2


@pytest.mark.parametrize(
    "query", ["", "?cert=", "?cert=zz", "?cert=" + "0" * 40, "?x=" + "y" * 999]
)
async def test_the_ocsp_port_gives_nothing_to_bad_questions(caller: Caller, query: str) -> None:
    country = caller.country
    for method in ("GET", "POST", "DELETE"):
        connection = await connect(country.provider.address, country.ports.ocsp, timeout=5.0)
        connection.timeout = 5.0
        await connection.request(method, "/" + query, [])
        head = await connection.receive_head()
        await connection.aclose()
        assert head.status == 500


# Going home


async def test_draining_lets_the_running_exchange_end_and_takes_no_other(start: Starter) -> None:
    replies: list[Reply] = []

    async def ask(caller: Caller) -> None:
        replies.append(await caller.rest("GET", "/wait"))

    async with start() as started:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask, started.caller)
            await started.desk.waiting.wait()
            for drain in started.drains:
                drain.start()
            while True:  # the listeners close in their own tasks
                await trio.lowlevel.checkpoint()
                try:
                    refused = await connect(
                        started.running.country.consumer.address,
                        started.running.country.ports.client,
                    )
                except ConnectError:
                    break
                await refused.aclose()
            started.desk.gate.set()
        await started.running.consumer.wait("stopped")
        await started.running.provider.wait("stopped")

        assert [(reply.status, reply.body) for reply in replies] == [(200, b"at last")]
        assert started.caller.counts(replies[0].id) == [2, 2]


async def test_a_drain_that_takes_too_long_ends_all_the_same(start: Starter) -> None:
    changes = {"[globalconf]": "[limits]\ndrain-seconds = 0.1\n\n[globalconf]"}
    outcome: list[NetError] = []

    async def ask(caller: Caller) -> None:
        try:
            await caller.rest("GET", "/wait")
        except NetError as error:
            outcome.append(error)

    async with start(changes=changes) as started, trio.open_nursery() as nursery:
        nursery.start_soon(ask, started.caller)
        await started.desk.waiting.wait()
        for drain in started.drains:
            drain.start()
        await started.running.consumer.wait("stopped")
        await started.running.provider.wait("stopped")

    assert len(outcome) == 1
