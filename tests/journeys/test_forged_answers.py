"""Answers that prove something else, from servers that are somebody else: none reaches the caller.

The codes are those of soap-protocol 6 and 9, rest-protocol 6 and pipeline 7.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

import pytest
import trio
from tests.journeys.fault_table import assert_in_table

from xgate.clock import SystemClock
from xgate.net.server import Exchange
from xgate.sandbox.peer import Peer, Piece, attached
from xgate.sandbox.script import stand_in
from xgate.testing.pki import issue_auth, make_ca
from xgate.wire.message import Protocol
from xgate.wire.transport import REST_BODY
from xgate.wire.transport_parts import SIGNATURE

if TYPE_CHECKING:
    from tests.journeys.conftest import Caller, Reply

SIDE = "server.clientproxy."
FAILED = SIDE + "service_failed."
VERIFY = SIDE + "signature_verification."
DENIED = SIDE + "ssl_authentication_failed"


async def ask(caller: Caller, protocol: Protocol, query: str) -> Reply:
    if protocol == "REST":
        return await caller.rest("POST", "/echo", [("X-Road-Id", query)], b"question")
    return await caller.soap("tell", query)


def assert_no_answer(caller: Caller, query: str) -> None:
    """Requests under this id were logged, and no answers."""
    assert {logged.record.response for logged in caller.records(query)[0]} == {False}


def said(old: str, new: str) -> Callable[[bytes], bytes]:
    def change(octets: bytes) -> bytes:
        assert old.encode() in octets
        return octets.replace(old.encode(), new.encode(), 1)

    return change


MISFIT = SIDE + "inconsistent_response"


@pytest.mark.parametrize(
    ("change", "protocol", "code"),
    [
        (said("x-road-client:XG/COM/100/portal", "x-road-client:XG/COM/100/other"), "REST", MISFIT),
        (said("x-road-id:", "x-road-id:not-"), "REST", MISFIT),
        (said("x-road-service:XG", "x-road-service:YY"), "REST", MISFIT),
        (said("x-road-request-id:", "x-road-request-id:0"), "REST", MISFIT),
        (said("x-road-request-hash:", "x-road-request-hash:AAAA"), "REST", MISFIT),
        (said("x-road-request-hash:", "x-road-request:"), "REST", FAILED + "internal_error"),
        (said("x-road-id:", "Host:a\r\nx-road-id:"), "REST", FAILED + "internal_error"),
        (said(">XG12345<", ">XG54321<"), "SOAP", FAILED + "inconsistent_response"),
        (said("<xrd:id>", "<xrd:id>0"), "SOAP", FAILED + "inconsistent_response"),
        (said(">portal<", ">other<"), "SOAP", FAILED + "inconsistent_response"),
        (said("#sha512", "#sha1"), "SOAP", MISFIT),
        (said('#sha512">', '#sha512">AAAA'), "SOAP", MISFIT),
        (said("requestHash", "someHash"), "SOAP", FAILED + "invalid_soap"),
    ],
)
async def test_signed_answers_that_do_not_belong_to_the_request(
    lonely: Caller, change: Callable[[bytes], bytes], protocol: Protocol, code: str
) -> None:
    async with stand_in(lonely.country) as script:
        script.response = change
        reply = await ask(lonely, protocol, "misfit")

    assert reply.code == code
    assert_in_table(code, reply.text)
    assert_no_answer(lonely, "misfit")


async def test_the_answer_to_an_earlier_request(lonely: Caller) -> None:
    async with stand_in(lonely.country) as script:
        await ask(lonely, "REST", "replay-1")
        earlier = script.last
        script.pieces = lambda _: earlier
        replayed = await ask(lonely, "REST", "replay-1")

    assert replayed.code == MISFIT  # by its request id, if by nothing else
    assert lonely.counts("replay-1") == [3, 0]


@pytest.mark.parametrize("protocol", ["REST", "SOAP"])
async def test_an_answer_signed_by_another_member(lonely: Caller, protocol: Protocol) -> None:
    async with stand_in(lonely.country, sign=lonely.country.consumer.sign):
        reply = await ask(lonely, protocol, f"signer-{protocol}")

    assert reply.code == VERIFY + "incorrect_certificate"
    assert lonely.counts(f"signer-{protocol}") == [1, 0]


async def test_an_answer_whose_body_is_another(lonely: Caller) -> None:
    async with stand_in(lonely.country) as script:
        script.pieces = lambda pieces: [pieces[0], Piece(REST_BODY, b"forged"), *pieces[2:]]
        changed = await ask(lonely, "REST", "body-1")
        script.pieces = lambda pieces: [pieces[0], *pieces[2:]]
        gone = await ask(lonely, "REST", "body-2")
        script.body = None
        script.pieces = lambda pieces: [pieces[0], Piece(REST_BODY, b"forged"), *pieces[1:]]
        come = await ask(lonely, "REST", "body-3")

    assert all(reply.code.startswith(VERIFY) for reply in (changed, gone, come))


async def test_attachments_that_no_signature_covers(lonely: Caller) -> None:
    extra = attached([Piece("text/plain", b"forged")])
    async with stand_in(lonely.country) as script:
        script.pieces = lambda pieces: [pieces[0], extra, *pieces[1:]]
        reply = await ask(lonely, "SOAP", "extra-1")

    assert reply.code.startswith(VERIFY)


async def test_a_signature_that_is_none(lonely: Caller) -> None:
    async with stand_in(lonely.country) as script:
        script.pieces = lambda pieces: [pieces[0], Piece(SIGNATURE, b"<a/>")]
        reply = await ask(lonely, "SOAP", "none-1")

    assert reply.code == VERIFY + "malformed_signature"


# Who it is


async def test_a_server_that_is_not_registered(lonely: Caller) -> None:
    stranger = issue_auth(lonely.country.ca, "stranger")
    async with stand_in(lonely.country, auth=stranger):
        reply = await ask(lonely, "REST", "who-1")

    assert reply.code == DENIED
    assert lonely.counts("who-1") == [0, 0]


async def test_a_server_where_the_provider_does_not_live(lonely: Caller) -> None:
    async with stand_in(lonely.country, auth=lonely.country.consumer.auth):
        reply = await ask(lonely, "REST", "who-2")

    assert reply.code == DENIED
    assert "is not registered at security server" in reply.text


DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("what", "leaf"),
    [
        ("stale", "incorrect_validation_info"),
        ("revoked", "cert_validation"),
        ("unknown", "cert_validation"),
        ("no DER", "incorrect_validation_info"),
        ("of another", "cert_validation"),
    ],
)
async def test_ocsp_responses_that_prove_nothing(lonely: Caller, what: str, leaf: str) -> None:
    country = lonely.country
    peer = Peer(country, country.provider, SystemClock(), auth=issue_auth(country.ca, "provider"))
    now = datetime.now(UTC)
    response = {
        "stale": peer.ocsp(at=now - DAY),
        "revoked": peer.ocsp(status=now - DAY),
        "unknown": peer.ocsp(status="unknown"),
        "no DER": b"response",
        "of another": peer.ocsp(country.consumer.auth.certificate),
    }[what]
    async with stand_in(lonely.country, auth=peer.auth, ocsp=response):
        reply = await ask(lonely, "REST", f"ocsp-{what}")

    assert reply.code == f"{DENIED}.invalid_cert_path.{leaf}"
    assert_in_table(reply.code, reply.text)
    assert lonely.counts(f"ocsp-{what}") == [0, 0]


async def test_ocsp_responses_that_cannot_be_had(lonely: Caller) -> None:
    country = lonely.country
    peer = Peer(country, country.provider, SystemClock(), auth=issue_auth(country.ca, "provider"))

    async def hear(exchange: Exchange) -> None:
        raise AssertionError("no message may come here")

    async with trio.open_nursery() as nursery:
        await nursery.start(partial(peer.serve, hear, more_ocsp=[b"one too many"]))
        reply = await ask(lonely, "REST", "ocsp-none")
        nursery.cancel_scope.cancel()

    assert reply.code == f"{DENIED}.internal_error"
    assert_in_table(reply.code, reply.text)
    assert lonely.counts("ocsp-none") == [0, 0]


async def test_a_server_whose_ca_nobody_approves_of(lonely: Caller) -> None:
    stranger = issue_auth(make_ca("nobody's CA"), "provider")
    async with stand_in(lonely.country, auth=stranger, ocsp=b"of another CA"):
        reply = await ask(lonely, "SOAP", "who-3")

    assert reply.code == f"{DENIED}.cannot_create_cert_path.internal_error", reply.text
    assert_in_table(reply.code, reply.text)
    assert lonely.counts("who-3") == [0, 0]


async def test_nobody_there(lonely: Caller) -> None:
    reply = await ask(lonely, "SOAP", "nobody-1")

    assert reply.code == SIDE + "network_error"
    assert lonely.country.provider.address in reply.text
    assert lonely.counts("nobody-1") == [0, 0]
