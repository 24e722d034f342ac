"""OCSP responses of a server: at hand, over a restart, and for who cannot wait."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trio
import trio.lowlevel

from xgate.cell import Cell
from xgate.errors import Fault
from xgate.globalconf.conf import GlobalConf
from xgate.ids import ClientId, ServerId
from xgate.net.server import Exchange
from xgate.policy.world import World
from xgate.securityserver.settings import OcspSettings, Settings
from xgate.securityserver.vouching import Vouching
from xgate.serverconf.model import ServerConf
from xgate.signer.keyring import AuthKey, Keyring
from xgate.testing.authority import NOW, Authority
from xgate.testing.clock import FakeClock
from xgate.testing.conf import make_conf
from xgate.testing.outside import Watch
from xgate.testing.pki import issue_auth, make_ec_key
from xgate.testing.responders import GOOD, answer_ocsp
from xgate.trust.certificate import Certificate

Serve = Callable[[Callable[[Exchange], Awaitable[None]]], Awaitable[int]]

AUTHORITY = Authority()
OWN = issue_auth(AUTHORITY.ca, "ss").certificate
FOREIGN = issue_auth(AUTHORITY.ca, "peer").certificate
SERVER = ServerId(ClientId("XG", "COM", "1"), "SS")


class Responder:
    """A real one; ``there`` tells whether it answers."""

    def __init__(self) -> None:
        self.there = True
        self.asked = 0
        self.headers: dict[str, str] = {}

    async def __call__(self, exchange: Exchange) -> None:
        body = b""
        while data := await exchange.receive():
            body += data
        self.asked += 1
        self.headers = {name.lower(): value for name, value in exchange.headers}
        if not self.there:
            await exchange.respond(503, [])
            return
        await trio.lowlevel.checkpoint()
        answer = answer_ocsp(body, AUTHORITY.ocsp, AUTHORITY.ca.certificate, lambda _: GOOD, NOW)
        await exchange.respond(200, [("Content-Type", "application/ocsp-response")], answer)


@pytest.fixture
def responder() -> Responder:
    return Responder()


@pytest.fixture
async def conf(serve: Serve, responder: Responder) -> GlobalConf:
    return make_conf(AUTHORITY, ocsp_urls=[f"http://127.0.0.1:{await serve(responder)}/"])


def vouching(
    conf: GlobalConf, folder: Path, watch: Watch, clock: FakeClock, *, fetch: bool = True
) -> Vouching:
    settings = Settings(SERVER.short.removeprefix("SERVER:"), ocsp=OcspSettings(fetch=fetch))
    ring = Keyring((), (AuthKey(OWN, make_ec_key("auth ss member")),))
    world = Cell(World(conf, ServerConf(SERVER)))
    return Vouching(settings, folder, world, Cell(ring), clock, watch)


async def test_a_restart_while_no_responder_answers_loses_nothing(
    conf: GlobalConf, responder: Responder, tmp_path: Path
) -> None:
    watch, clock = Watch(), FakeClock(NOW)
    async with trio.open_nursery() as nursery:
        first = vouching(conf, tmp_path, watch, clock)
        nursery.start_soon(first.keep)
        await watch.wait("OCSP responses refreshed")
        while not list((tmp_path / "ocsp-cache").glob("*.ocsp")):
            await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()
    responder.there = False
    second = vouching(conf, tmp_path, watch, clock)
    assert await second.find_all([OWN.sha1]) == [first.cache.kept(OWN.sha1)]
    clock.advance(3601)
    assert await second.find_all([OWN.sha1]) == [None], "it is kept, but not for ever"


async def test_what_a_peer_wants_and_is_not_at_hand_is_asked_for_once(
    conf: GlobalConf, responder: Responder, tmp_path: Path
) -> None:
    ours = vouching(conf, tmp_path, Watch(), FakeClock(NOW))
    async with trio.open_nursery() as nursery:
        for _ in range(30):
            nursery.start_soon(ours.find_all, [OWN.sha1])
    assert responder.asked == 1
    (found,) = await ours.find_all([OWN.sha1])
    assert found is not None
    assert ours.in_use() == [OWN]
    assert responder.headers["content-type"] == "application/ocsp-request"
    assert responder.headers["accept"] == "application/ocsp-response"


async def test_a_stranger_makes_nobody_ask_about_others(
    conf: GlobalConf, responder: Responder, tmp_path: Path
) -> None:
    ours = vouching(conf, tmp_path, Watch(), FakeClock(NOW))
    hashes = [FOREIGN.sha1, AUTHORITY.ca.certificate.sha1, "0" * 40]
    assert await ours.find_all(hashes) == [None] * 3
    assert responder.asked == 0


async def test_a_choice_that_fails_is_made_again_with_what_responders_say(
    conf: GlobalConf, responder: Responder, tmp_path: Path
) -> None:
    ours = vouching(conf, tmp_path, Watch(), FakeClock(NOW))
    made = 0

    def choice() -> Certificate:
        nonlocal made
        made += 1
        if ours.cache.kept(OWN.sha1) is None:
            raise Fault("internal_error", "no OCSP response")
        return OWN

    assert await ours.choose([OWN], choice) == OWN
    assert (made, responder.asked) == (2, 1)
    assert await ours.choose([OWN], choice) == OWN
    assert (made, responder.asked) == (3, 1)


@pytest.mark.parametrize("fetch", [True, False])
async def test_where_nobody_answers_or_may_be_asked_the_refusal_stands(
    conf: GlobalConf, responder: Responder, tmp_path: Path, fetch: bool
) -> None:
    responder.there = False
    ours = vouching(conf, tmp_path, Watch(), FakeClock(NOW), fetch=fetch)

    def choice() -> Certificate:
        raise Fault("internal_error", "no OCSP response")

    for _ in range(3):
        with pytest.raises(Fault, match="no OCSP response"):
            await ours.choose([OWN], choice)
    assert responder.asked == int(fetch)


async def test_without_fetching_only_the_copy_is_kept(
    conf: GlobalConf, responder: Responder, tmp_path: Path
) -> None:
    ours = vouching(conf, tmp_path, Watch(), FakeClock(NOW), fetch=False)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ours.keep)
        ours.cache.put(FOREIGN, AUTHORITY.vouch(FOREIGN))
        while not list((tmp_path / "ocsp-cache").glob(f"{FOREIGN.sha1}.ocsp")):
            await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()
    assert responder.asked == 0
