"""Drafts: accepted as they are made, refused for what is changed in them."""

from __future__ import annotations

import pytest

from xgate.clock import SystemClock
from xgate.errors import Fault
from xgate.sandbox.background import Running
from xgate.sandbox.desk import Desk
from xgate.sandbox.draft import Draft, rest_draft, rest_head, soap_draft
from xgate.sandbox.messages import soap_request
from xgate.sandbox.peer import Peer
from xgate.sandbox.places import CONSUMER, PROVIDER
from xgate.wire.transport import REST_BODY, REST_REQUEST
from xgate.wire.transport_parts import SIGNATURE

AtWork = tuple[Running, Desk]
PATH = f"/r1/{PROVIDER.url}/people/x"


@pytest.fixture
def peer(at_work: AtWork) -> Peer:
    country = at_work[0].country
    return Peer(country, country.consumer, SystemClock())


def rest(peer: Peer, body: bytes | None = None) -> Draft:
    return rest_draft(peer, rest_head("q", "POST", PATH), body)


def code(fault: Fault | None) -> str:
    assert fault is not None
    return fault.code


@pytest.mark.parametrize("body", [None, b"", b"body"])
async def test_a_rest_draft_is_accepted(peer: Peer, body: bytes | None) -> None:
    assert await rest(peer, body).send() is None


@pytest.mark.parametrize("attachments", [[], [b"one", b""]])
async def test_a_soap_draft_is_accepted(peer: Peer, attachments: list[bytes]) -> None:
    """The desk echoes what it does not know: the request comes back as an answer to itself."""
    octets = soap_request(CONSUMER, PROVIDER, "getRandom", "q")
    assert await soap_draft(peer, octets, attachments).send() is None


async def test_pieces_are_found_swapped_and_left_out(peer: Peer) -> None:
    draft = rest(peer, b"body")
    assert draft.place(REST_REQUEST) < draft.place(REST_BODY) < draft.place(SIGNATURE)
    draft.swap(SIGNATURE)
    assert code(await draft.send()) == "server.serverproxy.missing_signature"


async def test_headers_are_changed_whatever_their_case(peer: Peer) -> None:
    draft = rest(peer)
    draft.header("X-HASH-ALGORITHM", None)
    assert code(await draft.send()) == "server.serverproxy.internal_error"


async def test_another_method_is_refused(peer: Peer) -> None:
    draft = rest(peer)
    draft.method = "PUT"
    assert code(await draft.send()) == "server.serverproxy.invalid_http_method"
