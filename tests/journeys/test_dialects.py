"""Fault codes as servers before 7.8 spell them, where the settings say so.

Our own codes are spelled by the settings; what came from elsewhere is told as it came. The statuses
of REST stay: both spellings of ``server.`` are a server's fault (soap-protocol 8 and trap 1,
rest-protocol trap 8).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.journeys.rows import swapped

if TYPE_CHECKING:
    from tests.journeys.conftest import Starter

from tests.journeys.rows import good

from xgate.ids import ClientId

GHOST = ClientId("XG", "COM", "100", "ghost")
DENIED = "Server.ServerProxy.AccessDenied"


def faults(text: str) -> dict[str, str]:
    return {"[messagelog.timestamping]": f"[faults]\n{text}\n\n[messagelog.timestamping]"}


async def test_information_systems_may_be_told_the_old_codes(start: Starter) -> None:
    async with start(changes=faults('to-callers = "old"')) as started:
        caller = started.caller
        replies = [
            await caller.post(swapped(">4.0<", ">3.0<")(good())),
            await caller.soap("tell", "old-1", client=GHOST),
            await caller.rest("GET", "/echo", client=GHOST),
            await caller.send("GET", "/listClients?xRoadInstance=ZZ"),
            await caller.rest("GET", "/", service="secret"),  # of the other server
        ]

    assert [(reply.status, reply.code) for reply in replies] == [
        (200, "Client.InvalidProtocolVersion"),
        (200, "Server.ClientProxy.UnknownMember"),
        (500, "Server.ClientProxy.UnknownMember"),
        (200, "Server.ClientProxy.InternalError"),
        (500, "server.serverproxy.access_denied"),
    ]
    assert b'"type":"Server.ClientProxy.UnknownMember"' in replies[2].body


async def test_servers_may_be_told_the_old_codes(start: Starter) -> None:
    async with start(changes=faults('to-peers = "old"')) as started:
        caller = started.caller
        rest = await caller.rest("GET", "/", service="secret")
        soap = await caller.soap("hidden", "old-2")
        own = await caller.rest("GET", "/echo", client=GHOST)
        cut = await caller.rest("GET", "/cut")  # a fault part, after the head

    assert [(reply.status, reply.code) for reply in (rest, soap)] == [(500, DENIED), (200, DENIED)]
    assert own.code == "server.clientproxy.unknown_member"
    assert cut.code == "Server.ServerProxy.IOError"


async def test_servers_of_now_are_told_the_codes_of_now(start: Starter) -> None:
    async with start(changes=faults('to-peers = "theirs"')) as started:
        reply = await started.caller.rest("GET", "/", service="secret")

    assert reply.code == "server.serverproxy.access_denied"
