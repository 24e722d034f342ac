"""A whole exchange between two servers through the one door, without sockets."""

from __future__ import annotations

from xgate.errors import Fault
from xgate.wire.faults import read_soap_fault, write_soap_fault
from xgate.wire.transport import (
    REST_REQUEST,
    FaultHead,
    Head,
    MessageReader,
    MessageWriter,
    Signature,
    TransportHead,
    read_request_head,
    read_response_head,
    write_fault_head,
    write_request_head,
)


def test_a_request_there_and_a_fault_back() -> None:
    # The client proxy writes.
    writer = MessageWriter("Q" * 30)
    http = write_request_head(
        "REST",
        boundary=writer.boundary,
        original_content_type="",
        soap_action="",
        request_id="r-1",
    )
    octets = [
        writer.head(REST_REQUEST, (), b"GET\r\n/r1/a\r\n"),
        writer.evidence(b"<s/>", None, None),
        writer.close(),
    ]
    # The server proxy reads.
    head = read_request_head("POST", http, minimum_version="7.6.0")
    reader = MessageReader(head.boundary, sender="client", protocol=head.protocol)
    events = [event for piece in octets for event in reader.feed(piece)]
    assert [*events, *reader.finish()] == [
        Head(REST_REQUEST, (), b"GET\r\n/r1/a\r\n"),
        Signature(b"<s/>"),
    ]
    # It refuses, and the client proxy hands on what it says.
    body = write_soap_fault(Fault("server.serverproxy.access_denied", "no", detail="id"))
    answer = read_response_head(200, "OK", write_fault_head(), protocol="REST")
    assert isinstance(answer, FaultHead)
    assert not isinstance(answer, TransportHead)
    fault = read_soap_fault(body)
    assert write_soap_fault(fault.under("server.clientproxy")) == body
