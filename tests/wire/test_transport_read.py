"""Messages between servers, read: the reference's own, every order, every limit, every cut."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xgate.errors import Fault
from xgate.wire.faults import write_soap_fault
from xgate.wire.mime import PartData, PartEnd
from xgate.wire.parts import Head, PartBegin, Protocol
from xgate.wire.transport_parts import (
    Chain,
    ChainResult,
    Event,
    FaultPart,
    Ocsp,
    Sender,
    Signature,
    TransportLimits,
)
from xgate.wire.transport_read import MessageReader
from xgate.wire.transport_write import MessageWriter
from xgate.wire.xml import Bounds

FAULT = write_soap_fault(Fault("server.serverproxy.access_denied", "no", detail="id"))
DER = b"\x30\x03\x0a\x01\x00"
T = "x" * 30


def read(
    chunks: Iterable[bytes],
    sender: Sender = "client",
    protocol: Protocol = "SOAP",
    limits: TransportLimits | None = None,
    boundary: str = "xtop" + T,
) -> tuple[list[Event], str]:
    """The events, data joined, and the fault that came after them."""
    reader = MessageReader(boundary, sender=sender, protocol=protocol, limits=limits)
    events: list[Event] = []
    fault = ""
    try:
        for chunk in chunks:
            events += reader.feed(chunk)
        events += reader.finish()
    except Fault as refused:
        fault = str(refused)
    return joined(events), fault


def joined(events: list[Event]) -> list[Event]:
    result: list[Event] = []
    for event in events:
        if isinstance(event, PartData):
            last = result[-1]
            if isinstance(last, PartData):
                result[-1] = PartData(bytes(last.data) + event.data)
                continue
            result.append(PartData(bytes(event.data)))
        else:
            result.append(event)
    return result


def kinds(events: list[Event]) -> str:
    return " ".join(type(event).__name__ for event in events)


@pytest.mark.reference
@pytest.mark.parametrize(
    ("file", "expected", "fault"),
    [
        ("normal.request", "Head Signature", ""),
        ("attachment.request", "Head PartBegin PartData PartEnd Signature", ""),
        ("ocsp.request", "Ocsp Head Signature", ""),
        ("fault-signature.request", "Head FaultPart", "missing_signature"),
        ("extracontent.request", "Head Signature", "service_failed.invalid_message"),
        ("invalid-ocsp.request", "", "service_failed.io_error"),
    ],
)
def test_the_references_messages(golden: Path, file: str, expected: str, fault: str) -> None:
    data = (golden / "messages/proxy" / file).read_bytes()
    boundary = data[2 : data.index(b"\n")].strip().decode()
    events, refused = read([data], boundary=boundary)
    assert (kinds(events), refused.partition(":")[0]) == (expected, fault)
    again, refused_again = read([data[i : i + 1] for i in range(len(data))], boundary=boundary)
    assert (repr(again), refused_again) == (repr(events), refused)


@pytest.mark.reference
def test_what_the_references_messages_hold(golden: Path) -> None:
    folder = golden / "messages/proxy"
    data = (folder / "attachment.request").read_bytes()
    events, _ = read([data], boundary="xtop569125687hcu8vfma")
    assert events[1:4] == [PartBegin(1, "text/plain", ()), PartData(b"blaah"), PartEnd()]
    data = (folder / "fault-signature.request").read_bytes()
    events, fault = read([data], sender="server", boundary="xtop1357783211hcn1yiro")
    assert fault == ""
    assert isinstance(events[1], FaultPart)
    assert (events[1].fault.code, events[1].fault.detail) == ("CODE", "DETAIL")


@pytest.mark.reference
@pytest.mark.parametrize(("sender", "whole"), [("client", "Request"), ("server", "Response")])
def test_the_references_message_without_a_signature(
    golden: Path, sender: Sender, whole: str
) -> None:
    data = (golden / "messages/proxy/no-signature.query").read_bytes()
    _, fault = read([data], sender=sender, boundary="jetty42534330h7vzfqv2")
    assert fault == f"missing_signature: {whole} does not have signature"


@pytest.mark.reference
def test_the_references_rest_exchange(golden: Path) -> None:
    folder = golden / "messages/rest"
    sides: tuple[tuple[Sender, str], ...] = (("client", "request"), ("server", "response"))
    for sender, kind in sides:
        head = (folder / f"{kind}-message.bin").read_bytes()
        body = (folder / f"{kind}-body.bin").read_bytes()
        writer = MessageWriter(T)
        data = writer.head(f"application/x-road-rest-{kind}", (), head) + writer.part_begin() + body
        data += writer.part_end() + writer.evidence(b"<s/>", b"<r/>", b"<c/>") + writer.close()
        events, fault = read([data], sender, "REST")
        assert fault == ""
        assert events == [
            Head(f"application/x-road-rest-{kind}", (), head),
            PartBegin(1, "application/x-road-rest-body", ()),
            *([PartData(body)] if body else []),
            PartEnd(),
            ChainResult(b"<r/>"),
            Chain(b"<c/>"),
            Signature(b"<s/>"),
        ]


def part(content_type: str, body: bytes = b"", *, top: str = "xtop" + T) -> bytes:
    field = f"Content-Type: {content_type}\r\n" if content_type else ""
    return f"--{top}\r\n{field}\r\n".encode() + body + b"\r\n"


END = f"--xtop{T}--\r\n".encode()
OCSP = part("application/ocsp-response", DER)
SOAP = part("text/xml; charset=UTF-8", b"<e/>")
XOP = part("Application/XOP+xml", b"<e/>")
REST = part("application/x-road-rest-request", b"GET\r\n/\r\n")
REST_ANSWER = part("application/x-road-rest-response", b"200\r\nOK\r\n")
BODY = part("application/x-road-rest-body", b"body")
NESTED = part(
    "multipart/mixed; boundary=in",
    b"\r\n--in\r\nContent-Type: a/b\r\nX: 1\r\n\r\none"
    b"\r\n--in\r\ncontent-type: c/d\r\n\r\n\r\n--in--\r\n",
)
RESULT = part("application/hash-chain-result", b"<r/>")
CHAIN = part("application/hash-chain", b"<c/>")
SIGNATURE = part("signature/bdoc-1.0/ts", b"<s/>")
FAULT_PART = part("text/xml", FAULT)

ATTACHMENTS = "PartBegin PartData PartEnd PartBegin PartEnd"
BODY_EVENTS = "PartBegin PartData PartEnd"


@pytest.mark.parametrize(
    ("sender", "protocol", "parts", "expected", "fault"),
    [
        ("client", "SOAP", [OCSP, OCSP, SOAP, SIGNATURE], "Ocsp Ocsp Head Signature", ""),
        ("client", "SOAP", [XOP, SIGNATURE], "Head Signature", ""),
        ("client", "SOAP", [SOAP, NESTED, SIGNATURE], f"Head {ATTACHMENTS} Signature", ""),
        (
            "client",
            "SOAP",
            [OCSP, SOAP, NESTED, RESULT, CHAIN, SIGNATURE],
            f"Ocsp Head {ATTACHMENTS} ChainResult Chain Signature",
            "",
        ),
        (
            "server",
            "SOAP",
            [SOAP, RESULT, CHAIN, SIGNATURE],
            "Head ChainResult Chain Signature",
            "",
        ),
        ("client", "REST", [OCSP, REST, SIGNATURE], "Ocsp Head Signature", ""),
        ("server", "REST", [REST_ANSWER, BODY, SIGNATURE], f"Head {BODY_EVENTS} Signature", ""),
        # A fault in each of its three places; the first of them is a head for SOAP.
        ("server", "REST", [FAULT_PART], "FaultPart", ""),
        ("server", "SOAP", [SOAP, FAULT_PART], "Head FaultPart", ""),
        ("server", "SOAP", [SOAP, NESTED, FAULT_PART], f"Head {ATTACHMENTS} FaultPart", ""),
        ("server", "REST", [REST_ANSWER, BODY, FAULT_PART], f"Head {BODY_EVENTS} FaultPart", ""),
        # A client's fault is none.
        ("client", "SOAP", [SOAP, FAULT_PART], "Head FaultPart", "missing_signature"),
        ("client", "REST", [FAULT_PART], "", "service_failed.invalid_content_type"),
        # Missing parts.
        ("client", "SOAP", [], "", "missing_soap: Request does not have SOAP message"),
        ("server", "SOAP", [], "", "missing_soap: Response does not have SOAP message"),
        ("client", "REST", [OCSP], "Ocsp", "internal_error"),
        ("server", "REST", [], "", "missing_rest: Response does not have REST message"),
        ("client", "REST", [REST, BODY], f"Head {BODY_EVENTS}", "missing_signature"),
        ("server", "SOAP", [SOAP, RESULT, CHAIN], "Head ChainResult Chain", "missing_signature"),
        # Wrong parts, or in the wrong place.
        (
            "client",
            "SOAP",
            [SIGNATURE],
            "",
            "service_failed.invalid_content_type: Invalid content "
            "type for SOAP message: signature/bdoc-1.0/ts",
        ),
        (
            "client",
            "SOAP",
            [part("")],
            "",
            "service_failed.invalid_content_type: Invalid content "
            "type for SOAP message: text/plain",
        ),
        ("client", "SOAP", [REST], "", "service_failed.invalid_content_type"),
        ("client", "REST", [SOAP], "", "service_failed.invalid_content_type"),
        ("client", "REST", [REST_ANSWER], "", "service_failed.invalid_content_type"),
        ("server", "SOAP", [OCSP], "", "service_failed.invalid_content_type"),
        (
            "client",
            "SOAP",
            [SOAP, OCSP],
            "Head",
            "service_failed.invalid_content_type: Received "
            "invalid content type instead of signature: application/ocsp-response",
        ),
        ("client", "SOAP", [SOAP, BODY], "Head", "service_failed.invalid_content_type"),
        ("client", "REST", [REST, NESTED], "Head", "service_failed.invalid_content_type"),
        (
            "client",
            "REST",
            [REST, BODY, BODY],
            f"Head {BODY_EVENTS}",
            "service_failed.invalid_content_type",
        ),
        ("client", "SOAP", [SOAP, CHAIN], "Head", "service_failed.invalid_content_type"),
        (
            "client",
            "SOAP",
            [SOAP, RESULT, SIGNATURE],
            "Head ChainResult",
            "service_failed.invalid_message",
        ),
        (
            "client",
            "SOAP",
            [SOAP, SIGNATURE, SIGNATURE],
            "Head Signature",
            "service_failed.invalid_message: Extra content (signature/bdoc-1.0/ts) after signature",
        ),
        ("server", "REST", [FAULT_PART, SIGNATURE], "FaultPart", "service_failed.invalid_message"),
        # What is in a part.
        (
            "client",
            "SOAP",
            [part("application/ocsp-response", b"\x30\x04\x0a\x01\x00")],
            "",
            "service_failed.io_error",
        ),
        (
            "server",
            "SOAP",
            [SOAP, part("text/xml", b"<e/>")],
            "Head",
            "service_failed.invalid_content_type: Received invalid content type instead of",
        ),
        ("server", "SOAP", [SOAP, part("text/xml", b"<e")], "Head", "service_failed.invalid_soap"),
        (
            "client",
            "SOAP",
            [SOAP, part("multipart/mixed", b"")],
            "Head",
            "service_failed.invalid_content_type: Multipart content type is missing required",
        ),
        (
            "client",
            "SOAP",
            [SOAP, part("multipart/mixed; boundary=in", b"--in\r\n\r\nx\r\n--in--")],
            "Head",
            "service_failed.invalid_content_type: Could not get content type for part",
        ),
        (
            "client",
            "SOAP",
            [SOAP, part("multipart/mixed; boundary=in", b"--in\r\nA: " + b"x" * 1000)],
            "Head",
            "mime_parsing_failed",
        ),
        (
            "client",
            "SOAP",
            [SOAP, b"--xtop" + T.encode() + b"\r\nA:1\r\n" + b"B:2\r\n" * 1001],
            "Head",
            "internal_error",
        ),
    ],
)
def test_orders(
    sender: Sender, protocol: Protocol, parts: list[bytes], expected: str, fault: str
) -> None:
    data = b"".join([*parts, END])
    events, refused = read([data], sender, protocol)
    assert kinds(events) == expected
    assert refused.startswith(fault)
    assert bool(refused) == bool(fault)


def test_contents() -> None:
    events, _ = read([SOAP + NESTED + RESULT + CHAIN + SIGNATURE + END])
    assert events == [
        Head("text/xml; charset=UTF-8", (), b"<e/>"),
        PartBegin(1, "a/b", (("X", "1"),)),
        PartData(b"one"),
        PartEnd(),
        PartBegin(2, "c/d", ()),
        PartEnd(),
        ChainResult(b"<r/>"),
        Chain(b"<c/>"),
        Signature(b"<s/>"),
    ]


@pytest.mark.parametrize("cut", [SOAP[:-2], SOAP[:-6], SOAP + NESTED[:90]])
def test_a_cut_message_misses_what_it_misses(cut: bytes) -> None:
    assert read([cut])[1].startswith("missing_signature")


def test_after_a_fault_the_stream_may_simply_end() -> None:
    cut = part("text/xml", FAULT).removesuffix(b"\r\n")
    for protocol in ("SOAP", "REST"):
        assert read([cut], "server", protocol)[1] == ""
    assert read([cut], "client", "SOAP")[1].startswith("missing_signature")


def test_whether_the_message_was_closed_can_be_asked() -> None:
    reader = MessageReader("xtop" + T, sender="client", protocol="SOAP")
    reader.feed(SOAP + SIGNATURE)
    reader.finish()
    assert not reader.complete
    reader = MessageReader("xtop" + T, sender="client", protocol="SOAP")
    reader.feed(SOAP + SIGNATURE + END)
    reader.finish()
    assert reader.complete


SMALL = TransportLimits(
    head=4, ocsp=5, ocsp_count=1, chain_result=4, chain=4, signature=4, fault=4, attachments=1
)


@pytest.mark.parametrize(
    ("parts", "fault"),
    [
        ([OCSP, SOAP, RESULT, CHAIN, SIGNATURE], ""),
        ([part("text/xml", b"<e />")], "The head part is larger than 4 bytes"),
        ([part("application/ocsp-response", DER + b"x")], "The ocsp part is larger"),
        ([OCSP, OCSP], "There are more than 1 OCSP responses"),
        ([SOAP, part("application/hash-chain-result", b"<r />")], "The chain_result part"),
        ([SOAP, RESULT, part("application/hash-chain", b"<r />")], "The chain part is larger"),
        ([SOAP, part("signature/bdoc-1.0/ts", b"<r />")], "The signature part is larger"),
        ([SOAP, FAULT_PART], "The fault part is larger"),
        ([SOAP, NESTED], "There are more than 1 attachments"),
    ],
)
def test_limits(parts: list[bytes], fault: str) -> None:
    _, refused = read([b"".join([*parts, END])], limits=SMALL)
    assert refused.startswith(f"service_failed.invalid_message: {fault}" if fault else "")
    assert bool(refused) == bool(fault)


def test_a_rest_head_has_a_limit_of_its_own() -> None:
    octets = b"GET\r\n/\r\n"
    small = TransportLimits(head=4, rest_head=len(octets))
    reader = MessageReader("xtop" + T, sender="client", protocol="REST", limits=small)
    (head,) = reader.feed(REST + SIGNATURE)
    assert isinstance(head, Head)
    assert head.octets == octets
    smaller = TransportLimits(rest_head=len(octets) - 1)
    reader = MessageReader("xtop" + T, sender="client", protocol="REST", limits=smaller)
    with pytest.raises(Fault, match=rf"The head part is larger than {len(octets) - 1} bytes"):
        reader.feed(REST + SIGNATURE)


def test_a_fault_is_held_to_the_bounds_of_messages() -> None:
    limits = TransportLimits(xml=Bounds(depth=2))
    _, refused = read([SOAP + FAULT_PART + END], limits=limits)
    assert refused == "service_failed.invalid_soap: elements are nested deeper than 2"


@pytest.mark.parametrize(
    ("der", "good"),
    [
        (b"0\x00", True),
        (b"0\x81\x80" + bytes(128), True),
        (b"0\x82\x01\x00" + bytes(256), True),
        (b"", False),
        (b"0", False),
        (b"0\x80", False),
        (b"0\x80\x00\x00", False),
        (b"1\x00", False),
        (b"0\x00x", False),
        (b"0\x84\xff\xff\xff\xff", False),
        (b"0\xff", False),
    ],
)
def test_an_ocsp_response_is_one_sequence(der: bytes, good: bool) -> None:
    events, _ = read([part("application/ocsp-response", der), END])
    assert events == ([Ocsp(der)] if good else [])


def test_a_bad_boundary_is_refused() -> None:
    with pytest.raises(Fault, match=r"service_failed\.invalid_content_type"):
        MessageReader("a\nb", sender="client", protocol="SOAP")


some_parts = st.lists(
    st.sampled_from([OCSP, SOAP, REST, REST_ANSWER, BODY, NESTED, RESULT, CHAIN, SIGNATURE])
    | st.sampled_from([FAULT_PART, END, b"\r\n", b"x", b"--", b"--in\r\n", b"--in--\r\n"])
    | st.binary(max_size=20),
    max_size=7,
)


@given(
    some_parts,
    st.lists(st.integers(0, 2000), max_size=6),
    st.sampled_from(["client", "server"]),
    st.sampled_from(["SOAP", "REST"]),
)
@settings(max_examples=100, deadline=None)
def test_any_cut_gives_the_same_and_garbage_only_faults(
    parts: list[bytes], places: list[int], sender: Sender, protocol: Protocol
) -> None:
    data = b"".join(parts)
    edges = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    chunks = [data[a:b] for a, b in pairwise(edges)]
    events, fault = read([data], sender, protocol)
    again, fault_again = read(chunks, sender, protocol)
    assert fault_again == fault
    # What only the end of the octets brought is not given out when it brought a fault too.
    assert [repr(e) for e in again] == [repr(e) for e in events]


written_parts = st.lists(
    st.tuples(st.sampled_from(["text/plain", "a/b; c=d"]), st.binary(max_size=60)), max_size=3
)


@given(st.lists(st.just(DER), max_size=2), st.binary(max_size=80), written_parts, st.booleans())
@settings(max_examples=100, deadline=None)
def test_what_was_written_is_read(
    ocsp: list[bytes], head: bytes, attachments: list[tuple[str, bytes]], chained: bool
) -> None:
    writer = MessageWriter(T)
    chain = (b"<r/>", b"<c/>") if chained else (None, None)
    pieces: list[bytes | memoryview] = [writer.ocsp(der) for der in ocsp]
    expected: list[Event] = [Ocsp(der) for der in ocsp]
    pieces.append(writer.head("text/xml", [("A", "b")], head))
    expected.append(Head("text/xml", (("A", "b"),), head))
    for number, (content_type, content) in enumerate(attachments, 1):
        pieces += [
            writer.part_begin(content_type, [("N", str(number))]),
            writer.part_data(content),
            writer.part_end(),
        ]
        expected.append(PartBegin(number, content_type, (("N", str(number)),)))
        expected += [PartData(content)] if content else []
        expected.append(PartEnd())
    pieces += [writer.evidence(b"<s/>", *chain), writer.close()]
    expected += [ChainResult(b"<r/>"), Chain(b"<c/>")] if chained else []
    assert read([bytes(piece) for piece in pieces]) == ([*expected, Signature(b"<s/>")], "")
