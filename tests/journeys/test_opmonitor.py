"""Each exchange has an operational record on both sides, also one that failed, wherever it did."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xgate.clock import SystemClock
from xgate.opmonitor.record import OperationalRecord
from xgate.opmonitor.sqlite import SqliteOperationalStore
from xgate.sandbox.country import PROVIDER
from xgate.sandbox.draft import REQUEST_ID
from xgate.sandbox.peer import Peer
from xgate.wire.transport import write_request_head

if TYPE_CHECKING:
    from tests.journeys.conftest import Started, Starter


REST_HEAD = write_request_head(
    "REST", boundary="b", original_content_type="", soap_action="", request_id=REQUEST_ID
)


def records(started: Started) -> list[list[OperationalRecord]]:
    """What both sides have stored, once they have ended."""
    found = []
    for place in started.running.country.places:
        store = SqliteOperationalStore(place.folder / "opmonitor.sqlite")
        found.append([stored.record for stored in store.find(0, 1 << 40)])
        store.close()
    return found


async def test_both_sides_keep_a_record_of_each_exchange(start: Starter) -> None:
    async with start() as started:
        rest = await started.caller.rest("POST", "/echo?x=1", body=b"12345")
        await started.caller.soap("tell", "op-soap", [("text/plain", b"abc")])
        await started.caller.rest("GET", "/", service="secret")
        await started.caller.send("GET", "/listClients")

    client, producer = records(started)
    assert [(r.security_server_type, r.succeeded) for r in client] == [
        ("Client", True),
        ("Client", True),
        ("Client", False),
    ]
    assert [r.security_server_type for r in producer] == ["Producer"] * 3
    for mine, theirs in zip(client, producer, strict=True):
        assert mine.x_request_id == theirs.x_request_id or mine.rest_method is None
        assert mine.message_id == theirs.message_id
        assert mine.client_security_server_address == theirs.client_security_server_address
        assert mine.service_security_server_address == theirs.service_security_server_address
        assert mine.request_in_ts <= (mine.request_out_ts or 0) <= mine.response_out_ts
        assert theirs.request_in_ts <= theirs.response_out_ts
    assert client[0].message_id == rest.id
    assert (client[0].request_size, producer[0].response_size) == (5, 5)
    assert (producer[1].request_attachment_count, client[1].request_attachment_count) == (1, 1)
    assert client[2].fault_code == "server.serverproxy.access_denied"
    assert (client[2].status_code, producer[2].status_code) == (500, None)
    assert [r.service_type for r in producer] == ["REST", "WSDL", "REST"]


async def test_what_was_refused_before_it_was_known_has_a_record_too(start: Starter) -> None:
    async with start() as started:
        place = started.running.country.provider
        peer = Peer(started.running.country, started.running.country.consumer, SystemClock())
        await started.caller.post(b"<no-soap/>")
        await started.caller.send("GET", f"/r1/{PROVIDER.url}/rest/x")  # from nobody
        assert (await started.caller.send("GET", "/%zz")).status == 400
        heard = await peer.ask(place, REST_HEAD, b"garbage")
        assert heard.fault("REST") is not None
        await peer.ask(place, (), b"", method="GET")
        addresses = (started.running.country.consumer.address, place.address)

    client, producer = records(started)
    assert [(r.fault_code, r.status_code) for r in client] == [
        ("client.invalid_soap", None),
        ("server.clientproxy.invalid_client_identifier", 500),
    ]
    assert [(r.fault_code, r.x_request_id) for r in producer] == [
        ("server.serverproxy.internal_error", REQUEST_ID),
        ("server.serverproxy.invalid_http_method", None),
    ]
    assert producer[0].fault_string == "Request does not have REST message"
    assert {r.client_security_server_address for r in (*client, *producer)} == {addresses[0]}
    assert [r.service_security_server_address for r in (*client, *producer)] == [
        *(None, None),
        *(addresses[1], addresses[1]),
    ]
    for record in (*client, *producer):
        assert not record.succeeded
        assert record.request_in_ts <= record.response_out_ts
        assert (record.client_member_code, record.message_id, record.service_type) == (None,) * 3


async def test_a_service_that_answers_with_a_fault_has_answered(start: Starter) -> None:
    async with start() as started:
        await started.caller.soap("faulty", "op-fault")
        await started.caller.soap("teapot", "op-teapot")
        await started.caller.soap("down", "op-down")

    _, producer = records(started)
    assert not any(record.succeeded for record in producer)
    assert [record.response_in_ts is not None for record in producer] == [True, True, False]
    assert all(record.request_out_ts is not None for record in producer)


async def test_a_provider_that_cannot_be_reached_has_an_address(start: Starter) -> None:
    async with start() as started:
        started.drains[1].start()
        await started.running.provider.wait("stopped")
        reply = await started.caller.rest("GET", "/x")
        assert reply.code == "server.clientproxy.network_error"
        address = started.running.country.provider.address

    (record,), _ = records(started)
    assert (record.service_security_server_address, record.response_in_ts) == (address, None)
