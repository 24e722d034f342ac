"""The three extensions of the protocols: a security server that is meant, a token, a third party.

soap-protocol 2, rest-protocol 2: what a caller says there reaches the service as it was said, is in
the operational records of both servers, and an answer that says otherwise is none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.journeys.rows import added, assert_told, for_server, good, swapped

from xgate.opmonitor.record import OperationalRecord
from xgate.opmonitor.sqlite import SqliteOperationalStore
from xgate.sandbox.country import CONSUMER, PROVIDER
from xgate.sandbox.draft import rest_draft, rest_head
from xgate.sandbox.script import stand_in

if TYPE_CHECKING:
    from tests.journeys.conftest import Caller, Started, Starter

    from xgate.sandbox.peer import Peer

PARTY = (
    '<r:representedParty xmlns:r="http://x-road.eu/xsd/representation.xsd">'
    "<r:partyClass>COM</r:partyClass><r:partyCode>Ä 5</r:partyCode></r:representedParty>"
)
TOKEN = (
    '<t:securityToken xmlns:t="http://x-road.eu/xsd/security-token.xsd" '
    'tokenType="urn:ietf:params:oauth:token-type:jwt">eyJ0.eyJz.c2ln</t:securityToken>'
)
ISSUE = "<xrd:issue>paper 7</xrd:issue>"


def extended(query: str) -> bytes:
    octets = for_server("GOV/200", "PROVIDER")(good(query))
    return added(PARTY + TOKEN * 2 + ISSUE)(octets)


def records(started: Started) -> list[OperationalRecord]:
    """One of each side, once they have ended."""
    found = []
    for place in started.running.country.places:
        store = SqliteOperationalStore(place.folder / "opmonitor.sqlite")
        (stored,) = store.find(0, 1 << 40)
        found.append(stored.record)
        store.close()
    return found


async def test_a_soap_message_carries_them_there_and_back(start: Starter) -> None:
    sent = extended("more-1")
    async with start() as started:
        reply = await started.caller.post(sent)
        _, _, _, body = started.desk.seen[-1]
        mine, theirs = started.caller.records("more-1")
        await started.caller.prove("more-1")

    assert reply.code == ""
    assert body == sent
    assert [logged[0].record.message for logged in (mine, theirs)] == [sent, sent]
    assert reply.body.count(TOKEN.encode()) == 2
    assert PARTY.encode() in reply.body
    for record in records(started):
        assert (record.represented_party_class, record.represented_party_code) == ("COM", "Ä 5")
        assert (record.message_issue, record.message_user_id) == ("paper 7", "XG12345")
        assert record.succeeded


async def test_a_rest_message_carries_them_to_the_service(start: Starter) -> None:
    headers = [
        ("X-Road-Security-Server", "XG/GOV/200/PROVIDER"),
        ("X-Road-Represented-Party", "COM/%C3%84%205"),
        ("X-Road-UserId", "XG12345"),
        ("X-Road-Issue", "paper 7"),
        ("Authorization", "Bearer eyJ0.eyJz.c2ln"),
        ("X-Road-Id", "more-2"),
    ]
    async with start() as started:
        reply = await started.caller.rest("GET", "/echo", headers)
        _, _, got, _ = started.desk.seen[-1]
        await started.caller.prove("more-2")
        logged = started.caller.records("more-2")[1][0].record.message.decode()

    assert reply.status == 200
    assert [pair for pair in got if pair in headers] == headers
    assert all(f"\r\n{name}:{value}\r\n" in logged for name, value in headers)
    for record in records(started):
        assert (record.represented_party_class, record.represented_party_code) == ("COM", "Ä 5")
        assert (record.message_issue, record.message_user_id) == ("paper 7", "XG12345")
        assert "Bearer" not in repr(record)


async def test_without_bodies_in_the_log_no_token_is_in_it(start: Starter) -> None:
    changes = {"max-body-bytes = 16777216\n": "max-body-bytes = 16777216\nbody-logging = false\n"}
    async with start(changes=changes) as started:
        reply = await started.caller.post(extended("more-3"))
        await started.caller.rest(
            "GET", "/echo", [("Authorization", "Bearer secret"), ("X-Road-Id", "more-4")]
        )
        logged = [
            record.record.message
            for query in ("more-3", "more-4")
            for side in started.caller.records(query)
            for record in side
        ]

    assert (reply.code, len(logged)) == ("", 8)
    assert all(b"eyJ0" not in message and b"Bearer" not in message for message in logged)
    assert sum(">Ä 5<".encode() in message for message in logged) == 4


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (">Ä 5<", ">Ä 6<"),
        ("<r:partyClass>COM</r:partyClass>", ""),
        (">paper 7<", "><"),
        (">XG12345<", "><"),
    ],
)
async def test_an_answer_that_says_otherwise_is_none(lonely: Caller, old: str, new: str) -> None:
    async with stand_in(lonely.country) as script:
        script.response = swapped(old, new)
        reply = await lonely.post(extended("other-1"))

    text = "Response from server proxy is not consistent with request"
    assert_told(reply, "server.clientproxy.service_failed.inconsistent_response", text)


async def test_an_answer_need_not_repeat_which_server_and_token(lonely: Caller) -> None:
    async with stand_in(lonely.country) as script:
        script.response = lambda octets: swapped(TOKEN * 2, "")(
            swapped(">PROVIDER<", ">OTHER<")(octets)
        )
        reply = await lonely.post(extended("other-2"))

    assert reply.code == ""


async def test_in_rest_the_provider_does_not_ask_whether_it_is_meant(
    caller: Caller, peer: Peer
) -> None:
    other = ("X-Road-Security-Server", "XG/GOV/200/OTHER")
    head = rest_head("other-3", "GET", f"/r1/{PROVIDER.url}/echo", other)

    assert CONSUMER.url.encode() in head
    assert await rest_draft(peer, head).send() is None
    assert caller.counts("other-3") == [0, 2]
