"""A peer of any shape: by itself it is correct, and a security server takes what it says."""

from __future__ import annotations

from xgate.clock import SystemClock
from xgate.sandbox.background import Running
from xgate.sandbox.desk import Desk
from xgate.sandbox.peer import BOUNDARY, Peer, Piece, evidence_pieces, write_pieces
from xgate.sandbox.places import CONSUMER, PROVIDER
from xgate.trust.seal import seal_of
from xgate.wire.rest import RestRequest, read_rest_call
from xgate.wire.transport import REST_REQUEST, write_request_head

AtWork = tuple[Running, Desk]


def request() -> RestRequest:
    return read_rest_call(
        "GET",
        f"/r1/{PROVIDER.url}/people/x",
        [("Host", "h"), ("X-Road-Client", CONSUMER.url)],
        request_id="0001",
        fresh_id="XG-1",
    )


def head() -> list[tuple[str, str]]:
    return write_request_head(
        "REST", boundary=BOUNDARY, original_content_type="", soap_action="", request_id="0001"
    )


async def test_what_it_says_by_itself_is_accepted(at_work: AtWork) -> None:
    running, _ = at_work
    country = running.country
    peer = Peer(country, country.consumer, SystemClock())
    asked = request()
    (evidence,) = peer.evidence(seal_of(asked.octets))
    pieces = [peer.ocsp_piece(), Piece(REST_REQUEST, asked.octets), *evidence_pieces(evidence)]
    heard = await peer.ask(country.provider, head(), write_pieces(pieces))
    assert heard.head.status == 200
    assert heard.fault("REST") is None
    assert b"200\r\n" in heard.body


async def test_what_it_leaves_out_is_missed(at_work: AtWork) -> None:
    running, _ = at_work
    country = running.country
    peer = Peer(country, country.consumer, SystemClock())
    pieces = [peer.ocsp_piece(), Piece(REST_REQUEST, request().octets)]
    heard = await peer.ask(country.provider, head(), write_pieces(pieces))
    fault = heard.fault("REST")
    assert fault is not None
    assert fault.code == "server.serverproxy.missing_signature"


async def test_one_signature_covers_many_seals(at_work: AtWork) -> None:
    country = at_work[0].country
    peer = Peer(country, country.consumer, SystemClock())
    one, two = peer.evidence(seal_of(b"1"), seal_of(b"2"))
    assert one.signature == two.signature
    assert one.chain != two.chain
    assert len(evidence_pieces(one)) == 3
