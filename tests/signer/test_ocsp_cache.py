"""OCSP responses at hand: bounded, fresh by the parameters of now, good only when proven so."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
import trio
import trio.testing

from xgate.errors import Fault
from xgate.globalconf.optional import Settings
from xgate.ids import ClientId
from xgate.signer.ocsp_cache import OcspCache, find_issuer, fresh_until
from xgate.testing.authority import NOW, Authority
from xgate.testing.conf import make_conf
from xgate.testing.pki import issue_auth, make_ca, make_key
from xgate.testing.responders import GOOD, UNKNOWN, answer_ocsp
from xgate.trust.certificate import Certificate
from xgate.trust.ocsp import OcspResponse, write_ocsp_request

AUTHORITY = Authority()
CONF = make_conf(AUTHORITY, freshness=600)
LAX = make_conf(AUTHORITY, settings=Settings(verify_next_update=False))
CERTIFICATE = AUTHORITY.member(ClientId("XG", "COM", "1")).certificate
ISSUER = AUTHORITY.approved()
MINUTE = timedelta(minutes=1)


def answer(next_update: datetime | None) -> bytes:
    request = write_ocsp_request(CERTIFICATE, AUTHORITY.ca.certificate)
    ca = AUTHORITY.ca.certificate
    return answer_ocsp(request, AUTHORITY.ocsp, ca, lambda _: GOOD, NOW, next_update=next_update)


def cache_with(response: bytes) -> OcspCache:
    cache = OcspCache()
    cache.put(CERTIFICATE, response)
    return cache


def refusal(cache: OcspCache, at: datetime = NOW) -> tuple[str, str]:
    with pytest.raises(Fault) as caught:
        cache.usable(CERTIFICATE, ISSUER, CONF, at)
    return caught.value.code, caught.value.text


# finding


def test_a_response_is_found_by_the_certificates_sha1_until_it_is_dropped() -> None:
    response = AUTHORITY.vouch(CERTIFICATE)
    cache = cache_with(response)
    assert cache.find(CERTIFICATE.sha1, CONF, NOW) == response
    assert cache.find(CERTIFICATE.sha1.upper(), CONF, NOW) is None
    cache.drop(CERTIFICATE)
    cache.drop(CERTIFICATE)
    assert cache.find(CERTIFICATE.sha1, CONF, NOW) is None


def test_a_stale_response_is_not_handed_to_anyone() -> None:
    cache = cache_with(AUTHORITY.vouch(CERTIFICATE))
    assert cache.find(CERTIFICATE.sha1, CONF, NOW + 10 * MINUTE) is not None
    assert cache.find(CERTIFICATE.sha1, CONF, NOW + 11 * MINUTE) is None
    assert cache.find(CERTIFICATE.sha1, CONF, NOW) is None  # it has gone


def test_next_update_ends_it_sooner_where_the_configuration_says_so() -> None:
    response = OcspResponse.load(answer(NOW + MINUTE))
    assert fresh_until(response, CONF) == NOW + MINUTE
    assert fresh_until(response, LAX) == NOW + 60 * MINUTE
    assert fresh_until(OcspResponse.load(answer(NOW + 60 * MINUTE)), CONF) == NOW + 10 * MINUTE
    assert fresh_until(OcspResponse.load(answer(None)), CONF) == NOW + 10 * MINUTE


def test_a_shortened_freshness_counts_at_once() -> None:
    cache = cache_with(AUTHORITY.vouch(CERTIFICATE))
    at = NOW + 5 * MINUTE
    assert cache.find(CERTIFICATE.sha1, CONF, at) is not None
    assert cache.find(CERTIFICATE.sha1, make_conf(AUTHORITY, freshness=60), at) is None


def test_what_a_response_says_does_not_decide_whether_it_is_found() -> None:
    cache = cache_with(AUTHORITY.vouch(CERTIFICATE, status=NOW))
    assert cache.find(CERTIFICATE.sha1, CONF, NOW) is not None


def test_the_oldest_leaves_first() -> None:
    cache = OcspCache(limit=2)
    first, second, third = (issue_auth(AUTHORITY.ca, f"ss{n}").certificate for n in range(3))

    def known() -> list[Certificate]:
        found = (first, second, third)
        return [c for c in found if cache.find(c.sha1, CONF, NOW) is not None]

    cache.put(first, AUTHORITY.vouch(first))
    cache.put(second, AUTHORITY.vouch(second))
    cache.put(first, AUTHORITY.vouch(first))  # fresh again
    cache.put(third, AUTHORITY.vouch(third))
    assert known() == [first, third]


# using


def test_a_good_response_is_usable() -> None:
    response = AUTHORITY.vouch(CERTIFICATE)
    assert cache_with(response).usable(CERTIFICATE, ISSUER, CONF, NOW) == response


def test_what_is_missing_stale_or_not_good_is_refused_by_name() -> None:
    none = refusal(OcspCache())
    assert none[0] == "incorrect_validation_info"
    assert f"no OCSP response for certificate {CERTIFICATE.serial}" in none[1]
    stale = refusal(cache_with(AUTHORITY.vouch(CERTIFICATE)), NOW + 11 * MINUTE)
    assert stale[0] == "incorrect_validation_info"
    assert "too old" in stale[1]
    revoked = refusal(cache_with(AUTHORITY.vouch(CERTIFICATE, status=NOW)))
    assert revoked[0] == "cert_validation"
    assert "REVOKED" in revoked[1]
    unknown = refusal(cache_with(AUTHORITY.vouch(CERTIFICATE, status=UNKNOWN)))
    assert unknown[0] == "cert_validation"


def test_a_certificate_outside_its_dates_is_not_usable_whatever_the_response_says() -> None:
    for at in (CERTIFICATE.not_before - MINUTE, CERTIFICATE.not_after + MINUTE):
        response = AUTHORITY.vouch(CERTIFICATE, at=at)
        assert refusal(cache_with(response), at)[0] == "cert_validation"


def test_a_response_about_another_certificate_is_not_usable() -> None:
    other = issue_auth(AUTHORITY.ca, "ss").certificate
    assert refusal(cache_with(AUTHORITY.vouch(other)))[0] == "incorrect_validation_info"


# issuers


def test_the_issuer_is_an_approved_ca_of_our_own_instance() -> None:
    assert find_issuer(CONF, CERTIFICATE, NOW).certificate == AUTHORITY.ca.certificate
    other = issue_auth(make_ca("Stranger"), "ss").certificate
    with pytest.raises(Fault) as caught:
        find_issuer(CONF, other, NOW)
    assert (caught.value.code, caught.value.text) == (
        "internal_error",
        "Certificate is not issued by approved certification service provider.",
    )


def test_an_issuer_by_name_alone_is_none() -> None:
    namesake = make_ca("XG CA", key=make_key("another"))
    assert namesake.certificate.subject == AUTHORITY.ca.certificate.subject
    with pytest.raises(Fault) as caught:
        find_issuer(CONF, issue_auth(namesake, "ss").certificate, NOW)
    assert caught.value.code == "cannot_create_cert_path.internal_error"


# for a copy


async def test_what_has_come_changed_or_gone_is_told_once() -> None:
    cache = OcspCache(limit=2)
    first, second, third = (issue_auth(AUTHORITY.ca, f"ss{n}").certificate for n in range(3))
    told: list[set[str]] = []

    async def listen() -> None:
        while True:
            told.append(await cache.wait_changed())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(listen)
        await trio.testing.wait_all_tasks_blocked()
        changes: list[Callable[[], object]] = [
            lambda: cache.put(first, AUTHORITY.vouch(first)),
            lambda: cache.put(second, AUTHORITY.vouch(second)),
            lambda: cache.put(first, cache.kept(first.sha1) or b""),  # nothing new
            lambda: cache.put(third, AUTHORITY.vouch(third)),  # the second gives way
            lambda: cache.find(first.sha1, CONF, NOW + 20 * MINUTE),  # gone stale
            lambda: cache.drop(third),
            lambda: cache.drop(third),
        ]
        for change in changes:
            change()
            await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    one, two, three = first.sha1, second.sha1, third.sha1
    assert told == [{one}, {two}, {two, three}, {one}, {three}]
    assert [cache.kept(sha1) for sha1 in (one, two, three)] == [None, None, None]


def test_what_is_restored_gives_way_to_what_is_here() -> None:
    response = AUTHORITY.vouch(CERTIFICATE)
    cache = cache_with(response)
    other = issue_auth(AUTHORITY.ca, "ss").certificate
    cache.restore({CERTIFICATE.sha1: b"older", other.sha1: AUTHORITY.vouch(other)})
    assert cache.find(CERTIFICATE.sha1, CONF, NOW) == response
    assert cache.find(other.sha1, CONF, NOW) is not None
