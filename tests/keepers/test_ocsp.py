"""OCSP responses are fetched before they are needed, and again before they age."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

import msgspec
import pytest
import trio
from tests.keepers.ocsp_scene import CLOCK, MISSED, Scene, failing, world_of
from trio.testing import MockClock

from xgate.cell import Cell
from xgate.globalconf.conf import GlobalConf, Instance
from xgate.globalconf.optional import Settings
from xgate.globalconf.shared import CaInfo, OcspInfo
from xgate.keepers.ocsp import certificates_in_use, keep_ocsp
from xgate.keepers.ocsp_client import OcspClient
from xgate.net.errors import TimedOutError
from xgate.policy.world import World
from xgate.signer.keyring import AuthKey, Keyring
from xgate.testing.authority import NOW, Authority
from xgate.testing.conf import approve, make_conf
from xgate.testing.pki import NOT_BEFORE, issue_auth, make_ca, make_ec_key
from xgate.trust.certificate import Certificate

ROUND = "OCSP responses refreshed"


def ring_of(certificates: Sequence[Certificate]) -> Keyring:
    key = make_ec_key("whose it is does not matter here")
    return Keyring((), tuple(AuthKey(certificate, key) for certificate in certificates))


@asynccontextmanager
async def keeping(
    scene: Scene, certificates: Sequence[Certificate] | Cell[Keyring], world: Cell[World]
) -> AsyncIterator[None]:
    ring = certificates if isinstance(certificates, Cell) else Cell(ring_of(certificates))
    client = OcspClient(world, scene.cache, CLOCK, scene.services.post, scene.watch)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(keep_ocsp, ring, world, client, CLOCK, scene.watch)
        yield
        nursery.cancel_scope.cancel()


async def test_all_are_asked_for_at_once_and_again_at_the_interval(
    scene: Scene,
    autojump_clock: MockClock,
) -> None:
    world = Cell(world_of(make_conf(scene.authority)))
    scene.services.answers = {"http://ocsp/": scene.responder()}
    async with keeping(scene, scene.own, world):
        rounds = await scene.watch.wait(ROUND, 3)
    assert [(one.time, one.fields) for one in rounds] == [
        (time, {"certificates": 2, "answered": 2}) for time in (0, 1200, 2400)
    ]
    for certificate in scene.own:
        assert scene.cache.find(certificate.sha1, world.value.globalconf, NOW) is not None


async def test_what_is_missing_is_asked_for_again_soon_and_then_ever_more_seldom(
    scene: Scene,
    autojump_clock: MockClock,
) -> None:
    world = Cell(world_of(make_conf(scene.authority)))
    scene.services.answers = {"http://ocsp/": failing(TimedOutError("no answer"))}
    async with keeping(scene, scene.own, world):
        await scene.watch.wait(ROUND, 8)
        scene.services.answers = {"http://ocsp/": scene.responder()}
        rounds = await scene.watch.wait(ROUND, 10)
    times = (0, 1, 3, 7, 15, 31, 63, 123)
    assert [(one.time, one.fields["answered"]) for one in rounds] == [
        *((time, 0) for time in times),
        (183, 2),
        (1383, 2),
    ]


async def test_one_that_falls_due_while_another_is_slow_does_not_wait_for_it(
    scene: Scene,
    autojump_clock: MockClock,
) -> None:
    known = scene.responder(lasts=timedelta(seconds=100))
    asked = 0

    async def answer(request: bytes) -> bytes:
        nonlocal asked
        asked += 1
        if asked == 2:
            raise TimedOutError("no answer")
        if asked == 3:  # the one that is missing, again: while it waits the other falls due
            await trio.sleep(200)
        return known(request)

    world = Cell(world_of(make_conf(scene.authority)))
    scene.services.answers = {"http://ocsp/": answer}
    async with keeping(scene, scene.own, world):
        rounds = await scene.watch.wait(ROUND, 6)
    assert [(one.time, one.fields["certificates"]) for one in rounds] == [
        (0, 2),
        (50, 1),
        (100, 1),
        (150, 1),
        (200, 1),
        (201, 1),
    ]


@pytest.mark.parametrize(
    ("freshness", "lasts", "times"),
    [
        (3600, 600, [0, 480, 960]),  # two tries before nextUpdate
        (600, 3600, [0, 480, 960]),  # before the answer is too old
        (3600, 100, [0, 50, 100]),
        (3600, 10, [0, 10, 20]),  # never more often than that
        (86_400, 86_400, [0, 1200, 2400]),
    ],
)
async def test_an_answer_is_asked_for_again_before_it_ages(
    scene: Scene,
    autojump_clock: MockClock,
    freshness: int,
    lasts: int,
    times: list[int],
) -> None:
    world = Cell(world_of(make_conf(scene.authority, freshness=freshness)))
    scene.services.answers = {"http://ocsp/": scene.responder(lasts=timedelta(seconds=lasts))}
    async with keeping(scene, scene.own, world):
        rounds = await scene.watch.wait(ROUND, 3)
    assert [one.time for one in rounds] == times


async def test_a_configuration_that_wants_them_fresher_is_heeded_at_once(
    scene: Scene,
    autojump_clock: MockClock,
) -> None:
    world = Cell(world_of(make_conf(scene.authority)))
    scene.services.answers = {"http://ocsp/": scene.responder()}

    async def swap() -> None:
        await trio.sleep(100)
        world.set(world_of(make_conf(scene.authority)))  # nothing that matters here has changed
        await trio.sleep(100)
        settings = Settings(ocsp_fetch_interval_seconds=300)
        world.set(world_of(make_conf(scene.authority, settings=settings)))

    async with keeping(scene, scene.own, world), trio.open_nursery() as nursery:
        nursery.start_soon(swap)
        rounds = await scene.watch.wait(ROUND, 3)
    assert [one.time for one in rounds] == [0, 200, 500]


async def test_a_swap_while_the_round_runs_is_not_missed(
    scene: Scene,
    autojump_clock: MockClock,
) -> None:
    world = Cell(world_of(make_conf(scene.authority)))
    answer = scene.responder()

    def swapping(request: bytes) -> bytes:
        world.set(world_of(make_conf(scene.authority, freshness=1800)))
        return answer(request)

    scene.services.answers = {"http://ocsp/": swapping}
    async with keeping(scene, scene.own[:1], world):
        rounds = await scene.watch.wait(ROUND, 2)
    assert [one.time for one in rounds] == [0, 0]


async def test_only_certificates_that_could_be_used_are_asked_about(
    scene: Scene,
    autojump_clock: MockClock,
) -> None:
    expired = issue_auth(
        scene.authority.ca, "old", key=make_ec_key("old"), not_after=NOT_BEFORE + timedelta(days=1)
    ).certificate
    self_signed = scene.authority.ca.certificate
    world = Cell(world_of(make_conf(scene.authority)))
    scene.services.answers = {"http://ocsp/": scene.responder()}
    async with keeping(scene, [expired, self_signed, *scene.own], world):
        rounds = await scene.watch.wait(ROUND, 2)
    assert [(one.time, one.fields["certificates"]) for one in rounds] == [(0, 2), (1200, 2)]
    assert scene.watch.named(MISSED) == []


async def test_without_certificates_there_is_nothing_to_do_and_it_goes_on(
    scene: Scene,
    autojump_clock: MockClock,
) -> None:
    world = Cell(world_of(make_conf(scene.authority)))
    async with keeping(scene, [], world):
        rounds = await scene.watch.wait(ROUND, 2)
    assert [one.time for one in rounds] == [0, 1200]


async def test_a_responder_that_hangs_starves_no_other_certificate(
    scene: Scene,
    autojump_clock: MockClock,
) -> None:
    world = Cell(world_of(make_conf(scene.authority)))
    answer = scene.responder()
    first = trio.Event()

    async def hanging(request: bytes) -> bytes:
        if not first.is_set():
            first.set()
            await trio.sleep(60)
            raise TimedOutError("no answer in 60 s")
        return answer(request)

    scene.services.answers = {"http://ocsp/": hanging}
    async with keeping(scene, scene.own, world):
        (report,) = await scene.watch.wait(ROUND)
    assert scene.services.asked == [(0, "http://ocsp/"), (0, "http://ocsp/")]
    assert (report.time, report.fields["answered"]) == (60, 1)


async def test_what_is_missing_makes_nobody_ask_for_the_rest_again(
    scene: Scene,
    autojump_clock: MockClock,
) -> None:
    world = Cell(world_of(make_conf(scene.authority)))
    answer = scene.responder()

    def forgetful(request: bytes) -> bytes:
        return answer(request) if scene.own[0].serial.to_bytes(8) in request else b""

    scene.services.answers = {"http://ocsp/": forgetful}
    async with keeping(scene, scene.own, world):
        rounds = await scene.watch.wait(ROUND, 4)
    assert [(one.time, one.fields["certificates"], one.fields["answered"]) for one in rounds] == [
        (0, 2, 1),
        (1, 1, 0),
        (3, 1, 0),
        (7, 1, 0),
    ]


async def test_new_keys_are_asked_about_at_once(
    scene: Scene,
    autojump_clock: MockClock,
) -> None:
    world, ring = Cell(world_of(make_conf(scene.authority))), Cell(ring_of(scene.own[:1]))
    scene.services.answers = {"http://ocsp/": scene.responder()}
    async with keeping(scene, ring, world):
        await scene.watch.wait(ROUND)
        await trio.sleep(100)
        ring.set(ring_of(scene.own))
        rounds = await scene.watch.wait(ROUND, 3)
    assert [(one.time, one.fields["certificates"]) for one in rounds] == [
        (0, 1),
        (100, 1),
        (1200, 1),
    ]


# whose responses others want


def below(authority: Authority, *, asked: bool) -> tuple[GlobalConf, Certificate, Certificate]:
    """A configuration whose CA has one below it, that one, and a certificate of its."""
    middle = make_ca("Middle", issuer=authority.ca)
    shared = approve(authority)
    (service,) = shared.certification_services
    top = CaInfo(service.top.certificate, (OcspInfo("http://top/"),) if asked else ())
    intermediate = CaInfo(middle.certificate.der, (OcspInfo("http://middle/"),))
    service = msgspec.structs.replace(service, top=top, intermediates=(intermediate,))
    shared = msgspec.structs.replace(shared, certification_services=(service,))
    conf = GlobalConf("XG", {"XG": Instance("XG", shared, version=6)})
    return conf, middle.certificate, issue_auth(middle, "below").certificate


def test_the_cas_below_a_top_belong_to_it_if_somebody_answers_for_them(
    authority: Authority,
) -> None:
    conf, middle, leaf = below(authority, asked=True)
    assert certificates_in_use([leaf, leaf], conf, NOW) == [leaf, middle]
    conf, middle, leaf = below(authority, asked=False)
    assert certificates_in_use([leaf], conf, NOW) == [leaf]


def test_without_an_own_configuration_only_the_own_certificates_are_known(
    own: list[Certificate],
) -> None:
    assert certificates_in_use(own, GlobalConf("XG", {}), NOW) == own


async def test_a_ca_below_the_top_is_asked_about_where_its_issuer_says(
    scene: Scene,
    autojump_clock: MockClock,
) -> None:
    conf, middle, leaf = below(scene.authority, asked=True)
    below_it = make_ca("Middle", issuer=scene.authority.ca)
    scene.services.answers = {
        "http://top/": scene.responder(by=scene.authority.ca),
        "http://middle/": scene.responder(by=below_it, ca=below_it),
    }
    async with keeping(scene, [leaf], Cell(world_of(conf))):
        (first,) = await scene.watch.wait(ROUND)
    assert first.fields == {"certificates": 2, "answered": 2}
    assert set(scene.services.urls) == {"http://top/", "http://middle/"}
    assert scene.cache.find(middle.sha1, conf, NOW) is not None
