"""What an operational record says of an exchange, by protocol, side and end."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from xgate.errors import Fault
from xgate.ids import ClientId, ServiceId
from xgate.opmonitor.record import OperationalRecord
from xgate.sandbox.messages import soap_request
from xgate.securityserver.note import Note
from xgate.securityserver.observation import observe
from xgate.serverconf.model import Endpoint, Protocol, Service
from xgate.testing.clock import FakeClock
from xgate.wire.rest import read_rest_call, write_rest_response
from xgate.wire.soap import SoapMessage, read_soap

CLIENT = ClientId("XG", "COM", "1", "app")
PROVIDER = ClientId("XG", "GOV", "2", "reg")
REST = read_rest_call(
    "GET",
    f"/r1/{PROVIDER.url}/people/people/7?secret=1",
    [
        ("X-Road-Client", CLIENT.url),
        ("X-Road-UserId", "EE1"),
        ("X-Road-Represented-Party", "COM/9"),
    ],
    request_id="uuid",
    fresh_id="XG-1",
)
PEOPLE = Service(
    ServiceId(PROVIDER, "people"),
    Protocol.REST,
    "http://h/",
    description="http://h/openapi",
    endpoints=(Endpoint("POST", "/people/*"), Endpoint("GET", "/people/*")),
)


def soap() -> SoapMessage:
    message = read_soap(soap_request(CLIENT, PROVIDER, "getX", "q", version="v1"), "text/xml")
    assert isinstance(message, SoapMessage)
    return message


def seen(note: Note, fault: Fault | None = None) -> OperationalRecord:
    record = observe(note, fault, "192.0.2.7", note.request_in)
    assert record is not None
    return record


def rest(side: str, status: int = 200) -> Note:
    note = Note("client" if side == "client" else "server", FakeClock())
    note.describe(REST, REST.request_id)
    note.answer = write_rest_response(REST, status, "", [], "hash")
    note.request_sizes, note.response_sizes = [100], [200, 3000]
    return note


@pytest.mark.parametrize("protocol", [None, "listClients", "asic"])
def test_what_is_no_message_has_no_record(protocol: str | None) -> None:
    note = Note("client", FakeClock())
    note.protocol = protocol
    assert observe(note, None, "", FakeClock().now()) is None


@pytest.mark.parametrize(
    ("side", "protocol", "status"),
    [("client", "SOAP", None), ("client", "REST", 400), ("server", None, None)],
)
def test_what_was_refused_before_it_said_who_it_is_from(
    side: str, protocol: str | None, status: int | None
) -> None:
    note = Note("client" if side == "client" else "server", FakeClock())
    note.protocol, note.client_address, note.service_address = protocol, "ss1", "ss2"
    record = seen(note, Fault("client.invalid_soap", "no"))
    assert (record.succeeded, record.fault_code) == (False, "client.invalid_soap")
    assert (record.request_in_ts, record.response_out_ts) == (record.response_out_ts,) * 2
    assert (record.client_security_server_address, record.service_security_server_address) == (
        "ss1",
        "ss2",
    )
    assert (record.client_member_code, record.message_id, record.request_size) == (None,) * 3
    assert (record.status_code, record.service_type) == (status, None)


def test_a_rest_exchange_at_the_client() -> None:
    note = rest("client")
    note.client_address, note.service_address = "ss1", "ss2"
    note.sent()
    note.heard()
    record = seen(note)
    assert (record.security_server_type, record.succeeded, record.status_code) == (
        "Client",
        True,
        200,
    )
    assert (record.client_subsystem_code, record.service_member_code) == ("app", "2")
    assert (record.rest_method, record.rest_path, record.service_type) == ("GET", None, None)
    assert (record.message_id, record.message_user_id, record.x_request_id) == (
        "XG-1",
        "EE1",
        "uuid",
    )
    assert (record.represented_party_class, record.represented_party_code) == ("COM", "9")
    assert (record.request_size, record.response_size) == (0, 3000)
    assert (record.request_attachment_count, record.response_mime_size) == (0, None)
    assert (record.client_security_server_address, record.service_security_server_address) == (
        "ss1",
        "ss2",
    )
    assert record.message_protocol_version == "1"
    assert "secret" not in repr(record)


def test_a_rest_exchange_at_the_provider_names_the_endpoint_not_the_path() -> None:
    note = rest("server")
    note.called = PEOPLE
    record = seen(note)
    assert record.security_server_type == "Producer"
    assert (record.rest_path, record.service_type) == ("/people/*", "OPENAPI3")


def test_what_was_refused_at_the_provider_has_the_kind_of_its_service() -> None:
    note = rest("server")
    assert seen(note, Fault("unknown_service", "no")).service_type == "REST"
    note.called = replace(PEOPLE, endpoints=())
    denied = seen(note, Fault("access_denied", "no"))
    assert (denied.service_type, denied.rest_path) == ("OPENAPI3", None)


@pytest.mark.parametrize("path", ["/%zz", "/%ff"])
def test_a_path_that_cannot_be_decoded_has_no_endpoint(path: str) -> None:
    note = rest("server")
    note.called = PEOPLE
    note.request = replace(REST, service_path=path)
    assert seen(note, Fault("internal_error", "no")).rest_path is None


@pytest.mark.parametrize(("status", "well"), [(200, True), (304, True), (404, False), (500, False)])
def test_a_rest_service_that_refuses_did_not_succeed(status: int, well: bool) -> None:
    assert seen(rest("server", status)).succeeded is well


def test_a_soap_exchange_with_attachments() -> None:
    note = Note("server", FakeClock())
    note.describe(soap(), "uuid")
    note.request_sizes, note.response_sizes = [100, 5, 7], [200]
    record = seen(note)
    assert (record.request_size, record.request_mime_size) == (100, 112)
    assert record.request_attachment_count == 2
    assert (record.response_size, record.response_mime_size) == (200, None)
    assert (record.service_version, record.message_protocol_version) == ("v1", "4.0")
    assert (record.status_code, record.rest_method) == (None, None)


def test_a_refusal_is_told_by_code_and_text() -> None:
    note = rest("client")
    note.answer, note.response_sizes = None, []
    record = seen(note, Fault("server.clientproxy.network_error", "x" * 5000))
    assert (record.succeeded, record.fault_code) == (False, "server.clientproxy.network_error")
    assert len(record.fault_string or "") == 2048
    assert (record.status_code, record.response_size) == (500, None)
    assert seen(rest("server"), Fault("any", "")).status_code is None
