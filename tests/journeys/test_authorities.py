"""Certificates of a CA that stands below the top one: the usual case in the field."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec
import pytest

from xgate.clock import SystemClock
from xgate.globalconf.shared import CaInfo, OcspInfo
from xgate.sandbox import country as sandbox
from xgate.sandbox.authority import Authority
from xgate.sandbox.country import Country
from xgate.sandbox.publication import describe_country, publish_country
from xgate.testing.pki import Credential, make_ca

if TYPE_CHECKING:
    from tests.journeys.conftest import Started, Starter

ROOT = make_ca("The top")


@pytest.fixture
def below(found: Callable[..., Country], monkeypatch: pytest.MonkeyPatch) -> Country:
    """A country whose CA was issued by ``ROOT``."""

    def issued(name: str, **more: object) -> Credential:
        return make_ca(name, issuer=ROOT if name == "Sandbox CA" else None, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(sandbox, "make_ca", issued)
    return found()


def publish(country: Country, *, top_answers: bool, listed: bool = True) -> None:
    """Approve of the top, and of the CA below it."""
    shared = describe_country(country)
    (service,) = shared.certification_services
    responders = service.top.ocsp if top_answers else ()
    own = (OcspInfo(r.url, country.ocsp.certificate.der) for r in responders)
    top = CaInfo(ROOT.certificate.der, tuple(own))
    intermediates = (service.top,) if listed else ()
    service = msgspec.structs.replace(service, top=top, intermediates=intermediates)
    shared = msgspec.structs.replace(shared, certification_services=(service,))
    publish_country(country, SystemClock().now(), shared)


async def serves(started: Started, query: str) -> list[str]:
    caller = started.caller
    rest = await caller.rest("POST", "/echo", [("X-Road-Id", f"{query}-rest")], b"x")
    return [rest.code, (await caller.soap("tell", f"{query}-soap")).code]


async def test_messages_pass_and_are_proven_by_the_ca_that_issued(
    start: Starter, below: Country
) -> None:
    publish(below, top_answers=False)
    async with start(below) as started:
        line = await started.running.provider.wait("OCSP responses refreshed")
        assert (line["certificates"], line["answered"]) == (2, 2)
        assert await serves(started, "below") == ["", ""]
        for query in ("below-rest", "below-soap"):
            for proof in await started.caller.prove(query):
                assert [c.subject.rfc2253 for c in proof.proven.path[1:]] == [
                    below.ca.certificate.subject.rfc2253
                ]


async def test_that_nobody_vouches_for_the_ca_itself_stops_no_message(
    start: Starter, below: Country
) -> None:
    publish(below, top_answers=True)  # by a responder that knows nothing of it
    async with start(below, authority=Authority(below, SystemClock())) as started:
        line = await started.running.consumer.wait("OCSP responses refreshed")
        assert line["certificates"] == 3
        assert await serves(started, "unvouched") == ["", ""]


async def test_a_ca_that_is_not_approved_of_itself_issues_nothing(
    start: Starter, below: Country
) -> None:
    publish(below, top_answers=False, listed=False)
    async with start(below) as started:
        assert (
            await serves(started, "unlisted")
            == ["server.clientproxy.ssl_authentication_failed"] * 2
        )
