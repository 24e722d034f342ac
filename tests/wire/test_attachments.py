"""Bodies of information systems: the reference's own, nested ones, errors, and the way back."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xgate.errors import Fault
from xgate.wire.attachments import (
    SOAP_TYPE,
    BodyEvent,
    BodyLimits,
    Head,
    PartBegin,
    PartData,
    PartEnd,
    SoapBodyReader,
    SoapBodyWriter,
)

RELATED = 'multipart/related; type="text/xml"; boundary=b'


def read(
    chunks: Iterable[bytes],
    content_type: str = RELATED,
    *,
    answer: bool = False,
    limits: BodyLimits | None = None,
) -> tuple[list[BodyEvent], str]:
    """The events, data joined, and the fault that came after them."""
    events: list[BodyEvent] = []
    fault = ""
    try:
        reader = SoapBodyReader(content_type, answer=answer, limits=limits)
        for chunk in chunks:
            events += reader.feed(chunk)
        events += reader.finish()
    except Fault as refused:
        fault = str(refused)
    return joined(events), fault


def joined(events: list[BodyEvent]) -> list[BodyEvent]:
    result: list[BodyEvent] = []
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


def attachments(events: list[BodyEvent]) -> list[PartBegin]:
    return [event for event in events if isinstance(event, PartBegin)]


@pytest.mark.reference
@pytest.mark.parametrize(
    ("file", "count"),
    [
        ("attachm.query", 1),
        ("attachm2.query", 1),
        ("attachm2.answer", 1),
        ("attachments.query", 3),
        ("attachm-mtom.query", 1),
        ("smallAttachment.query", 1),
    ],
)
def test_the_references_multiparts(golden: Path, file: str, count: int) -> None:
    data, content_type = reference(golden, f"valid/{file}")
    events, fault = read([data], content_type)
    assert fault == ""
    assert isinstance(events[0], Head)
    assert events[0].octets.rstrip().endswith(b"Envelope>")
    assert [part.number for part in attachments(events)] == list(range(1, count + 1))
    assert read([data[i : i + 1] for i in range(len(data))], content_type) == (events, "")


def reference(golden: Path, file: str) -> tuple[bytes, str]:
    name = f"messages/soap/{file}"
    items = json.loads((golden / "expected.json").read_text())["items"]
    (item,) = [item for item in items if item["file"] == name]
    return (golden / name).read_bytes(), item.get("content_type", "text/xml")


@pytest.mark.reference
def test_the_references_nested_header_reaches_the_service(golden: Path) -> None:
    data, content_type = reference(golden, "valid/attachm.query")
    events, _ = read([data], content_type)
    (part,) = attachments(events)
    assert ("Client-Header", "FooBar") in part.headers


@pytest.mark.reference
def test_the_references_mtom(golden: Path) -> None:
    data, content_type = reference(golden, "valid/attachm-mtom.query")
    events, _ = read([data], content_type)
    head = events[0]
    assert isinstance(head, Head)
    assert head.content_type.startswith("application/xop+xml")
    assert [name for part in attachments(events) for name, _ in part.headers].count("Content-ID")


@pytest.mark.reference
@pytest.mark.parametrize(
    ("file", "fault"),
    [
        ("attachm-error.query", "invalid_content_type: Could not get content type for part"),
        ("attachm-no-soap.query", "invalid_content_type"),
    ],
)
def test_the_references_invalid_ones(golden: Path, file: str, fault: str) -> None:
    data, content_type = reference(golden, f"invalid/{file}")
    assert read([data], content_type)[1].startswith(fault)


@pytest.mark.parametrize(
    "content_type", ["text/xml", "Text/XML; charset=UTF-8", "application/xop+xml"]
)
def test_soap_alone(content_type: str) -> None:
    expected = [Head(content_type, (), b"<e/>")]
    assert read([b"<e", b"/>"], content_type) == (expected, "")
    assert read([], content_type) == ([Head(content_type, (), b"")], "")


@pytest.mark.parametrize(
    ("content_type", "fault"),
    [
        ("", "internal_error"),
        (" ", "internal_error"),
        ("text/xml; charset=klingon", "internal_error: Unknown charset 'klingon'"),
        ("text/html", "invalid_content_type: Invalid content type: text/html"),
        (
            "multipart/mixed; boundary=b",
            "invalid_content_type: Invalid content type: multipart/mixed",
        ),
        ("multipart/related", "invalid_content_type: Invalid content type: multipart/related"),
    ],
)
def test_content_types_refused(content_type: str, fault: str) -> None:
    assert read([], content_type)[1].startswith(fault)


def part(content_type: str, body: bytes, boundary: str = "b", headers: str = "") -> bytes:
    field = f"Content-Type: {content_type}\r\n" if content_type else ""
    return f"--{boundary}\r\n{field}{headers}\r\n".encode() + body + b"\r\n"


SOAP = part("text/xml", b"<e/>", headers="Content-ID: <s>\r\n")
END = b"--b--\r\n"


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (b"", "missing_soap: Request does not contain SOAP message"),
        (END, "missing_soap"),
        (part("", b"x") + END, "invalid_content_type: Could not get content type for part"),
        (SOAP + part("", b"x"), "invalid_content_type: Could not get content type for part"),
        (part("a/b", b"x") + END, "invalid_content_type: Invalid content type: a/b"),
        (part("multipart/mixed", b"x") + END, "invalid_content_type: Invalid content type: multi"),
        (b"--b\r\n" + b"A:1\r\n" * 1001, "mime_parsing_failed"),
        (b"--b\r\nA: " + b"x" * 1000, "mime_parsing_failed"),
        (SOAP + part("multipart/x; boundary=in", b"--in\r\n" + b"x" * 1000), "mime_parsing_failed"),
    ],
)
def test_bodies_refused(body: bytes, fault: str) -> None:
    assert read([body])[1].startswith(fault)


def test_a_service_that_sends_no_part_is_told_so() -> None:
    assert (
        read([END], answer=True)[1] == "invalid_message: No response message received from service"
    )


def test_contents_are_never_decoded() -> None:
    field = "Content-Transfer-Encoding: base64\r\n"
    events, fault = read([SOAP + part("a/b", b"YWJj", headers=field + field) + END])
    assert fault == ""
    assert events == [
        Head("text/xml", (("Content-ID", "<s>"),), b"<e/>"),
        PartBegin(1, "a/b", (("Content-Transfer-Encoding", "base64"),) * 2),
        PartData(b"YWJj"),
        PartEnd(),
    ]


def test_nested_multiparts_and_messages_are_flattened() -> None:
    inner = part("c/d", b"two", "in") + part("e/f", b"three", "in") + b"--in--\r\n"
    letter = b"Content-Type: multipart/mixed; boundary=in\r\n\r\n" + inner
    body = (
        part("multipart/alternative; boundary=in", part("text/xml", b"<e/>", "in") + b"--in--")
        + part("multipart/mixed; boundary=in", inner, headers="Lost: 1\r\n")
        + part("message/rfc822", letter, headers="Lost: 1\r\n")
        + part("message/rfc822", b"Content-Type: g/h\r\nKept: 1\r\n\r\nsix")
        + END
    )
    events, fault = read([body])
    assert fault == ""
    assert events == [
        Head("text/xml", (), b"<e/>"),
        *(PartBegin(1, "c/d", ()), PartData(b"two"), PartEnd()),
        *(PartBegin(2, "e/f", ()), PartData(b"three"), PartEnd()),
        *(PartBegin(3, "c/d", ()), PartData(b"two"), PartEnd()),
        *(PartBegin(4, "e/f", ()), PartData(b"three"), PartEnd()),
        *(PartBegin(5, "g/h", (("Kept", "1"),)), PartData(b"six"), PartEnd()),
    ]
    assert read([body[i : i + 1] for i in range(len(body))]) == (events, "")


def test_nesting_is_bounded() -> None:
    body = b"Content-Type: message/rfc822\r\n\r\n" * 9
    refused = "mime_parsing_failed: Multiparts are nested deeper than 10"
    assert read([SOAP + part("message/rfc822", body)])[1] == refused


def test_the_number_of_multiparts_is_bounded() -> None:
    nested = part("multipart/mixed; boundary=in", b"")
    assert read([SOAP, *[nested] * 100, END])[1] == ""
    refused = "mime_parsing_failed: There are more than 100 multiparts within one"
    assert read([SOAP, *[nested] * 101, END])[1] == refused


def test_limits() -> None:
    small = BodyLimits(head=4, attachments=1)
    one = part("a/b", b"x" * 100)
    assert read([SOAP + one + END], limits=small)[1] == ""
    assert (
        read([SOAP + one + one], limits=small)[1]
        == "invalid_message: There are more than 1 attachments"
    )
    assert read([part("text/xml", b"<e />")], limits=small)[1].startswith(
        "invalid_message: The SOAP"
    )
    assert read([b"<e ", b"/>"], "text/xml", limits=small)[1].startswith(
        "invalid_message: The SOAP"
    )


def test_a_cut_body_counts_as_far_as_it_goes() -> None:
    events, fault = read([SOAP + part("a/b", b"x")[:-3]])
    assert (events[1:], fault) == ([PartBegin(1, "a/b", ()), PartEnd()], "")


def write(writer: SoapBodyWriter, *parts: tuple[str, tuple[tuple[str, str], ...], bytes]) -> bytes:
    (content_type, headers, octets), *others = parts
    pieces: list[bytes | memoryview] = [writer.head(content_type, headers, octets)]
    for content_type, headers, octets in others:
        pieces += [writer.part_begin(content_type, headers), writer.part_data(octets)]
        pieces.append(writer.part_end())
    return b"".join([*pieces, writer.close()])


MESSAGE = ("text/xml; charset=UTF-8", (("Content-ID", "<s>"),), b"<e/>")


@pytest.mark.parametrize("tail", [b"\r\n", b" \r\n", b"--", b"\t"])
@pytest.mark.parametrize("front", [b"", b"x\n", b"x\r\n"])
def test_no_part_brings_parts_of_its_own(front: bytes, tail: bytes) -> None:
    """The boundary comes from a header that nobody signed."""
    smuggled = front + b"--bx" + tail + b"content-type: a/b\r\n\r\nsmuggled"
    first, second = (*MESSAGE[:2], b"<e/>" + front + b"\n--bx" + tail), ("a/b", (), smuggled)
    for parts in ((first, ("a/b", (), b"")), (MESSAGE, second)):
        writer = SoapBodyWriter("multipart/related; boundary=bx", attachments=True)
        with pytest.raises(Fault, match="mime_parsing_failed"):
            write(writer, *parts)
    writer = SoapBodyWriter("multipart/related; boundary=bx", attachments=True)
    writer.head(*MESSAGE)
    writer.part_begin("a/b", ())
    octets = (smuggled[place : place + 1] for place in range(len(smuggled)))
    with pytest.raises(Fault, match="mime_parsing_failed"):
        deque(map(writer.part_data, octets), maxlen=0)


def test_a_boundary_at_the_very_end_of_a_part_counts() -> None:
    writer = SoapBodyWriter("multipart/related; boundary=bx", attachments=True)
    with pytest.raises(Fault, match="mime_parsing_failed"):
        write(writer, MESSAGE, ("a/b", (), b"x\n--bx"), ("a/b", (), b""))


def test_what_only_looks_like_a_boundary_passes() -> None:
    writer = SoapBodyWriter("multipart/related; boundary=bx", attachments=True)
    content = b"--b\n --bx\n--bxy\nx--bx\n-bx--"
    assert content in write(writer, MESSAGE, ("a/b", (), content))


def test_soap_alone_goes_out_alone() -> None:
    writer = SoapBodyWriter("application/xop+xml; charset=ISO-8859-1", attachments=False)
    assert writer.content_type == SOAP_TYPE == "text/xml; charset=UTF-8"
    assert write(writer, MESSAGE) == b"<e/>"


def test_a_multipart_of_one_stays_one() -> None:
    writer = SoapBodyWriter(RELATED, attachments=False)
    assert writer.content_type == RELATED
    assert write(writer, MESSAGE) == (
        b"--b\r\ncontent-type: text/xml; charset=UTF-8\r\nContent-ID: <s>\r\n\r\n<e/>\r\n--b--\r\n"
    )


def test_attachments_go_out_with_the_other_sides_boundary() -> None:
    writer = SoapBodyWriter('Multipart/Related; boundary="-- x"', attachments=True)
    assert writer.content_type == 'Multipart/Related; boundary="-- x"'
    assert write(writer, MESSAGE, ("a/b", (("X", "1"),), b"one"), ("c/d", (), b"")) == (
        b"---- x\r\ncontent-type:text/xml; charset=UTF-8\r\nContent-ID: <s>\r\n\r\n<e/>\r\n"
        b"---- x\r\ncontent-type:a/b\r\nX: 1\r\n\r\none\r\n"
        b"---- x\r\ncontent-type:c/d\r\n\r\n\r\n"
        b"---- x--\r\n"
    )


@pytest.mark.parametrize(
    ("original", "answered"),
    [
        ("multipart/related; boundary=b", "multipart/related; boundary=b;charset=utf-8"),
        ("multipart/related; charset=UTF-8; boundary=b", None),
        (
            'multipart/related; Charset = "ISO-8859-1"; boundary=b',
            "multipart/related; Charset = utf-8; boundary=b",
        ),
    ],
)
def test_an_answer_promises_utf_8(original: str, answered: str | None) -> None:
    writer = SoapBodyWriter(original, attachments=False, answer=True)
    assert writer.content_type == (answered or original)


def test_attachments_need_a_boundary_and_an_announcement() -> None:
    with pytest.raises(Fault, match="internal_error"):
        SoapBodyWriter("text/xml", attachments=True)
    with pytest.raises(RuntimeError):
        SoapBodyWriter(RELATED, attachments=False).part_begin("a/b", ())


pieces = st.sampled_from(
    (
        *(SOAP, END, b"--b\r\n", b"--in\r\n", b"--in--\r\n", b"x", b"\r\n", b"--", b"\r\n\r\n"),
        *(part("a/b", b"x"), part("multipart/mixed; boundary=in", b""), b"Content-Type: a/b\r\n"),
        *(b"Content-Type: multipart/mixed; boundary=in\r\n", b"Content-Type: message/rfc822\r\n"),
    )
)


@given(st.lists(pieces, max_size=10), st.lists(st.integers(0, 500), max_size=5))
@settings(max_examples=100, deadline=None)
def test_any_cut_gives_the_same_and_garbage_only_faults(
    parts: list[bytes], places: list[int]
) -> None:
    data = b"".join(parts)
    edges = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    assert read([data[a:b] for a, b in pairwise(edges)]) == read([data])


contents = st.binary(max_size=40).filter(lambda content: b"--b" not in content)
written = st.lists(st.tuples(st.sampled_from(["a/b", "text/xml"]), contents), max_size=3)


@given(contents, written)
@settings(max_examples=100, deadline=None)
def test_what_was_written_is_read(octets: bytes, others: list[tuple[str, bytes]]) -> None:
    writer = SoapBodyWriter(RELATED, attachments=bool(others))
    fields = (("A", "1"),)
    data = write(writer, ("text/xml", fields, octets), *((t, fields, c) for t, c in others))
    expected: list[BodyEvent] = [Head("text/xml", fields, octets)]
    for number, (content_type, content) in enumerate(others, 1):
        expected.append(PartBegin(number, content_type, fields))
        expected += [PartData(content)] if content else []
        expected.append(PartEnd())
    assert read([data], writer.content_type) == (expected, "")
