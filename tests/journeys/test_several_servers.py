"""A provider on several servers: whatever ails the others, the one that is well carries everything.

One hangs before TCP stands and one before TLS does, one shows a certificate that nobody knows, and
one is in maintenance. Each is a real socket at an address of its own.
"""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import msgspec
import trio

from xgate.clock import SystemClock
from xgate.net.server import Exchange
from xgate.sandbox.country import PROVIDER, Country
from xgate.sandbox.peer import Peer
from xgate.sandbox.publication import describe_country, publish_country
from xgate.testing.fault_proxy import FaultProxy
from xgate.testing.pki import issue_auth
from xgate.testing.weather import Weather

if TYPE_CHECKING:
    from tests.journeys.conftest import Starter

NO_TCP, NO_TLS, STRANGER, RESTING = (f"127.0.0.{last}" for last in (81, 82, 83, 84))


def publish_with(country: Country, *addresses: str, maintenance: str | None = None) -> None:
    """The provider is on servers at these addresses too; the last one may be in maintenance."""
    shared = describe_country(country)
    first = next(server for server in shared.servers if PROVIDER in server.clients)
    more = tuple(
        msgspec.structs.replace(
            first,
            server_code=f"SS-{address}",
            address=address,
            auth_cert_hashes=(),
            maintenance=maintenance if address == addresses[-1] else None,
        )
        for address in addresses
    )
    servers = (*shared.servers, *more)
    publish_country(country, SystemClock().now(), msgspec.structs.replace(shared, servers=servers))


@asynccontextmanager
async def ailing_servers(country: Country) -> AsyncIterator[dict[str, int]]:
    """How often each that can be reached was."""
    port = country.ports.server
    seen = dict.fromkeys((NO_TLS, STRANGER, RESTING), 0)

    async def count(exchange: Exchange, address: str) -> None:
        seen[address] += 1
        await exchange.respond(500, [])

    with ExitStack() as stack:
        full = stack.enter_context(socket.socket())
        full.bind((NO_TCP, port))
        full.listen(0)
        filler = stack.enter_context(socket.socket())
        filler.connect((NO_TCP, port))
        async with trio.open_nursery() as nursery:
            silent = FaultProxy((country.provider.address, port), host=NO_TLS, port=port)
            silent.weather = Weather("hang")
            await nursery.start(silent.run)
            for address in (STRANGER, RESTING):
                place = msgspec.structs.replace(country.provider, address=address)
                auth = issue_auth(country.ca, "stranger") if address == STRANGER else None
                peer = Peer(country, place, SystemClock(), auth=auth)
                await nursery.start(partial(peer.serve, partial(count, address=address)))
            yield seen
            nursery.cancel_scope.cancel()


async def test_the_server_that_is_well_carries_everything(
    start: Starter, found: Callable[..., Country]
) -> None:
    country = found({"[peers]\n": "[peers]\npatience-seconds = 0.5\nkeep-alive = false\n"})
    publish_with(country, NO_TCP, NO_TLS, STRANGER, RESTING, maintenance="moving house")
    async with ailing_servers(country) as seen, start(country) as started:
        with trio.fail_after(20):
            rest = [await started.caller.rest("GET", "/echo") for _ in range(5)]
            soap = [await started.caller.soap("tell", f"several-{n}") for n in range(5)]
        assert [reply.code for reply in (*rest, *soap)] == [""] * 10
        assert seen == dict.fromkeys(seen, 0)  # nothing of a message went to any other
        assert started.caller.counts("several-1") == [2, 2]


async def test_whatever_is_wrong_with_all_of_them_is_told_in_time(
    start: Starter, found: Callable[..., Country]
) -> None:
    changes = {"[peers]\n": "[peers]\npatience-seconds = 0.5\nconnect-timeout = 1\n"}
    country = found(changes)
    publish_with(country, NO_TCP, NO_TLS, STRANGER, RESTING, maintenance="moving house")
    async with ailing_servers(country), start(country) as started:
        started.drains[1].start()  # the one that was well goes home
        await started.running.provider.wait("stopped")
        with trio.fail_after(20):
            reply = await started.caller.rest("GET", "/echo")
        assert reply.code.startswith("server.clientproxy.ssl_authentication_failed")
        assert "moving house" not in reply.text


async def test_a_provider_at_an_ipv6_address(start: Starter, found: Callable[..., Country]) -> None:
    country = found(
        {
            'server-host = "127.0.0.3"': 'server-host = "::1"',
            'ocsp-host = "127.0.0.3"': 'ocsp-host = "::1"',
        }
    )
    shared = describe_country(country)
    servers = tuple(
        msgspec.structs.replace(server, address="::1") if PROVIDER in server.clients else server
        for server in shared.servers
    )
    publish_country(country, SystemClock().now(), msgspec.structs.replace(shared, servers=servers))
    async with start(country) as started:
        rest = await started.caller.rest("GET", "/echo")
        soap = await started.caller.soap("tell", "six-1")

        assert (rest.code, soap.code) == ("", "")
        assert started.caller.counts("six-1") == [2, 2]


async def test_when_all_are_in_maintenance_that_is_the_answer(
    start: Starter, found: Callable[..., Country]
) -> None:
    country = found()
    shared = describe_country(country)
    servers = tuple(
        msgspec.structs.replace(server, maintenance="moving house")
        if PROVIDER in server.clients
        else server
        for server in shared.servers
    )
    publish_country(country, SystemClock().now(), msgspec.structs.replace(shared, servers=servers))
    async with start(country) as started:
        reply = await started.caller.rest("GET", "/echo")
        assert reply.code == "server.clientproxy.maintenance_mode"
        assert reply.text.endswith("administrator: moving house")
