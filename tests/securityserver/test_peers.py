"""Which server answers: judged before it is trusted, passed over when it fails, kept for later."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio
import trio.testing

from xgate.errors import Fault
from xgate.globalconf.disk import read_disk
from xgate.net.client import ClientConnection
from xgate.net.context import TlsIdentity, peer_client_context
from xgate.net.server import Exchange
from xgate.policy.route import Route
from xgate.policy.world import World
from xgate.sandbox.country import CONSUMER, PROVIDER, Country, found_country
from xgate.sandbox.peer import Peer
from xgate.sandbox.publication import describe_country, publish_country
from xgate.securityserver.peers import Peers
from xgate.securityserver.settings import PeerSettings
from xgate.serverconf.model import ServerConf
from xgate.signer.ocsp_cache import OcspCache
from xgate.testing.clock import FakeClock
from xgate.testing.fault_proxy import FaultProxy
from xgate.testing.pki import issue_auth
from xgate.testing.responders import UNKNOWN
from xgate.testing.weather import Weather


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def country(tmp_path: Path, clock: FakeClock) -> Country:
    return found_country(tmp_path, clock.now(), kind="P-256")


def world_of(country: Country, clock: FakeClock) -> World:
    conf = read_disk(country.verification, clock.now()).conf
    return World(conf, ServerConf(country.consumer.id))


async def answer(exchange: Exchange) -> None:
    await exchange.respond(200, [], b"ok")


async def stand_in(
    nursery: trio.Nursery,
    country: Country,
    clock: FakeClock,
    *,
    ocsp: bytes | None = None,
    more_ocsp: Sequence[bytes] = (),
    **more: Any,
) -> None:
    """A server at the provider's place; ``auth`` and ``ocsp`` may be others."""
    peer = Peer(country, country.provider, clock, **more)
    await nursery.start(partial(peer.serve, answer, ocsp=ocsp, more_ocsp=more_ocsp))


class Caller:
    """The consumer's connections."""

    def __init__(self, country: Country, clock: FakeClock, **settings: Any) -> None:
        ports, auth = country.ports, country.consumer.auth
        identity = TlsIdentity(auth.key, (auth.certificate.der,))
        self.country, self.clock = country, clock
        self.ocsp = OcspCache()
        self.world = world_of(country, clock)
        self.peers = Peers(
            PeerSettings(server_port=ports.server, ocsp_port=ports.ocsp, **settings),
            self.ocsp,
            lambda _: peer_client_context(identity),
            clock.monotonic,
        )

    @asynccontextmanager
    async def open(self, *more: str) -> AsyncIterator[ClientConnection]:
        addresses = (*more, self.country.provider.address)
        route = Route(PROVIDER, addresses)
        async with self.peers.open(route, self.world, self.clock.now()) as connection:
            await connection.request("POST", "/", [], b"x")
            assert (await connection.receive_head()).status == 200
            while await connection.receive():
                pass
            yield connection

    async def refusal(self, *addresses: str) -> Fault:
        with pytest.raises(Fault) as caught:
            async with self.open(*addresses):
                pytest.fail("it must not be opened")
        return caught.value


async def test_a_registered_server_is_used_and_kept(
    country: Country, clock: FakeClock, nursery: trio.Nursery
) -> None:
    await stand_in(nursery, country, clock)
    caller = Caller(country, clock)
    async with caller.open() as first:
        pass
    async with caller.open() as second:
        assert second is first
    clock.advance(61)  # judged too long ago
    async with caller.open() as third:
        assert third is not first
    caller.world = world_of(country, clock)  # judged by another configuration
    async with caller.open() as fourth:
        assert fourth is not third
    await caller.peers.aclose()


async def test_nothing_is_kept_where_the_settings_say_so(
    country: Country, clock: FakeClock, nursery: trio.Nursery
) -> None:
    await stand_in(nursery, country, clock)
    caller = Caller(country, clock, keep_alive=False)
    async with caller.open() as first:
        pass
    async with caller.open() as second:
        assert second is not first


async def test_an_address_that_does_not_answer_is_passed_over(
    country: Country, clock: FakeClock, nursery: trio.Nursery
) -> None:
    await stand_in(nursery, country, clock)
    caller = Caller(country, clock)
    for _ in range(5):  # in whatever order they are tried
        async with caller.open("127.0.0.99", "nobody.invalid") as connection:
            assert connection.stream.peer_address == country.provider.address
    await caller.peers.aclose()


async def test_a_server_that_keeps_silent_is_waited_for_once(
    country: Country,
    clock: FakeClock,
    nursery: trio.Nursery,
    mock_clock: trio.testing.MockClock,
) -> None:
    mock_clock.rate = 1.0
    await stand_in(nursery, country, clock)
    target = country.provider.address, country.ports.server
    silent = FaultProxy(target, host="127.0.0.98", port=country.ports.server)
    silent.weather = Weather("hang")
    await nursery.start(silent.run)
    caller = Caller(country, clock, keep_alive=False, remember_seconds=0)

    async def ask() -> float:
        began = trio.current_time()
        async with caller.open("127.0.0.98") as connection:
            assert connection.stream.peer_address == country.provider.address
        return trio.current_time() - began

    async def hurry() -> None:
        while True:
            await trio.testing.wait_all_tasks_blocked(0.05)
            mock_clock.jump(1)

    nursery.start_soon(hurry)
    while (took := await ask()) < 4:  # until it is the faster one
        pass
    assert took < 9
    seen = silent.connections
    assert max([await ask() for _ in range(8)]) < 4
    assert silent.connections == seen
    clock.advance(60)  # it is tried again, by one
    for _ in range(8):
        await ask()
    assert silent.connections <= seen + 1
    nursery.cancel_scope.cancel()


async def test_of_several_servers_the_one_that_proves_itself_carries_everything(
    country: Country, clock: FakeClock, nursery: trio.Nursery
) -> None:
    await stand_in(nursery, country, clock)
    stranger = msgspec.structs.replace(country.provider, address="127.0.0.97")
    impostor = Peer(country, stranger, clock, auth=issue_auth(country.ca, "stranger"))
    await nursery.start(impostor.serve, answer)
    target = country.provider.address, country.ports.server
    cut = FaultProxy(target, host="127.0.0.98", port=country.ports.server)
    cut.weather = Weather("reset")  # in the middle of the handshake
    await nursery.start(cut.run)
    addresses = ("127.0.0.96", "127.0.0.97", "127.0.0.98", "::1", "nobody.invalid")
    for _ in range(5):  # whoever is the fastest
        caller = Caller(country, clock, keep_alive=False)
        for _ in range(3):
            async with caller.open(*addresses) as connection:
                assert connection.target == country.provider.address
    nursery.cancel_scope.cancel()


async def test_nobody_at_all_is_a_network_error(country: Country, clock: FakeClock) -> None:
    fault = await Caller(country, clock).refusal()
    assert fault.code == "network_error"
    assert f"https://{country.provider.address}:{country.ports.server}/" in fault.text


async def test_addresses_are_told_as_urls_have_them(country: Country, clock: FakeClock) -> None:
    fault = await Caller(country, clock).refusal("127.0.0.96", "2001:db8::1")
    assert f"https://[2001:db8::1]:{country.ports.server}/" in fault.text


async def test_a_certificate_that_is_registered_nowhere_is_refused(
    country: Country, clock: FakeClock, nursery: trio.Nursery
) -> None:
    await stand_in(nursery, country, clock, auth=issue_auth(country.ca, "stranger"))
    fault = await Caller(country, clock).refusal()
    assert fault.code == "ssl_authentication_failed"
    assert "is not associated with any security server" in fault.text


async def test_a_server_of_another_client_is_refused(
    country: Country, clock: FakeClock, nursery: trio.Nursery
) -> None:
    await stand_in(nursery, country, clock, auth=country.consumer.auth)
    fault = await Caller(country, clock).refusal()
    assert fault.code == "ssl_authentication_failed"
    assert f"Client '{PROVIDER}' is not registered at security server" in fault.text


async def test_a_revoked_certificate_is_refused_and_its_answer_forgotten(
    country: Country, clock: FakeClock, nursery: trio.Nursery
) -> None:
    revoked = Peer(country, country.provider, clock).ocsp(status=UNKNOWN)
    caller = Caller(country, clock)
    async with trio.open_nursery() as earlier:
        await stand_in(earlier, country, clock, ocsp=revoked)
        fault = await caller.refusal()
        earlier.cancel_scope.cancel()
    assert fault.code == "ssl_authentication_failed.invalid_cert_path.cert_validation"
    await stand_in(nursery, country, clock)
    async with caller.open():
        pass  # asked anew, and good now
    await caller.peers.aclose()


async def test_a_server_that_is_no_longer_registered_is_not_used_again(
    country: Country, clock: FakeClock, nursery: trio.Nursery
) -> None:
    await stand_in(nursery, country, clock)
    caller = Caller(country, clock)
    async with caller.open():
        pass
    shared = describe_country(country)
    consumer_only = msgspec.structs.replace(
        shared, servers=tuple(s for s in shared.servers if s.owner == CONSUMER.member)
    )
    publish_country(country, clock.now(), consumer_only)
    caller.world = world_of(country, clock)
    assert (await caller.refusal()).code == "ssl_authentication_failed"
    await caller.peers.aclose()


@pytest.mark.parametrize("lie", [b"garbage", b""], ids=["garbage", "revoked"])
async def test_what_a_server_says_of_others_certificates_is_not_kept(
    country: Country, clock: FakeClock, nursery: trio.Nursery, lie: bytes
) -> None:
    victim = country.consumer.auth.certificate
    revoked = Peer(country, country.consumer, clock).ocsp(status=clock.now())
    await stand_in(nursery, country, clock, beside=[victim], more_ocsp=[lie or revoked])
    caller = Caller(country, clock)
    if lie:
        assert (await caller.refusal()).code.endswith("incorrect_validation_info")
    else:
        async with caller.open():
            assert caller.ocsp.kept(country.provider.auth.certificate.sha1) is not None
        await caller.peers.aclose()
    assert caller.ocsp.kept(victim.sha1) is None


async def test_a_server_that_fails_costs_others_nothing(
    country: Country, clock: FakeClock, nursery: trio.Nursery
) -> None:
    victim = country.consumer.auth.certificate
    stranger = issue_auth(country.ca, "stranger")
    revoked = Peer(country, country.provider, clock, auth=stranger).ocsp(status=clock.now())
    await stand_in(nursery, country, clock, auth=stranger, beside=[victim], ocsp=revoked)
    caller = Caller(country, clock)
    good = Peer(country, country.consumer, clock).ocsp()
    caller.ocsp.put(victim, good)
    assert (await caller.refusal()).code.endswith("cert_validation")
    assert caller.ocsp.kept(victim.sha1) == good
