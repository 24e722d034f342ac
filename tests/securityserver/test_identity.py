"""Who this server is: the key of now to peers, a certificate of its own to information systems."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from xgate.cell import Cell
from xgate.errors import Fault
from xgate.globalconf.disk import read_disk
from xgate.globalconf.shared import CaInfo
from xgate.policy.world import World
from xgate.sandbox.country import Country, found_country
from xgate.sandbox.peer import Peer
from xgate.sandbox.publication import describe_country, publish_country
from xgate.securityserver.identity import PeerIdentity
from xgate.serverconf.model import ServerConf
from xgate.signer.keyring import AuthKey, Keyring
from xgate.signer.ocsp_cache import OcspCache
from xgate.testing.clock import FakeClock
from xgate.testing.pki import make_ca


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def country(tmp_path: Path, clock: FakeClock) -> Country:
    return found_country(tmp_path, clock.now(), kind="P-256")


@pytest.fixture
def world(country: Country, clock: FakeClock) -> Cell[World]:
    conf = read_disk(country.verification, clock.now()).conf
    return Cell(World(conf, ServerConf(country.consumer.id)))


def identity(
    country: Country,
    world: Cell[World],
    clock: FakeClock,
    *,
    ocsp: bool = True,
    ring: Cell[Keyring] | None = None,
) -> PeerIdentity:
    auth = country.consumer.auth
    cache = OcspCache()
    if ocsp:
        cache.put(auth.certificate, Peer(country, country.consumer, clock).ocsp())
    return PeerIdentity(world, ring or Cell(own_ring(country)), cache, clock)


def own_ring(country: Country) -> Keyring:
    auth = country.consumer.auth
    return Keyring((), (AuthKey(auth.certificate, auth.key),))


def test_contexts_live_as_long_as_what_they_are_made_of(
    country: Country, world: Cell[World], clock: FakeClock
) -> None:
    ours = identity(country, world, clock)
    first, called = ours.server_context(world.value), ours.client_context(world.value)
    assert ours.server_context(world.value) is first
    conf = read_disk(country.verification, clock.now()).conf
    world.set(World(conf, world.value.serverconf))
    assert ours.server_context(world.value) is first, "the same CAs, in a new configuration"
    shared = describe_country(country)
    (service,) = shared.certification_services
    another = CaInfo(make_ca("another").certificate.der)
    services = (service, msgspec.structs.replace(service, name="another", top=another))
    shared = msgspec.structs.replace(shared, certification_services=services)
    publish_country(country, clock.now(), shared)
    conf = read_disk(country.verification, clock.now()).conf
    world.set(World(conf, world.value.serverconf))
    assert ours.server_context(world.value) is not first
    assert ours.client_context(world.value) is called


def test_the_key_of_the_ring_of_now_is_shown(
    country: Country, world: Cell[World], clock: FakeClock
) -> None:
    ring = Cell(Keyring((), ()))
    ours = identity(country, world, clock, ring=ring)
    with pytest.raises(Fault, match="no authentication key"):
        ours.client_context(world.value)
    ring.set(own_ring(country))
    first = ours.client_context(world.value)
    ring.set(own_ring(country))
    assert ours.client_context(world.value) is first, "the same key, read once more"
    ring.set(Keyring((), ()))
    with pytest.raises(Fault, match="no authentication key"):
        ours.client_context(world.value)


def test_only_registered_certificates_are_accepted(
    country: Country, world: Cell[World], clock: FakeClock
) -> None:
    context = identity(country, world, clock).server_context(world.value)
    assert context.accept is not None
    assert context.accept(country.provider.auth.certificate.der)
    assert not context.accept(country.provider.sign.certificate.der)
    assert not context.accept(make_ca("stranger").certificate.der)


def test_without_a_fresh_ocsp_response_there_is_no_identity(
    country: Country, world: Cell[World], clock: FakeClock
) -> None:
    with pytest.raises(Fault, match="no valid authentication certificate"):
        identity(country, world, clock, ocsp=False).client_context(world.value)
    ours = identity(country, world, clock)
    ours.client_context(world.value)
    clock.advance(timedelta(hours=2))
    with pytest.raises(Fault, match="too old"):
        ours.client_context(world.value)
