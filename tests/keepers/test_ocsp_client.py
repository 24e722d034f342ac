"""Responders are asked in turn, once for all who want to know, and the first proof is kept."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
import trio
from tests.keepers.ocsp_scene import CLOCK, MISSED, Scene, failing, world_of
from trio.testing import MockClock

from xgate.cell import Cell
from xgate.globalconf.conf import GlobalConf
from xgate.keepers.ocsp_client import OcspClient
from xgate.net.errors import HttpError, TimedOutError
from xgate.signer.ocsp_cache import OcspCache
from xgate.testing.authority import NOW
from xgate.testing.conf import make_conf
from xgate.testing.pki import Credential, issue_auth, issue_ocsp, make_ca
from xgate.testing.responders import UNKNOWN
from xgate.trust.certificate import Certificate
from xgate.trust.ocsp import OcspResponse

URLS = ("http://one/", "http://two/")


def asker(scene: Scene, conf: GlobalConf, *, active: bool = True) -> OcspClient:
    return OcspClient(
        Cell(world_of(conf)),
        scene.cache,
        CLOCK,
        scene.services.post,
        scene.watch,
        active=active,
    )


async def refresh(scene: Scene, certificate: Certificate, conf: GlobalConf) -> datetime | None:
    return await asker(scene, conf).ask(certificate)


async def test_the_first_good_answer_is_kept_and_tells_until_when_it_holds(
    scene: Scene,
    autojump_clock: MockClock,
) -> None:
    conf = make_conf(scene.authority, ocsp_urls=URLS, freshness=600)
    scene.services.answers = dict.fromkeys(URLS, scene.responder())
    until = await refresh(scene, scene.own[0], conf)
    assert until == NOW + timedelta(minutes=10)
    assert scene.services.urls == [URLS[0]]
    assert scene.services.kinds == {"application/ocsp-request"}
    assert scene.watch.reports == []
    kept = scene.cache.find(scene.own[0].sha1, conf, CLOCK.now())
    assert kept is not None
    assert OcspResponse.load(kept).this_update == NOW


async def test_a_responder_that_is_no_good_is_passed_over_for_the_next(
    scene: Scene,
    autojump_clock: MockClock,
) -> None:
    conf = make_conf(scene.authority, ocsp_urls=URLS)
    other = make_ca("Other")
    stranger = issue_ocsp(other, "Stranger")
    good = scene.responder()
    bad: list[Callable[[bytes], bytes]] = [
        failing(TimedOutError("no answer in 60 s")),
        failing(HttpError("the answer is 503")),
        failing(ZeroDivisionError("nobody foresaw this")),
        lambda _: b"",
        lambda _: b"<html>busy</html>",
        lambda _: good(b"no request"),  # malformedRequest
        lambda request: good(request)[:-1],
        scene.responder(by=stranger),
        scene.responder(by=Credential(scene.authority.ocsp.certificate, stranger.key)),
        scene.responder(age=timedelta(hours=2)),
        scene.responder(age=-timedelta(hours=2)),
        scene.responder(age=timedelta(minutes=2), lasts=timedelta(minutes=1)),
        lambda _: scene.authority.vouch(scene.own[1]),  # about another certificate
    ]
    for number, answer in enumerate(bad, start=1):
        scene.services.answers = {URLS[0]: answer, URLS[1]: good}
        scene.services.asked.clear()
        scene.cache = OcspCache()
        assert await refresh(scene, scene.own[0], conf) is not None, number
        assert scene.services.urls == list(URLS)
        assert len(scene.watch.named(MISSED)) == number
        assert scene.watch.reports[-1].fields["url"] == URLS[0]
        assert scene.watch.reports[-1].fields["cause"]
        kept = scene.cache.find(scene.own[0].sha1, conf, CLOCK.now())
        assert kept is not None
        assert OcspResponse.load(kept).status == "good"


async def test_when_nobody_answers_what_was_kept_stays(
    scene: Scene,
    autojump_clock: MockClock,
) -> None:
    conf = make_conf(scene.authority, ocsp_urls=URLS)
    scene.cache.put(scene.own[0], scene.authority.vouch(scene.own[0]))
    before = scene.cache.find(scene.own[0].sha1, conf, NOW)
    scene.services.answers = dict.fromkeys(URLS, failing(TimedOutError("no answer")))
    assert await refresh(scene, scene.own[0], conf) is None
    assert scene.cache.find(scene.own[0].sha1, conf, NOW) == before


@pytest.mark.parametrize("status", [NOW, UNKNOWN])
async def test_bad_news_is_kept_as_well(
    scene: Scene,
    autojump_clock: MockClock,
    status: str | datetime,
) -> None:
    conf = make_conf(scene.authority, ocsp_urls=URLS)
    scene.cache.put(scene.own[0], scene.authority.vouch(scene.own[0]))
    scene.services.answers = {URLS[0]: scene.responder(status=status)}
    assert await refresh(scene, scene.own[0], conf) is not None
    kept = scene.cache.find(scene.own[0].sha1, conf, NOW)
    assert kept is not None
    assert OcspResponse.load(kept).status != "good"


async def test_a_certificate_of_no_approved_ca_is_reported_and_nobody_is_asked(
    scene: Scene,
    autojump_clock: MockClock,
) -> None:
    foreign = issue_auth(make_ca("Stranger"), "ss").certificate
    conf = make_conf(scene.authority)
    assert await refresh(scene, foreign, conf) is None
    assert scene.services.asked == []
    assert scene.watch.reports[0].fields["certificate"] == str(foreign.serial)


async def test_who_wants_to_know_the_same_at_the_same_time_shares_one_question(
    scene: Scene,
    autojump_clock: MockClock,
) -> None:
    answer, told = scene.responder(), []

    async def slow(request: bytes) -> bytes:
        await trio.sleep(4)
        return answer(request)

    scene.services.answers = {URLS[0]: slow}
    client = asker(scene, make_conf(scene.authority, ocsp_urls=URLS))

    async def want() -> None:
        told.append(await client.ask(scene.own[0]))

    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(want)
    assert scene.services.asked == [(0, URLS[0])]
    assert told == [told[0]] * 20
    assert told[0] is not None


async def test_when_the_one_who_asks_is_cut_off_another_asks(
    scene: Scene,
    autojump_clock: MockClock,
) -> None:
    answer = scene.responder()

    async def slow(request: bytes) -> bytes:
        await trio.sleep(4)
        return answer(request)

    scene.services.answers = {URLS[0]: slow}
    client = asker(scene, make_conf(scene.authority, ocsp_urls=URLS))

    async def impatient() -> None:
        with trio.move_on_after(1):
            await client.ask(scene.own[0])

    async with trio.open_nursery() as nursery:
        nursery.start_soon(impatient)
        await trio.sleep(0.25)
        assert await client.ask(scene.own[0]) is not None
    assert scene.services.asked == [(0, URLS[0]), (1, URLS[0])]


async def test_a_responder_that_cannot_be_reached_is_asked_last_while_it_rests(
    scene: Scene,
    autojump_clock: MockClock,
) -> None:
    scene.services.answers = {
        URLS[0]: failing(TimedOutError("no answer")),
        URLS[1]: scene.responder(),
    }
    client = asker(scene, make_conf(scene.authority, ocsp_urls=URLS))

    async def asked() -> list[str]:
        scene.services.asked.clear()
        assert await client.ask(scene.own[0]) is not None
        return scene.services.urls

    assert await asked() == list(URLS)
    assert await asked() == [URLS[1]], "it rests for a minute"
    await trio.sleep(61)
    assert await asked() == list(URLS)
    await trio.sleep(61)
    assert await asked() == [URLS[1]], "twice in a row: two minutes"
    scene.services.answers = {
        URLS[0]: scene.responder(),
        URLS[1]: failing(TimedOutError("no answer")),
    }
    assert await asked() == [URLS[1], URLS[0]], "nobody else knows"
    assert await asked() == [URLS[0]], "it is back, and the other one rests"


async def test_a_responder_that_keeps_silent_is_not_waited_for_while_there_is_another(
    scene: Scene,
    autojump_clock: MockClock,
) -> None:
    async def silent(_: bytes) -> bytes:
        await trio.sleep(80)
        raise TimedOutError("no answer in 80 s")

    conf = make_conf(scene.authority, ocsp_urls=(*URLS, "http://three/"))
    scene.services.answers = {
        URLS[0]: silent,
        URLS[1]: scene.responder(),
        "http://three/": scene.responder(),
    }
    client = asker(scene, conf)
    with trio.fail_after(6):
        assert await client.ask(scene.own[0]) is not None
    assert scene.services.asked == [(0, URLS[0]), (5, URLS[1])]
    assert [(r.fields["url"], r.fields["cause"]) for r in scene.watch.named(MISSED)] == [
        (URLS[0], "another has answered before it")
    ]
    with trio.fail_after(1):  # it rests meanwhile
        assert await client.ask(scene.own[1]) is not None
    assert scene.services.urls[2:] == [URLS[1]]


async def test_a_slow_answer_counts_when_the_faster_ones_are_none(
    scene: Scene,
    autojump_clock: MockClock,
) -> None:
    answer = scene.responder()

    async def slow(request: bytes) -> bytes:
        await trio.sleep(20)
        return answer(request)

    conf = make_conf(scene.authority, ocsp_urls=URLS)
    scene.services.answers = {URLS[0]: slow, URLS[1]: failing(HttpError("the answer is 503"))}
    with trio.fail_after(21):
        assert await asker(scene, conf).ask(scene.own[0]) is not None
    assert scene.services.urls == list(URLS)
    assert [r.fields["url"] for r in scene.watch.named(MISSED)] == [URLS[1]]


async def test_an_answer_that_proves_nothing_is_no_reason_to_rest(
    scene: Scene,
    autojump_clock: MockClock,
) -> None:
    scene.services.answers = {URLS[0]: lambda _: b"", URLS[1]: scene.responder()}
    client = asker(scene, make_conf(scene.authority, ocsp_urls=URLS))
    for _ in range(2):
        assert await client.ask(scene.own[0]) is not None
    assert scene.services.urls == [*URLS, *URLS]


async def test_who_costs_what_nobody_says_is_not_asked_where_cost_decides(
    scene: Scene,
    autojump_clock: MockClock,
) -> None:
    conf = make_conf(scene.authority, ocsp_urls=URLS)
    world = world_of(conf)
    scene.services.answers = dict.fromkeys(URLS, scene.responder())
    free = OcspClient(
        Cell(world), scene.cache, CLOCK, scene.services.post, scene.watch, order="only-free"
    )
    assert await free.ask(scene.own[0]) is None
    assert scene.services.asked == []
    (missed,) = scene.watch.named(MISSED)
    assert "only-free" in str(missed.fields["cause"])


# for somebody who waits


async def test_what_is_not_at_hand_is_asked_for_once_by_whoever_waits(
    scene: Scene,
    autojump_clock: MockClock,
) -> None:
    scene.services.answers = dict.fromkeys(URLS, scene.responder())
    conf = make_conf(scene.authority, ocsp_urls=URLS)
    client = asker(scene, conf)
    scene.cache.put(scene.own[0], scene.authority.vouch(scene.own[0]))
    async with trio.open_nursery() as nursery:
        for _ in range(10):
            nursery.start_soon(client.fill, scene.own)
    assert scene.services.asked == [(0, URLS[0])]
    assert scene.cache.find(scene.own[1].sha1, conf, CLOCK.now()) is not None


async def test_who_waits_waits_ten_seconds_and_nobody_after_him_for_a_minute(
    scene: Scene,
    autojump_clock: MockClock,
) -> None:
    async def hanging(_: bytes) -> bytes:
        await trio.sleep_forever()
        raise AssertionError

    scene.services.answers = dict.fromkeys(URLS, hanging)
    client = asker(scene, make_conf(scene.authority, ocsp_urls=URLS))
    waited = []
    for pause in (0, 0, 30, 30):
        await trio.sleep(pause)
        began = trio.current_time()
        await client.fill(scene.own[:1])
        waited.append(trio.current_time() - began)
    assert waited == [10, 0, 0, 10]


@pytest.mark.parametrize("case", ["off", "expired", "self-signed"])
async def test_nobody_is_asked_where_it_is_of_no_use(
    scene: Scene,
    autojump_clock: MockClock,
    case: str,
) -> None:
    scene.services.answers = dict.fromkeys(URLS, scene.responder())
    conf = make_conf(scene.authority, ocsp_urls=URLS)
    client = asker(scene, conf, active=case != "off")
    old = issue_auth(scene.authority.ca, "old", not_after=NOW - timedelta(days=1))
    good = issue_auth(scene.authority.ca, "good")
    certificates = {"off": good, "expired": old, "self-signed": scene.authority.ca}
    await client.fill([certificates[case].certificate])
    assert scene.services.asked == []
