"""OCSP responses are fetched before they are needed, from whoever answers, whatever fails."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import pytest
import trio
from trio.testing import MockClock

from xgate.cell import Cell
from xgate.globalconf.conf import GlobalConf
from xgate.globalconf.optional import Settings
from xgate.ids import ClientId, ServerId
from xgate.keepers.ocsp import keep_ocsp, refresh_ocsp
from xgate.net.errors import HttpError, TimedOutError
from xgate.policy.world import World
from xgate.serverconf.model import ServerConf
from xgate.signer.ocsp_cache import OcspCache
from xgate.testing.authority import NOW, Authority
from xgate.testing.conf import make_conf
from xgate.testing.outside import LoopClock, Services, Watch
from xgate.testing.pki import NOT_BEFORE, Credential, issue_auth, issue_ocsp, make_ca, make_key
from xgate.testing.responders import GOOD, UNKNOWN, answer_ocsp
from xgate.trust.certificate import Certificate
from xgate.trust.ocsp import OcspResponse

ROUND = "OCSP responses refreshed"
MISSED = "OCSP not refreshed"
URLS = ("http://one/", "http://two/")
CLOCK = LoopClock()


@pytest.fixture(scope="module")
def own(authority: Authority) -> list[Certificate]:
    """This server's certificates."""
    sign = authority.member(ClientId("XG", "COM", "1")).certificate
    return [sign, issue_auth(authority.ca, "ss").certificate]


def world_of(conf: GlobalConf) -> World:
    return World(conf, ServerConf(ServerId(ClientId("XG", "COM", "1"), "SS")))


def responder(
    authority: Authority,
    *,
    status: str | datetime = GOOD,
    age: timedelta = timedelta(0),
    lasts: timedelta | None = None,
    by: Credential | None = None,
) -> Callable[[bytes], bytes]:
    """Answers what it is asked at the time it is asked."""

    def answer(request: bytes) -> bytes:
        at = CLOCK.now() - age
        return answer_ocsp(
            request,
            by or authority.ocsp,
            authority.ca.certificate,
            lambda _: status,
            at,
            next_update=None if lasts is None else at + lasts,
        )

    return answer


def failing(error: Exception) -> Callable[[bytes], bytes]:
    def answer(_: bytes) -> bytes:
        raise error

    return answer


@asynccontextmanager
async def keeping(
    certificates: Sequence[Certificate],
    world: Cell[World],
    cache: OcspCache,
    services: Services,
    watch: Watch,
) -> AsyncIterator[None]:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(
            keep_ocsp, lambda: certificates, world, cache, CLOCK, services.post, watch
        )
        yield
        nursery.cancel_scope.cancel()


@pytest.fixture
def cache() -> OcspCache:
    return OcspCache()


# one certificate


async def refresh(
    certificate: Certificate,
    conf: GlobalConf,
    cache: OcspCache,
    services: Services,
    watch: Watch,
) -> datetime | None:
    return await refresh_ocsp(certificate, world_of(conf), cache, CLOCK, services.post, watch)


async def test_the_first_good_answer_is_kept_and_tells_until_when_it_holds(
    authority: Authority,
    own: list[Certificate],
    cache: OcspCache,
    autojump_clock: MockClock,
    services: Services,
    watch: Watch,
) -> None:
    conf = make_conf(authority, ocsp_urls=URLS, freshness=600)
    services.answers = dict.fromkeys(URLS, responder(authority))
    until = await refresh(own[0], conf, cache, services, watch)
    assert until == NOW + timedelta(minutes=10)
    assert services.urls == [URLS[0]]
    assert services.kinds == {"application/ocsp-request"}
    assert watch.reports == []
    kept = cache.find(own[0].sha1, conf, CLOCK.now())
    assert kept is not None
    assert OcspResponse.load(kept).this_update == NOW


async def test_a_responder_that_is_no_good_is_passed_over_for_the_next(
    authority: Authority,
    own: list[Certificate],
    autojump_clock: MockClock,
    services: Services,
    watch: Watch,
) -> None:
    conf = make_conf(authority, ocsp_urls=URLS)
    other = make_ca("Other")
    stranger = issue_ocsp(other, "Stranger")
    good = responder(authority)
    bad: list[Callable[[bytes], bytes]] = [
        failing(TimedOutError("no answer in 60 s")),
        failing(HttpError("the answer is 503")),
        failing(ZeroDivisionError("nobody foresaw this")),
        lambda _: b"",
        lambda _: b"<html>busy</html>",
        lambda _: good(b"no request"),  # malformedRequest
        lambda request: good(request)[:-1],
        responder(authority, by=stranger),
        responder(authority, by=Credential(authority.ocsp.certificate, stranger.key)),
        responder(authority, age=timedelta(hours=2)),
        responder(authority, age=-timedelta(hours=2)),
        responder(authority, age=timedelta(minutes=2), lasts=timedelta(minutes=1)),
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
    services.answers = {URLS[0]: responder(authority, status=status)}
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


# round after round


async def test_all_are_asked_for_at_once_and_again_at_the_interval(
    authority: Authority,
    own: list[Certificate],
    cache: OcspCache,
    autojump_clock: MockClock,
    services: Services,
    watch: Watch,
) -> None:
    world = Cell(world_of(make_conf(authority)))
    services.answers = {"http://ocsp/": responder(authority)}
    async with keeping(own, world, cache, services, watch):
        rounds = await watch.wait(ROUND, 3)
    assert [(one.time, one.fields) for one in rounds] == [
        (time, {"certificates": 2, "answered": 2}) for time in (0, 1200, 2400)
    ]
    for certificate in own:
        assert cache.find(certificate.sha1, world.value.globalconf, NOW) is not None


async def test_what_is_missing_is_asked_for_again_soon_and_then_ever_more_seldom(
    authority: Authority,
    own: list[Certificate],
    cache: OcspCache,
    autojump_clock: MockClock,
    services: Services,
    watch: Watch,
) -> None:
    world = Cell(world_of(make_conf(authority)))
    services.answers = {"http://ocsp/": failing(TimedOutError("no answer"))}
    async with keeping(own, world, cache, services, watch):
        await watch.wait(ROUND, 8)
        services.answers = {"http://ocsp/": responder(authority)}
        rounds = await watch.wait(ROUND, 10)
    times = (0, 1, 3, 7, 15, 31, 61, 91)
    assert [(one.time, one.fields["answered"]) for one in rounds] == [
        *((time, 0) for time in times),
        (121, 2),
        (1321, 2),
    ]


@pytest.mark.parametrize(
    ("freshness", "lasts", "times"),
    [
        (3600, 600, [0, 480, 960]),  # two tries before nextUpdate
        (600, 3600, [0, 480, 960]),  # before the answer is too old
        (3600, 100, [0, 60, 120]),  # never more often than once in a minute
        (86_400, 86_400, [0, 1200, 2400]),
    ],
)
async def test_an_answer_is_asked_for_again_before_it_ages(
    authority: Authority,
    own: list[Certificate],
    cache: OcspCache,
    autojump_clock: MockClock,
    services: Services,
    watch: Watch,
    freshness: int,
    lasts: int,
    times: list[int],
) -> None:
    world = Cell(world_of(make_conf(authority, freshness=freshness)))
    services.answers = {"http://ocsp/": responder(authority, lasts=timedelta(seconds=lasts))}
    async with keeping(own, world, cache, services, watch):
        rounds = await watch.wait(ROUND, 3)
    assert [one.time for one in rounds] == times


async def test_a_configuration_that_wants_them_fresher_is_heeded_at_once(
    authority: Authority,
    own: list[Certificate],
    cache: OcspCache,
    autojump_clock: MockClock,
    services: Services,
    watch: Watch,
) -> None:
    world = Cell(world_of(make_conf(authority)))
    services.answers = {"http://ocsp/": responder(authority)}

    async def swap() -> None:
        await trio.sleep(100)
        world.set(world_of(make_conf(authority)))  # nothing that matters here has changed
        await trio.sleep(100)
        settings = Settings(ocsp_fetch_interval_seconds=300)
        world.set(world_of(make_conf(authority, settings=settings)))

    async with keeping(own, world, cache, services, watch), trio.open_nursery() as nursery:
        nursery.start_soon(swap)
        rounds = await watch.wait(ROUND, 3)
    assert [one.time for one in rounds] == [0, 200, 500]


async def test_a_swap_while_the_round_runs_is_not_missed(
    authority: Authority,
    own: list[Certificate],
    cache: OcspCache,
    autojump_clock: MockClock,
    services: Services,
    watch: Watch,
) -> None:
    world = Cell(world_of(make_conf(authority)))
    answer = responder(authority)

    def swapping(request: bytes) -> bytes:
        world.set(world_of(make_conf(authority, freshness=1800)))
        return answer(request)

    services.answers = {"http://ocsp/": swapping}
    async with keeping(own[:1], world, cache, services, watch):
        rounds = await watch.wait(ROUND, 2)
    assert [one.time for one in rounds] == [0, 0]


async def test_only_certificates_that_could_be_used_are_asked_about(
    authority: Authority,
    own: list[Certificate],
    cache: OcspCache,
    autojump_clock: MockClock,
    services: Services,
    watch: Watch,
) -> None:
    expired = issue_auth(
        authority.ca, "old", key=make_key("old"), not_after=NOT_BEFORE + timedelta(days=1)
    ).certificate
    self_signed = authority.ca.certificate
    world = Cell(world_of(make_conf(authority)))
    services.answers = {"http://ocsp/": responder(authority)}
    async with keeping([expired, self_signed, *own], world, cache, services, watch):
        rounds = await watch.wait(ROUND, 2)
    assert [(one.time, one.fields["certificates"]) for one in rounds] == [(0, 2), (1200, 2)]
    assert watch.named(MISSED) == []


async def test_without_certificates_there_is_nothing_to_do_and_it_goes_on(
    authority: Authority,
    cache: OcspCache,
    autojump_clock: MockClock,
    services: Services,
    watch: Watch,
) -> None:
    world = Cell(world_of(make_conf(authority)))
    async with keeping([], world, cache, services, watch):
        rounds = await watch.wait(ROUND, 2)
    assert [one.time for one in rounds] == [0, 1200]


async def test_a_responder_that_hangs_starves_no_other_certificate(
    authority: Authority,
    own: list[Certificate],
    cache: OcspCache,
    autojump_clock: MockClock,
    services: Services,
    watch: Watch,
) -> None:
    world = Cell(world_of(make_conf(authority)))
    answer = responder(authority)
    first = trio.Event()

    async def hanging(request: bytes) -> bytes:
        if not first.is_set():
            first.set()
            await trio.sleep(60)
            raise TimedOutError("no answer in 60 s")
        return answer(request)

    services.answers = {"http://ocsp/": hanging}
    async with keeping(own, world, cache, services, watch):
        (report,) = await watch.wait(ROUND)
    assert services.asked == [(0, "http://ocsp/"), (0, "http://ocsp/")]
    assert (report.time, report.fields["answered"]) == (60, 1)
