"""What commands change reaches the ring of a running server, and what fails leaves it as it was."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest
import trio
import trio.testing
from trio.testing import MockClock

from xgate.cell import Cell
from xgate.globalconf.conf import GlobalConf
from xgate.globalconf.generate import register_server
from xgate.ids import ClientId, ServerId
from xgate.keepers.keys import keep_auth_states, keep_keys, renew_ring
from xgate.policy.world import World
from xgate.serverconf.model import ServerConf
from xgate.signer.entries import KeyEntry, StoredCertificate
from xgate.signer.keyring import Keyring
from xgate.signer.registration import note_registered
from xgate.signer.registry import listed_for
from xgate.signer.store import KeyStore, change_store, read_store, write_store
from xgate.signer.token import KeyParameters
from xgate.signer.tokens import Tokens
from xgate.testing.authority import Authority
from xgate.testing.conf import make_conf
from xgate.testing.outside import Watch
from xgate.testing.pki import issue_auth

PIN = "Secret1234"
MEMBER = ClientId("XG", "COM", "1")


@pytest.fixture
def tokens(tmp_path: Path, authority: Authority) -> Tokens:
    path = tmp_path / "keys.xgate"
    stored = StoredCertificate(authority.member(MEMBER).certificate.der, MEMBER.short)
    key = authority.member(MEMBER).key
    write_store(path, PIN, [(KeyEntry("K", "", "SIGNING", (stored,)), key)])
    tokens = Tokens(path, KeyParameters())
    tokens.software.login(PIN)
    return tokens


def set_active(tokens: Tokens, active: bool) -> None:
    def edit(store: KeyStore) -> KeyStore:
        (entry,) = store.keys
        stored = msgspec.structs.replace(entry.certificates[0], active=active)
        entry = msgspec.structs.replace(entry, certificates=(stored,))
        return msgspec.structs.replace(store, keys=(entry,))

    change_store(tokens.store, edit)


async def test_a_certificate_that_is_disabled_leaves_the_ring_and_comes_back(
    tokens: Tokens, autojump_clock: MockClock, watch: Watch
) -> None:
    ring = Cell(tokens.keyring())
    taken = ring.value
    async with trio.open_nursery() as nursery:
        nursery.start_soon(keep_keys, ring, tokens, watch)
        await trio.testing.wait_all_tasks_blocked()
        for active in (False, True):
            set_active(tokens, active)  # here, since the clock jumps while threads work
            await ring.wait_changed()
            assert len(ring.value.signing) == active
            assert trio.current_time() < 30
        nursery.cancel_scope.cancel()
    assert len(taken.signing) == 1  # whoever took it keeps what he took
    assert watch.reports == []


async def test_tokens_are_looked_at_every_minute(
    tokens: Tokens, autojump_clock: MockClock, watch: Watch
) -> None:
    ring = Cell(tokens.keyring())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(keep_keys, ring, tokens, watch)
        await trio.testing.wait_all_tasks_blocked()
        tokens.software.logout()
        await ring.wait_changed()
        assert ring.value == Keyring((), ())
        assert trio.current_time() == 60
        nursery.cancel_scope.cancel()


async def test_a_registry_that_cannot_be_read_leaves_the_ring_as_it_was(
    tokens: Tokens, autojump_clock: MockClock, watch: Watch
) -> None:
    ring = Cell(tokens.keyring())
    tokens.store.chmod(0o644)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(keep_keys, ring, tokens, watch)
        await trio.sleep(300)
        nursery.cancel_scope.cancel()
    (report,) = watch.reports  # once, not every minute
    assert report.name == "keys not read anew"
    assert "chmod 600" in str(report.fields["cause"])
    assert ring.version == 0


async def test_a_look_waits_for_the_one_before_it(tokens: Tokens) -> None:
    ring = Cell(tokens.keyring())
    tokens.software.logout()
    async with trio.open_nursery() as nursery, tokens.turn:
        nursery.start_soon(renew_ring, ring, tokens)
        await trio.testing.wait_all_tasks_blocked()
        assert ring.version == 0
    assert ring.value == Keyring((), ())


def noting(path: Path) -> Callable[[GlobalConf, ServerId], Awaitable[bool]]:
    async def note(conf: GlobalConf, server: ServerId) -> bool:
        return note_registered(path, listed_for(conf, server))

    return note


async def test_what_the_world_lists_is_registered(
    tmp_path: Path, authority: Authority, watch: Watch
) -> None:
    path, server = tmp_path / "keys.xgate", ServerId(MEMBER, "SS")
    auth = issue_auth(authority.ca, "ss")
    stored = StoredCertificate(auth.certificate.der, status="registration in progress")
    write_store(path, PIN, [(KeyEntry("A", "", "AUTHENTICATION", (stored,)), auth.key)])
    listed = [register_server(MEMBER, "SS", "ss", [auth.certificate.der])]
    world = Cell(World(make_conf(authority), ServerConf(server)))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(keep_auth_states, world, noting(path), server, watch)
        world.set(World(make_conf(authority, servers=listed), ServerConf(server)))
        await watch.wait("authentication certificate registered")
        assert read_store(path).keys[0].certificates[0].status == "registered"
        path.chmod(0o644)
        world.set(world.value)
        (report,) = await watch.wait("registration not noted")
        assert "chmod 600" in str(report.fields["cause"])
        nursery.cancel_scope.cancel()


async def test_what_could_not_be_noted_is_noted_later(
    tmp_path: Path, authority: Authority, autojump_clock: MockClock, watch: Watch
) -> None:
    """Without a new configuration, which may come in days only; a cause is told once."""
    path, server = tmp_path / "keys.xgate", ServerId(MEMBER, "SS")
    auth = issue_auth(authority.ca, "ss")
    stored = StoredCertificate(auth.certificate.der, status="saved")
    write_store(path, PIN, [(KeyEntry("A", "", "AUTHENTICATION", (stored,)), auth.key)])
    listed = [register_server(MEMBER, "SS", "ss", [auth.certificate.der])]
    world = Cell(World(make_conf(authority, servers=listed), ServerConf(server)))
    path.chmod(0o644)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(keep_auth_states, world, noting(path), server, watch)
        await watch.wait("registration not noted")
        await trio.sleep(300)
        path.chmod(0o600)
        await watch.wait("authentication certificate registered")
        assert len(watch.named("registration not noted")) == 1
        nursery.cancel_scope.cancel()


async def test_a_ring_that_is_the_same_is_not_set_again(tokens: Tokens) -> None:
    ring = Cell(tokens.keyring())
    await renew_ring(ring, tokens)
    assert ring.version == 0
    tokens.software.logout()
    await renew_ring(ring, tokens)
    assert ring.version == 1
