"""Messages between servers, written: to the octet as the reference writes them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from xgate.errors import Fault
from xgate.wire.transport_write import MessageWriter


def test_the_example_of_a_rest_request_with_a_body() -> None:
    head = (
        b"POST\r\n/r1/DEV/COM/1234/TestService/mock1?a=1\r\n"
        b"X-Road-Client:DEV/COM/4321/TestClient\r\nContent-Type:application/json\r\n"
        b"x-road-request-id:00000000-0000-0000-0000-000000000001\r\nx-road-id:DEV-1\r\n"
    )
    writer = MessageWriter("ABC")
    written = b"".join(
        [
            writer.ocsp(b"<DER>"),
            writer.head("application/x-road-rest-request", (), head),
            writer.part_begin(),
            writer.part_data(b'{"test":true}'),
            writer.part_end(),
            writer.evidence(b"<signature/>", b"<result/>", b"<chain/>"),
            writer.close(),
        ]
    )
    assert written == (
        b"--xtopABC\r\ncontent-type: application/ocsp-response\r\n\r\n<DER>\r\n"
        b"--xtopABC\r\ncontent-type: application/x-road-rest-request\r\n\r\n"
        b"POST\r\n/r1/DEV/COM/1234/TestService/mock1?a=1\r\n"
        b"X-Road-Client:DEV/COM/4321/TestClient\r\nContent-Type:application/json\r\n"
        b"x-road-request-id:00000000-0000-0000-0000-000000000001\r\nx-road-id:DEV-1\r\n\r\n"
        b"--xtopABC\r\ncontent-type: application/x-road-rest-body\r\n\r\n"
        b'{"test":true}\r\n'
        b"--xtopABC\r\ncontent-type: application/hash-chain-result\r\n\r\n<result/>\r\n"
        b"--xtopABC\r\ncontent-type: application/hash-chain\r\n\r\n<chain/>\r\n"
        b"--xtopABC\r\ncontent-type: signature/bdoc-1.0/ts\r\n\r\n<signature/>\r\n"
        b"--xtopABC--\r\n"
    )


def test_soap_attachments_are_wrapped() -> None:
    writer = MessageWriter("T")
    written = b"".join(
        [
            writer.head("text/xml; charset=UTF-8", [("Content-ID", "<r>")], b"<e/>"),
            writer.part_begin("text/plain", [("X", "1")]),
            writer.part_data(memoryview(b"one")),
            writer.part_end(),
            writer.part_begin("application/x-road-rest-body", ()),
            writer.part_end(),
            writer.evidence(b"<s/>", None, None),
            writer.close(),
        ]
    )
    assert written == (
        b"--xtopT\r\ncontent-type: text/xml; charset=UTF-8\r\nContent-ID: <r>\r\n\r\n<e/>\r\n"
        b"--xtopT\r\ncontent-type: multipart/mixed; charset=UTF-8; boundary=xattT\r\n\r\n"
        b"\r\n--xattT\r\ncontent-type: text/plain\r\nX: 1\r\n\r\none"
        b"\r\n--xattT\r\ncontent-type: application/x-road-rest-body\r\n\r\n"
        b"\r\n--xattT--\r\n"
        b"\r\n--xtopT\r\ncontent-type: signature/bdoc-1.0/ts\r\n\r\n<s/>"
        b"\r\n--xtopT--\r\n"
    )


def test_a_fault_in_each_of_its_places() -> None:
    instead_of_the_message = MessageWriter("T")
    assert instead_of_the_message.fault(b"<f/>") + instead_of_the_message.close() == (
        b"--xtopT\r\ncontent-type: text/xml; charset=UTF-8\r\n\r\n<f/>\r\n--xtopT--\r\n"
    )
    instead_of_the_signature = MessageWriter("T")
    instead_of_the_signature.head("text/xml", (), b"<e/>")
    assert instead_of_the_signature.fault(b"<f/>") == (
        b"\r\n--xtopT\r\ncontent-type: text/xml; charset=UTF-8\r\n\r\n<f/>"
    )
    amid_an_attachment = MessageWriter("T")
    amid_an_attachment.head("text/xml", (), b"<e/>")
    amid_an_attachment.part_begin("a/b", ())
    assert amid_an_attachment.fault(b"<f/>") == (
        b"\r\n--xattT--\r\n\r\n--xtopT\r\ncontent-type: text/xml; charset=UTF-8\r\n\r\n<f/>"
    )
    amid_a_rest_body = MessageWriter("T")
    amid_a_rest_body.head("application/x-road-rest-response", (), b"")
    amid_a_rest_body.part_begin()
    assert amid_a_rest_body.fault(b"<f/>") == (
        b"\r\n--xtopT\r\ncontent-type: text/xml; charset=UTF-8\r\n\r\n<f/>"
    )


def test_a_message_that_ends_without_evidence_ends_regularly() -> None:
    writer = MessageWriter("T")
    writer.head("text/xml", (), b"<e/>")
    writer.part_begin("a/b", ())
    assert writer.close() == b"\r\n--xattT--\r\n\r\n--xtopT--\r\n"
    assert MessageWriter("T").close() == b"--xtopT--\r\n"


def test_a_header_can_not_break_out() -> None:
    with pytest.raises(Fault, match="mime_parsing_failed"):
        MessageWriter("T").head("text/xml\r\nX: y", (), b"")


ACTS: dict[str, Callable[[MessageWriter], object]] = {
    "ocsp": lambda w: w.ocsp(b""),
    "head": lambda w: w.head("application/x-road-rest-request", (), b""),
    "begin": lambda w: w.part_begin(),
    "data": lambda w: w.part_data(b"x"),
    "end": lambda w: w.part_end(),
    "evidence": lambda w: w.evidence(b"", None, None),
    "half": lambda w: w.evidence(b"", b"", None),
    "fault": lambda w: w.fault(b""),
    "close": lambda w: w.close(),
}


@pytest.mark.parametrize(
    "acts",
    [
        *("begin", "evidence", "head head", "head ocsp", "head end", "head data", "head half"),
        *("head begin begin", "head begin end begin", "head begin evidence"),
        *("head evidence fault", "fault evidence", "close close", "head evidence close ocsp"),
    ],
)
def test_out_of_order_is_a_mistake_of_the_caller(acts: str) -> None:
    writer = MessageWriter("T")
    *before, last = acts.split()
    for act in before:
        ACTS[act](writer)
    with pytest.raises(RuntimeError):
        ACTS[last](writer)
