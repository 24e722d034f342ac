"""Keys in the signer's process: used as if they were here, and its absence told for what it is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
import trio
import trio.testing
from cryptography.hazmat.primitives.asymmetric import ec

from xgate.errors import Fault
from xgate.globalconf.generate import register_server
from xgate.ids import ClientId, ServerId
from xgate.net.key_reference import KeyReference
from xgate.signer.entries import KeyEntry, StoredCertificate
from xgate.signer.keyring import AuthKey, Keyring
from xgate.signer.remote import RemoteKeys
from xgate.signer.store import read_store, write_store
from xgate.testing.conf import make_conf
from xgate.testing.pki import issue_auth
from xgate.trust.seal import Seal, seal_of
from xgate.trust.verify import Evidence

if TYPE_CHECKING:
    from tests.signer.conftest import Desk

MEMBER = ClientId("XG", "COM", "1")
SEAL = seal_of(b"<message/>", [b"attachment"])


class Server:
    """One process's keys, and what it said of the signer."""

    def __init__(self, desk: Desk) -> None:
        self.said: list[str] = []
        self.keys = RemoteKeys(desk.path, self._report)
        self._desk = desk

    def _report(self, name: str, **fields: object) -> None:
        self.said.append(name)

    async def ring(self) -> Keyring:
        """As it is when keys are known."""
        ring = self.keys.ring
        while not ring.value.signing:
            await ring.wait_changed()
        return ring.value

    async def sign(self, seal: Seal) -> Evidence:
        return await self.keys.sign(self._desk.context(self._desk.full()), seal)


@asynccontextmanager
async def server(desk: Desk) -> AsyncIterator[Server]:
    made = Server(desk)
    async with trio.open_nursery() as nursery:
        await nursery.start(made.keys.run)
        yield made
        nursery.cancel_scope.cancel()


async def test_the_ring_is_the_signers_without_its_keys(desk: Desk) -> None:
    async with desk.running(), server(desk) as ours:
        ring = await ours.ring()
        assert ring.certificates() == desk.full().certificates()
        assert isinstance(ring.authentication[0].private, KeyReference)
        (known,) = ring.signing
        assert known.key == desk.full().signing[0].key
        desk.ring.set(Keyring((), ()))
        await ours.keys.ring.wait_changed()
        assert ours.keys.ring.value == Keyring((), ())


async def test_an_authentication_key_that_tls_cannot_use_hides_no_other(desk: Desk) -> None:
    odd = issue_auth(desk.authority.ca, "odd", key=ec.generate_private_key(ec.SECP256K1()))
    full = desk.full()
    both = (AuthKey(odd.certificate, odd.key), *full.authentication)
    async with desk.running(), server(desk) as ours:
        desk.ring.set(Keyring(full.signing, both))
        ring = await ours.ring()
        assert [key.certificate for key in ring.authentication] == [desk.auth.certificate]
    assert set(ours.said) == {"key not usable", "signer found"}


async def test_messages_of_two_servers_share_one_signature(desk: Desk) -> None:
    evidence: dict[bytes, Evidence] = {}
    desk.token.open.clear()

    async def sign(ours: Server, octets: bytes) -> None:
        evidence[octets] = await ours.sign(seal_of(octets))

    async with desk.running(), server(desk) as one, server(desk) as other:
        await one.ring(), await other.ring()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(sign, one, b"first")
            await trio.testing.wait_all_tasks_blocked(0.01)
            for number in range(10):
                nursery.start_soon(sign, (one, other)[number % 2], b"%d" % number)
            await trio.testing.wait_all_tasks_blocked(0.01)
            desk.token.open.set()
    assert desk.signer.batch_sizes() == {1: 1, 10: 1}
    assert all(desk.holds(made, seal_of(octets)) for octets, made in evidence.items())
    assert len({made.signature for made in evidence.values()}) == 2
    assert one.keys.batch_sizes() == {}


async def test_a_refusal_has_the_code_of_signatures(desk: Desk) -> None:
    async with desk.running(), server(desk) as ours:
        await ours.ring()
        desk.ring.set(Keyring((), ()))
        with pytest.raises(Fault) as caught:
            await ours.sign(SEAL)
    assert caught.value.code == "cannot_create_signature.internal_error"
    assert caught.value.text.startswith("signer.cert_not_found: ")


async def test_a_server_that_was_there_first_finds_its_signer(desk: Desk) -> None:
    async with server(desk) as ours, trio.open_nursery() as nursery:
        made: list[Evidence] = []

        async def sign() -> None:
            made.append(await ours.sign(SEAL))

        nursery.start_soon(sign)
        await trio.testing.wait_all_tasks_blocked(0.01)
        async with desk.running():
            await ours.ring()
            while not made:
                await trio.testing.wait_all_tasks_blocked(0.01)
    assert desk.holds(made[0], SEAL)
    assert ours.said[:2] == ["signer lost", "signer found"]


async def test_what_a_dying_signer_owed_is_asked_of_the_next_one(desk: Desk) -> None:
    desk.token.open.clear()
    made: list[Evidence] = []
    async with server(desk) as ours, trio.open_nursery() as nursery:

        async def sign() -> None:
            made.append(await ours.sign(SEAL))

        async with desk.running() as cut:
            await ours.ring()
            nursery.start_soon(sign)
            await trio.testing.wait_all_tasks_blocked(0.01)
            desk.token.open.set()  # its thread is not to be waited for
            cut()
        assert not made
        async with desk.running():
            while not made:
                await trio.testing.wait_all_tasks_blocked(0.01)
    assert desk.holds(made[0], SEAL)
    assert ours.said.count("signer found") == 2


async def test_a_signer_that_stays_away_is_told_at_once_after_a_while(
    desk: Desk, autojump_clock: trio.testing.MockClock
) -> None:
    async with server(desk) as ours:
        began = trio.current_time()
        for waited in (5, 0):
            with pytest.raises(Fault, match=r"signer\.token_not_available: The signer is not"):
                await ours.sign(SEAL)
            assert trio.current_time() - began == pytest.approx(waited, abs=0.01)
            began = trio.current_time()
        await trio.sleep(600)
    assert ours.said == ["signer lost"], "one line for one absence"


async def test_a_signer_that_does_not_move_is_left(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, autojump_clock: trio.testing.MockClock
) -> None:
    async with desk.running(), server(desk) as ours:
        await ours.ring()
        monkeypatch.setattr(desk.service, "answer", never)
        began = trio.current_time()
        with pytest.raises(Fault, match=r"signer\.token_not_available: The signer "):
            await ours.sign(SEAL)
        assert trio.current_time() - began < 70
    assert "signer lost" in ours.said


async def never(_: object) -> None:
    await trio.sleep_forever()


async def test_a_caller_that_goes_away_disturbs_nobody(desk: Desk) -> None:
    async with desk.running(), server(desk) as ours:
        await ours.ring()
        desk.token.open.clear()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ours.sign, SEAL)
            await trio.testing.wait_all_tasks_blocked(0.01)
            nursery.cancel_scope.cancel()
        desk.token.open.set()
        assert desk.holds(await ours.sign(SEAL), SEAL)


async def test_what_is_wrong_with_modules_is_the_signers_to_tell(desk: Desk) -> None:
    async with desk.running(), server(desk) as ours:
        assert await ours.keys.troubles() == ()
        desk.wrong.append("the module hangs")
        assert await ours.keys.troubles() == ("the module hangs",)


async def test_a_message_too_large_to_be_asked_for_disturbs_no_other(desk: Desk) -> None:
    huge = seal_of(b"<message/>", [b""] * 13_000)
    async with desk.running(), server(desk) as ours:
        await ours.ring()
        with pytest.raises(Fault, match=r"signer\.internal_error: .* is too large") as caught:
            await ours.sign(huge)
        assert caught.value.code == "cannot_create_signature.internal_error"
        assert desk.holds(await ours.sign(SEAL), SEAL)
    assert ours.said == ["signer found"]


async def test_what_is_listed_for_the_server_is_noted_by_the_signer(desk: Desk) -> None:
    stored = StoredCertificate(desk.auth.certificate.der, status="registration in progress")
    write_store(desk.store, "a PIN", [(KeyEntry("A", "", "AUTHENTICATION", (stored,)), None)])
    listed = register_server(MEMBER, "SS", "ss", [desk.auth.certificate.der])
    conf, server_id = make_conf(desk.authority, servers=[listed]), ServerId(MEMBER, "SS")
    async with desk.running(), server(desk) as ours:
        assert not await ours.keys.note_registered(conf, ServerId(MEMBER, "OTHER"))
        assert not await ours.keys.note_registered(make_conf(desk.authority), server_id)
        assert await ours.keys.note_registered(conf, server_id)
        assert not await ours.keys.note_registered(conf, server_id)
        assert read_store(desk.store).keys[0].certificates[0].status == "registered"
        desk.store.chmod(0o644)
        with pytest.raises(Fault, match=r"^token_not_available: The key store .* chmod 600"):
            await ours.keys.note_registered(conf, server_id)
