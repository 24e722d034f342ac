"""Each exchange has an operational record on both sides, also one that failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xgate.opmonitor.record import OperationalRecord
from xgate.opmonitor.sqlite import SqliteOperationalStore

if TYPE_CHECKING:
    from tests.journeys.conftest import Started, Starter


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
    assert [r.service_type for r in producer] == ["REST", "WSDL", None]
