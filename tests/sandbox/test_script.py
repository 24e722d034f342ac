"""A played server: right by itself, and wrong exactly where it is told to be."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import trio

from xgate.clock import SystemClock
from xgate.sandbox.country import CONSUMER, PROVIDER, found_country
from xgate.sandbox.draft import Draft, rest_draft, rest_head, soap_draft
from xgate.sandbox.messages import soap_request
from xgate.sandbox.peer import Peer, Piece
from xgate.sandbox.script import Script, stand_in

PATH = f"/r1/{PROVIDER.url}/people/x"


@asynccontextmanager
async def drafts(folder: Path) -> AsyncIterator[tuple[Script, Draft, Draft]]:
    """A played provider, and a good request in REST and in SOAP."""
    country = found_country(folder, datetime.now(UTC), kind="P-256")
    peer = Peer(country, country.consumer, SystemClock())
    rest = rest_draft(peer, rest_head("1", "POST", PATH), b"question")
    soap = soap_draft(peer, soap_request(CONSUMER, PROVIDER, "getRandom", "2"))
    async with stand_in(country) as script:
        yield script, rest, soap


async def test_by_itself_it_answers(tmp_path: Path) -> None:
    async with drafts(tmp_path) as (script, rest, soap):
        assert await rest.send() is None
        assert [piece.octets for piece in script.last][1] == b"{}"
        assert await soap.send() is None
        assert b"getRandomResponse" in script.last[0].octets


async def test_what_is_changed_is_what_is_told(tmp_path: Path) -> None:
    fault = (
        b'<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><e:Fault>'
        b"<faultcode>no</faultcode></e:Fault></e:Body></e:Envelope>"
    )
    async with drafts(tmp_path) as (script, rest, _):
        script.pieces = lambda pieces: [pieces[0], Piece("text/xml", fault)]
        told = await rest.send()
        assert told is not None
        assert told.code == "no"
        script.pieces = lambda pieces: pieces
        script.response = lambda octets: octets.replace(b"x-road-id:1", b"x-road-id:2")
        await rest.send()
        assert b"x-road-id:2" in script.last[0].octets


async def test_its_ports_are_free_again_after_it(tmp_path: Path) -> None:
    async with drafts(tmp_path) as (script, _, _):
        country = script.peer.country
    with trio.fail_after(5):
        async with stand_in(country, sign=country.consumer.sign) as script:
            assert script.peer.sign == country.consumer.sign
    assert msgspec.structs.asdict(country)["provider"] == country.provider
