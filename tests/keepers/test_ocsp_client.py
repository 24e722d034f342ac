"""Responders are asked in turn, once for all who want to know, and the first proof is kept."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
import trio
from trio.testing import MockClock

from xgate.cell import Cell
from xgate.globalconf.conf import GlobalConf
from xgate.ids import ClientId, ServerId
from xgate.keepers.ocsp_client import OcspClient
from xgate.net.errors import HttpError, TimedOutError
from xgate.policy.world import World
from xgate.serverconf.model import ServerConf
from xgate.signer.ocsp_cache import OcspCache
from xgate.testing.authority import NOW, Authority
from xgate.testing.conf import make_conf
from xgate.testing.outside import LoopClock, Services, Watch
from xgate.testing.pki import Credential, issue_auth, issue_ocsp, make_ca
from xgate.testing.responders import UNKNOWN
from xgate.trust.certificate import Certificate
from xgate.trust.ocsp import OcspResponse

Responder = Callable[..., Callable[[bytes], bytes]]

MISSED = "OCSP not refreshed"
URLS = ("http://one/", "http://two/")
CLOCK = LoopClock()


@pytest.fixture(scope="module")
def own(authority: Authority) -> list[Certificate]:
    """This server's certificates."""
    sign = authority.member(ClientId("XG", "COM", "1")).certificate
    return [sign, issue_auth(authority.ca, "ss").certificate]


@pytest.fixture
def cache() -> OcspCache:
    return OcspCache()


def failing(error: Exception) -> Callable[[bytes], bytes]:
    def answer(_: bytes) -> bytes:
        raise error

    return answer


def asker(
    conf: GlobalConf, cache: OcspCache, services: Services, watch: Watch, *, active: bool = True
) -> OcspClient:
    world = World(conf, ServerConf(ServerId(ClientId("XG", "COM", "1"), "SS")))
    return OcspClient(Cell(world), cache, CLOCK, services.post, watch, active=active)


async def refresh(
    certificate: Certificate,
    conf: GlobalConf,
    cache: OcspCache,
    services: Services,
    watch: Watch,
) -> datetime | None:
    return await asker(conf, cache, services, watch).ask(certificate)


async def test_the_first_good_answer_is_kept_and_tells_until_when_it_holds(
    responder: Responder,
    authority: Authority,
    own: list[Certificate],
    cache: OcspCache,
    autojump_clock: MockClock,
    services: Services,
    watch: Watch,
) -> None:
    conf = make_conf(authority, ocsp_urls=URLS, freshness=600)
    services.answers = dict.fromkeys(URLS, responder())
    until = await refresh(own[0], conf, cache, services, watch)
    assert until == NOW + timedelta(minutes=10)
    assert services.urls == [URLS[0]]
    assert services.kinds == {"application/ocsp-request"}
    assert watch.reports == []
    kept = cache.find(own[0].sha1, conf, CLOCK.now())
    assert kept is not None
    assert OcspResponse.load(kept).this_update == NOW


async def test_a_responder_that_is_no_good_is_passed_over_for_the_next(
    responder: Responder,
    authority: Authority,
    own: list[Certificate],
    autojump_clock: MockClock,
    services: Services,
    watch: Watch,
) -> None:
    conf = make_conf(authority, ocsp_urls=URLS)
    other = make_ca("Other")
    stranger = issue_ocsp(other, "Stranger")
    good = responder()
    bad: list[Callable[[bytes], bytes]] = [
        failing(TimedOutError("no answer in 60 s")),
        failing(HttpError("the answer is 503")),
        failing(ZeroDivisionError("nobody foresaw this")),
        lambda _: b"",
        lambda _: b"<html>busy</html>",
        lambda _: good(b"no request"),  # malformedRequest
        lambda request: good(request)[:-1],
        responder(by=stranger),
        responder(by=Credential(authority.ocsp.certificate, stranger.key)),
        responder(age=timedelta(hours=2)),
        responder(age=-timedelta(hours=2)),
        responder(age=timedelta(minutes=2), lasts=timedelta(minutes=1)),
        lambda _: authority.vouch(own[1]),  # about another certificate
    ]
    for number, answer in enumerate(bad, start=1):
        services.answers = {URLS[0]: answer, URLS[1]: good}
        services.asked.clear()
        cache = OcspCache()
        assert await refresh(own[0], conf, cache, services, watch) is not None, number
        assert services.urls == list(URLS)
        assert len(watch.named(MISSED)) == number
        assert watch.reports[-1].fields["url"] == URLS[0]
        assert watch.reports[-1].fields["cause"]
        kept = cache.find(own[0].sha1, conf, CLOCK.now())
        assert kept is not None
        assert OcspResponse.load(kept).status == "good"


async def test_when_nobody_answers_what_was_kept_stays(
    authority: Authority,
    own: list[Certificate],
    cache: OcspCache,
    autojump_clock: MockClock,
    services: Services,
    watch: Watch,
) -> None:
    conf = make_conf(authority, ocsp_urls=URLS)
    cache.put(own[0], authority.vouch(own[0]))
    before = cache.find(own[0].sha1, conf, NOW)
    services.answers = dict.fromkeys(URLS, failing(TimedOutError("no answer")))
    assert await refresh(own[0], conf, cache, services, watch) is None
    assert cache.find(own[0].sha1, conf, NOW) == before


@pytest.mark.parametrize("status", [NOW, UNKNOWN])
async def test_bad_news_is_kept_as_well(
    responder: Responder,
    authority: Authority,
    own: list[Certificate],
    cache: OcspCache,
    autojump_clock: MockClock,
    services: Services,
    watch: Watch,
    status: str | datetime,
) -> None:
    conf = make_conf(authority, ocsp_urls=URLS)
    cache.put(own[0], authority.vouch(own[0]))
    services.answers = {URLS[0]: responder(status=status)}
    assert await refresh(own[0], conf, cache, services, watch) is not None
    kept = cache.find(own[0].sha1, conf, NOW)
    assert kept is not None
    assert OcspResponse.load(kept).status != "good"


async def test_a_certificate_of_no_approved_ca_is_reported_and_nobody_is_asked(
    authority: Authority,
    cache: OcspCache,
    autojump_clock: MockClock,
    services: Services,
    watch: Watch,
) -> None:
    foreign = issue_auth(make_ca("Stranger"), "ss").certificate
    conf = make_conf(authority)
    assert await refresh(foreign, conf, cache, services, watch) is None
    assert services.asked == []
    assert watch.reports[0].fields["certificate"] == str(foreign.serial)


async def test_who_wants_to_know_the_same_at_the_same_time_shares_one_question(
    responder: Responder,
    authority: Authority,
    own: list[Certificate],
    cache: OcspCache,
    autojump_clock: MockClock,
    services: Services,
    watch: Watch,
) -> None:
    answer, told = responder(), []

    async def slow(request: bytes) -> bytes:
        await trio.sleep(4)
        return answer(request)

    services.answers = {URLS[0]: slow}
    client = asker(make_conf(authority, ocsp_urls=URLS), cache, services, watch)

    async def want() -> None:
        told.append(await client.ask(own[0]))

    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(want)
    assert services.asked == [(0, URLS[0])]
    assert told == [told[0]] * 20
    assert told[0] is not None


async def test_when_the_one_who_asks_is_cut_off_another_asks(
    responder: Responder,
    authority: Authority,
    own: list[Certificate],
    cache: OcspCache,
    autojump_clock: MockClock,
    services: Services,
    watch: Watch,
) -> None:
    answer = responder()

    async def slow(request: bytes) -> bytes:
        await trio.sleep(4)
        return answer(request)

    services.answers = {URLS[0]: slow}
    client = asker(make_conf(authority, ocsp_urls=URLS), cache, services, watch)

    async def impatient() -> None:
        with trio.move_on_after(1):
            await client.ask(own[0])

    async with trio.open_nursery() as nursery:
        nursery.start_soon(impatient)
        await trio.sleep(0.25)
        assert await client.ask(own[0]) is not None
    assert services.asked == [(0, URLS[0]), (1, URLS[0])]


async def test_a_responder_that_cannot_be_reached_is_asked_last_while_it_rests(
    responder: Responder,
    authority: Authority,
    own: list[Certificate],
    cache: OcspCache,
    autojump_clock: MockClock,
    services: Services,
    watch: Watch,
) -> None:
    services.answers = {URLS[0]: failing(TimedOutError("no answer")), URLS[1]: responder()}
    client = asker(make_conf(authority, ocsp_urls=URLS), cache, services, watch)

    async def asked() -> list[str]:
        services.asked.clear()
        assert await client.ask(own[0]) is not None
        return services.urls

    assert await asked() == list(URLS)
    assert await asked() == [URLS[1]], "it rests for a minute"
    await trio.sleep(61)
    assert await asked() == list(URLS)
    await trio.sleep(61)
    assert await asked() == [URLS[1]], "twice in a row: two minutes"
    services.answers = {URLS[0]: responder(), URLS[1]: failing(TimedOutError("no answer"))}
    assert await asked() == [URLS[1], URLS[0]], "nobody else knows"
    assert await asked() == [URLS[0]], "it is back, and the other one rests"


async def test_a_responder_that_keeps_silent_is_not_waited_for_while_there_is_another(
    responder: Responder,
    authority: Authority,
    own: list[Certificate],
    cache: OcspCache,
    autojump_clock: MockClock,
    services: Services,
    watch: Watch,
) -> None:
    async def silent(_: bytes) -> bytes:
        await trio.sleep(80)
        raise TimedOutError("no answer in 80 s")

    conf = make_conf(authority, ocsp_urls=(*URLS, "http://three/"))
    services.answers = {URLS[0]: silent, URLS[1]: responder(), "http://three/": responder()}
    client = asker(conf, cache, services, watch)
    with trio.fail_after(6):
        assert await client.ask(own[0]) is not None
    assert services.asked == [(0, URLS[0]), (5, URLS[1])]
    assert [(r.fields["url"], r.fields["cause"]) for r in watch.named(MISSED)] == [
        (URLS[0], "another has answered before it")
    ]
    with trio.fail_after(1):  # it rests meanwhile
        assert await client.ask(own[1]) is not None
    assert services.urls[2:] == [URLS[1]]


async def test_a_slow_answer_counts_when_the_faster_ones_are_none(
    responder: Responder,
    authority: Authority,
    own: list[Certificate],
    cache: OcspCache,
    autojump_clock: MockClock,
    services: Services,
    watch: Watch,
) -> None:
    answer = responder()

    async def slow(request: bytes) -> bytes:
        await trio.sleep(20)
        return answer(request)

    conf = make_conf(authority, ocsp_urls=URLS)
    services.answers = {URLS[0]: slow, URLS[1]: failing(HttpError("the answer is 503"))}
    with trio.fail_after(21):
        assert await asker(conf, cache, services, watch).ask(own[0]) is not None
    assert services.urls == list(URLS)
    assert [r.fields["url"] for r in watch.named(MISSED)] == [URLS[1]]


async def test_an_answer_that_proves_nothing_is_no_reason_to_rest(
    responder: Responder,
    authority: Authority,
    own: list[Certificate],
    cache: OcspCache,
    autojump_clock: MockClock,
    services: Services,
    watch: Watch,
) -> None:
    services.answers = {URLS[0]: lambda _: b"", URLS[1]: responder()}
    client = asker(make_conf(authority, ocsp_urls=URLS), cache, services, watch)
    for _ in range(2):
        assert await client.ask(own[0]) is not None
    assert services.urls == [*URLS, *URLS]


async def test_who_costs_what_nobody_says_is_not_asked_where_cost_decides(
    responder: Responder,
    authority: Authority,
    own: list[Certificate],
    cache: OcspCache,
    autojump_clock: MockClock,
    services: Services,
    watch: Watch,
) -> None:
    conf = make_conf(authority, ocsp_urls=URLS)
    world = World(conf, ServerConf(ServerId(ClientId("XG", "COM", "1"), "SS")))
    services.answers = dict.fromkeys(URLS, responder())
    free = OcspClient(Cell(world), cache, CLOCK, services.post, watch, order="only-free")
    assert await free.ask(own[0]) is None
    assert services.asked == []
    (missed,) = watch.named(MISSED)
    assert "only-free" in str(missed.fields["cause"])


# for somebody who waits


async def test_what_is_not_at_hand_is_asked_for_once_by_whoever_waits(
    responder: Responder,
    authority: Authority,
    own: list[Certificate],
    cache: OcspCache,
    autojump_clock: MockClock,
    services: Services,
    watch: Watch,
) -> None:
    services.answers = dict.fromkeys(URLS, responder())
    conf = make_conf(authority, ocsp_urls=URLS)
    client = asker(conf, cache, services, watch)
    cache.put(own[0], authority.vouch(own[0]))
    async with trio.open_nursery() as nursery:
        for _ in range(10):
            nursery.start_soon(client.fill, own)
    assert services.asked == [(0, URLS[0])]
    assert cache.find(own[1].sha1, conf, CLOCK.now()) is not None


async def test_who_waits_waits_ten_seconds_and_nobody_after_him_for_a_minute(
    authority: Authority,
    own: list[Certificate],
    cache: OcspCache,
    autojump_clock: MockClock,
    services: Services,
    watch: Watch,
) -> None:
    async def hanging(_: bytes) -> bytes:
        await trio.sleep_forever()
        raise AssertionError

    services.answers = dict.fromkeys(URLS, hanging)
    client = asker(make_conf(authority, ocsp_urls=URLS), cache, services, watch)
    waited = []
    for pause in (0, 0, 30, 30):
        await trio.sleep(pause)
        began = trio.current_time()
        await client.fill(own[:1])
        waited.append(trio.current_time() - began)
    assert waited == [10, 0, 0, 10]


@pytest.mark.parametrize("case", ["off", "expired", "self-signed"])
async def test_nobody_is_asked_where_it_is_of_no_use(
    responder: Responder,
    authority: Authority,
    cache: OcspCache,
    autojump_clock: MockClock,
    services: Services,
    watch: Watch,
    case: str,
) -> None:
    services.answers = dict.fromkeys(URLS, responder())
    conf = make_conf(authority, ocsp_urls=URLS)
    client = asker(conf, cache, services, watch, active=case != "off")
    old = issue_auth(authority.ca, "old", not_after=NOW - timedelta(days=1))
    good = issue_auth(authority.ca, "good")
    certificates = {"off": good, "expired": old, "self-signed": authority.ca}
    await client.fill([certificates[case].certificate])
    assert services.asked == []
