"""Whole exchanges with the message log in other forms: without bodies, encrypted, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import trio

from xgate.messagelog.evidence import write_evidence
from xgate.messagelog.record import LoggedRecord
from xgate.sandbox.country import CONSUMER, PROVIDER, Country, Place
from xgate.securityserver.log_store import open_log
from xgate.securityserver.settings import load_settings
from xgate.testing.postgres import Cluster
from xgate.trust.verify import verify_container

if TYPE_CHECKING:
    from tests.journeys.conftest import Caller, Starter

Found = Callable[..., Country]
BODY = b"a body that is in clear"
_TIMESTAMPING = "[messagelog.timestamping]"


def records(place: Place, query_id: str, number: int = 2) -> list[LoggedRecord]:
    """What the place's own settings find, as ``xgate log`` would."""
    log = open_log(load_settings(place.settings).messagelog, place.folder, read_only=True)
    found = list(log.find(query_id=query_id))
    log.close()
    assert len(found) == number
    return found


async def stamped(place: Place, query_id: str, number: int = 2) -> list[LoggedRecord]:
    with trio.fail_after(10):
        while True:
            found = records(place, query_id, number)
            if all(logged.stamp for logged in found):
                return found
            await trio.sleep(0.05)


async def exchange(caller: Caller) -> None:
    reply = await caller.rest(
        "POST", "/way?name=clear", [("X-Road-Id", "rest-1")], BODY, service="echo"
    )
    assert reply.status == 200
    reply = await caller.soap("tell", "soap-1", content="<a>in clear</a>")
    assert (reply.status, reply.code) == (200, "")


async def test_without_bodies_the_parties_are_kept_and_the_record_says_so(start: Starter) -> None:
    changes = {"[messagelog]\n": "[messagelog]\nbody-logging = false\n"}
    async with start(changes=changes) as started:
        await exchange(started.caller)
        for place in started.caller.country.places:
            for query_id in ("rest-1", "soap-1"):
                asked, answered = await stamped(place, query_id)
                assert (asked.record.response, answered.record.response) == (False, True)
                for logged in (asked, answered):
                    record = logged.record
                    assert not record.complete
                    assert b"clear" not in record.message
                    assert set(record.attachments) <= {None}
                    assert record.client == CONSUMER
                    assert record.service.startswith(PROVIDER.short)
        for file in started.caller.country.provider.folder.glob("messagelog.sqlite*"):
            assert b"in clear" not in file.read_bytes()


async def test_one_provider_may_be_left_out_on_both_sides(start: Starter) -> None:
    section = f'[[messagelog.bodies]]\nsubsystem = "{PROVIDER.short}"\nlog = false\n\n'
    async with start(changes={_TIMESTAMPING: section + _TIMESTAMPING}) as started:
        await exchange(started.caller)
        for place in started.caller.country.places:
            assert not any(logged.record.complete for logged in records(place, "rest-1"))


async def test_a_body_that_is_cut_no_longer_refuses_the_message(start: Starter) -> None:
    changes = {"max-body-bytes = ": "truncate-bodies = true\nmax-body-bytes = 6 #"}
    async with start(changes=changes) as started:
        await exchange(started.caller)
        for place in started.caller.country.places:
            asked = records(place, "rest-1")[0].record
            assert (asked.attachments, asked.complete) == ((BODY[:6],), False)
            assert records(place, "soap-1")[0].record.complete


async def test_encrypted_at_rest_the_evidence_is_whole(start: Starter, found: Found) -> None:
    country = found(
        {_TIMESTAMPING: f'[messagelog.encryption]\ncurrent = "k"\nkeys.k = "k"\n\n{_TIMESTAMPING}'}
    )
    for place in country.places:
        key = place.folder / "k"
        key.write_bytes(place.name.encode() * 32)
        key.chmod(0o600)
    async with start(country) as started:
        await exchange(started.caller)
        for place in country.places:
            for query_id in ("rest-1", "soap-1"):
                for logged in await stamped(place, query_id):
                    assert (logged.record.key_id, logged.record.complete) == ("k", True)
                    prove(started.caller, logged)
            for file in place.folder.glob("messagelog.sqlite*"):
                assert b"in clear" not in file.read_bytes()


async def test_both_servers_may_share_one_postgres(
    start: Starter, found: Found, postgres: Cluster
) -> None:
    """As the nodes of one server do: a signature that both log is there once."""
    conninfo = postgres.empty_database()
    country = found(
        {
            "[messagelog]\n": '[messagelog]\nuse = "postgres"\n',
            _TIMESTAMPING: f'[messagelog.postgres]\nconninfo = "{conninfo}"\n\n{_TIMESTAMPING}',
        }
    )
    async with start(country) as started:
        await exchange(started.caller)
        for query_id in ("rest-1", "soap-1"):
            logged = await stamped(country.consumer, query_id, 4)
            assert {one.record.owner for one in logged} == {CONSUMER, PROVIDER}
            for one in logged:
                prove(started.caller, one)


async def test_when_postgres_is_gone_messages_are_refused_and_go_on_when_it_is_back(
    start: Starter, found: Found, postgres: Cluster
) -> None:
    conninfo = postgres.empty_database()
    section = f'[messagelog.postgres]\nconninfo = "{conninfo}"\n\n{_TIMESTAMPING}'
    country = found({"[messagelog]\n": '[messagelog]\nuse = "postgres"\n', _TIMESTAMPING: section})
    async with start(country) as started:
        caller = started.caller
        assert (await caller.soap("tell", "before")).code == ""
        await trio.to_thread.run_sync(postgres.stop)
        try:
            refused = await caller.soap("tell", "gone")
            assert refused.code == "server.clientproxy.logging_failed.database_error"
            assert refused.text == "The message could not be logged"
            line = await started.running.consumer.wait("exchange", id="gone")
            assert str(line["cause"]).startswith("The message log: connection")
        finally:
            await trio.to_thread.run_sync(postgres.start)
        assert (await caller.soap("tell", "after")).code == ""
        assert len(records(country.consumer, "gone", 0)) == 0
        assert len(records(country.consumer, "after", 4)) == 4


def prove(caller: Caller, logged: LoggedRecord) -> None:
    _, octets = write_evidence(logged)
    verify_container(caller._trust, octets)
