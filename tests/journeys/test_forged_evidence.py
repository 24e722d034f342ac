"""Signatures, OCSP responses and certificates that prove something else, or nothing: refused.

The connection proves the server, the signature proves the member, and each has to be good for this
client and this message (pipeline 7, 16 trap 7; signature 6).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import trio

from xgate.clock import SystemClock
from xgate.ids import ClientId
from xgate.net.client import connect
from xgate.net.context import service_context
from xgate.net.errors import NetError
from xgate.sandbox.country import CONSUMER, PROVIDER
from xgate.sandbox.draft import Draft, rest_draft, rest_head, soap_draft
from xgate.sandbox.messages import soap_request
from xgate.sandbox.peer import Peer, Piece, evidence_pieces
from xgate.testing.pki import issue_auth, issue_sign, make_ca
from xgate.trust.seal import seal_of
from xgate.wire.transport_parts import HASH_CHAIN, HASH_CHAIN_RESULT, OCSP_RESPONSE, SIGNATURE

if TYPE_CHECKING:
    from tests.journeys.conftest import Caller

FAILED = "server.serverproxy.service_failed."
VERIFY = "server.serverproxy.signature_verification."
pytestmark = pytest.mark.usefixtures("nothing_left")
PATH = f"/r1/{PROVIDER.url}/echo/x"
DAY = timedelta(days=1)


def soap(**changes: str | ClientId) -> bytes:
    values: dict[str, str | ClientId] = {"client": CONSUMER, "provider": PROVIDER, "code": "tell"}
    values |= changes
    return soap_request(query_id="hostile", version="", **values)  # type: ignore[arg-type]


# Signatures


def signature_of(draft: Draft) -> list[Piece]:
    """All pieces of the evidence."""
    kinds = (HASH_CHAIN_RESULT, HASH_CHAIN, SIGNATURE)
    return [piece for piece in draft.pieces if piece.content_type in kinds]


def signed_by(draft: Draft, other: Draft) -> Draft:
    """The one message with the other's evidence."""
    mine = signature_of(draft)
    draft.pieces = [piece for piece in draft.pieces if piece not in mine] + signature_of(other)
    return draft


async def test_a_signature_of_another_member(peer: Peer) -> None:
    theirs = Peer(
        peer.country, peer.country.consumer, SystemClock(), sign=peer.country.provider.sign
    )
    draft = soap_draft(theirs, soap())

    fault = await draft.send()

    assert fault is not None
    assert fault.code == VERIFY + "incorrect_certificate"


async def test_a_signature_by_a_key_of_nobody(peer: Peer) -> None:
    ca = make_ca("Sandbox CA")  # the name is the country's, the key is not
    forged = issue_sign(ca, CONSUMER)
    stranger = Peer(peer.country, peer.country.consumer, SystemClock(), sign=forged)

    fault = await soap_draft(stranger, soap()).send()

    assert fault is not None
    assert fault.code.startswith(VERIFY)


async def test_a_signature_with_the_key_of_a_connection(peer: Peer) -> None:
    wrong = Peer(peer.country, peer.country.consumer, SystemClock(), sign=peer.auth)

    fault = await soap_draft(wrong, soap()).send()

    assert fault is not None
    assert fault.code.startswith(VERIFY)


@pytest.mark.parametrize("with_parts", [False, True])
async def test_the_signature_of_another_message(peer: Peer, with_parts: bool) -> None:
    parts = [b"one", b"two"] if with_parts else []
    other = soap_draft(peer, soap(content="something else"), parts)

    fault = await signed_by(soap_draft(peer, soap(), parts), other).send()

    assert fault is not None
    assert fault.code.startswith(VERIFY)


async def test_attachments_that_no_signature_covers(peer: Peer) -> None:
    draft = signed_by(soap_draft(peer, soap(), [b"one"]), soap_draft(peer, soap()))

    fault = await draft.send()

    assert fault is not None
    assert fault.code.startswith(VERIFY)


@pytest.mark.parametrize("change", ["swap", "drop", "add", "edit"])
async def test_attachments_other_than_signed(peer: Peer, change: str) -> None:
    parts = {"swap": [b"2", b"1"], "drop": [b"1"], "add": [b"1", b"2", b"3"], "edit": [b"1", b"x"]}
    draft = signed_by(
        soap_draft(peer, soap(), parts[change]), soap_draft(peer, soap(), [b"1", b"2"])
    )

    fault = await draft.send()

    assert fault is not None
    assert fault.code.startswith(VERIFY)


async def test_a_body_other_than_signed_does_not_reach_the_service(
    caller: Caller, peer: Peer
) -> None:
    octets = rest_head("hostile", "POST", PATH)
    draft = signed_by(rest_draft(peer, octets, b"pay 100"), rest_draft(peer, octets, b"pay 1"))
    seen = len(caller.running.provider)

    fault = await draft.send()

    assert fault is not None
    assert fault.code.startswith(VERIFY)
    line = await caller.running.provider.wait("exchange", since=seen, id="hostile")
    assert line["code"] == fault.code


def broken_signatures() -> list[tuple[str, Callable[[bytes], bytes], str]]:
    def flip(octets: bytes) -> bytes:
        at = octets.index(b"SignatureValue") + 60
        other = b"A" if octets[at : at + 1] != b"A" else b"B"
        return octets[:at] + other + octets[at + 1 :]

    return [
        ("empty", lambda _: b"", "invalid_xml"),
        ("no xml", lambda _: b"signature", "invalid_xml"),
        ("no signature", lambda _: b"<a/>", "malformed_signature"),
        ("cut", lambda octets: octets[:-10], "invalid_xml"),
        ("doctype", lambda octets: octets.replace(b"?>", b"?><!DOCTYPE a>", 1), "invalid_xml"),
        ("flipped", flip, "invalid_signature_value"),
    ]


@pytest.mark.parametrize(
    ("change", "code"),
    [(change, code) for _, change, code in broken_signatures()],
    ids=[name for name, _, _ in broken_signatures()],
)
async def test_signatures_that_are_none(
    peer: Peer, change: Callable[[bytes], bytes], code: str
) -> None:
    draft = soap_draft(peer, soap())
    octets = draft.pieces[draft.place(SIGNATURE)].octets
    draft.swap(SIGNATURE, Piece(SIGNATURE, change(octets)))

    fault = await draft.send()

    assert fault is not None
    assert fault.code == VERIFY + code


@pytest.mark.parametrize("what", ["stale", "revoked", "unknown", "of another certificate"])
@pytest.mark.parametrize("where", ["signature", "connection"])
async def test_ocsp_responses_that_prove_nothing(peer: Peer, what: str, where: str) -> None:
    own = peer.sign if where == "signature" else peer.auth
    other = peer.auth if where == "signature" else peer.sign
    now = datetime.now(UTC)
    response = {
        "stale": peer.ocsp(own.certificate, at=now - DAY),
        "revoked": peer.ocsp(own.certificate, status=now - DAY),
        "unknown": peer.ocsp(own.certificate, status="unknown"),
        "of another certificate": peer.ocsp(other.certificate),
    }[what]
    octets = soap()
    draft = soap_draft(peer, octets)
    if where == "signature":
        (evidence,) = peer.evidence(seal_of(octets), ocsp=response)
        draft.swap(SIGNATURE, *evidence_pieces(evidence))
    else:
        draft.swap(OCSP_RESPONSE, Piece(OCSP_RESPONSE, response))

    fault = await draft.send()

    assert fault is not None
    if where == "connection":
        assert fault.code == FAILED + "ssl_authentication_failed"
    else:
        assert fault.code.startswith(VERIFY)


# Certificates of the connection


async def test_a_certificate_that_is_not_registered_gets_an_alert(
    caller: Caller, peer: Peer
) -> None:
    unregistered = issue_auth(peer.country.ca, "unregistered")
    draft = soap_draft(
        Peer(peer.country, peer.country.consumer, SystemClock(), auth=unregistered), soap()
    )
    with pytest.raises(NetError, match=r"alert|closed|broke"):
        await draft.send()


async def test_a_peer_without_a_certificate_gets_an_alert(caller: Caller) -> None:
    nobody = await connect(
        caller.country.provider.address,
        caller.country.ports.server,
        tls=service_context(),
        timeout=5.0,
    )
    nobody.timeout = 5.0
    with pytest.raises(NetError, match=r"alert|closed|broke"):
        await nobody.receive_head()
    await nobody.aclose()


async def test_a_certificate_of_another_server(peer: Peer) -> None:
    """Registered, good, and its OCSP response too: but the client lives elsewhere."""
    elsewhere = Peer(
        peer.country, peer.country.consumer, SystemClock(), auth=peer.country.provider.auth
    )

    fault = await soap_draft(elsewhere, soap()).send()

    assert fault is not None
    assert fault.code == FAILED + "ssl_authentication_failed"
    assert "is not registered at security server" in fault.text


async def test_no_tls_at_all(caller: Caller) -> None:
    country = caller.country
    for octets in (b"POST / HTTP/1.1\r\nHost: a\r\n\r\n", b"\x16\x03\x01\xff\xff" * 100, b""):
        stream = await trio.open_tcp_stream(country.provider.address, country.ports.server)
        async with stream:
            await stream.send_all(octets)
            await stream.send_eof()
            with trio.fail_after(5):
                answer = b"".join([data async for data in stream])
        assert b"HTTP" not in answer
