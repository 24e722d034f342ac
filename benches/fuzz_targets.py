"""What is fuzzed: the parsers that hear from strangers, each with inputs that are good.

The rule: a target makes of one input, given in pieces, an outcome that can be compared: what was
understood, octets joined, and the refusal's code. The pieces' borders must not change it, and
nothing but a refusal may be raised. A target that reads at one stroke joins the pieces.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple, Protocol

import h11

from fuzz_seeds import (
    BOUNDARY,
    FAULTS,
    HTTP,
    MESSAGES,
    PARTS,
    REST_CALLS,
    REST_HEADS,
    SOAP_BODIES,
    SOAPS,
    TRANSPORT_HEADS,
    XMLS,
)
from xgate.errors import Fault
from xgate.net.errors import HttpError
from xgate.net.strict import Framing, StrictFilter, check_request, check_response
from xgate.wire import message
from xgate.wire.attachments import SoapBodyReader
from xgate.wire.bodiless import without_body
from xgate.wire.faults import read_soap_fault
from xgate.wire.mime import MultipartReader
from xgate.wire.rest import read_rest_call, read_rest_request, read_rest_response
from xgate.wire.soap import SoapMessage, read_soap, with_request_hash
from xgate.wire.transport import (
    FaultPart,
    MessageReader,
    Sender,
    read_request_head,
    read_response_head,
)
from xgate.wire.xml import parse, scan

__all__ = ["TARGETS", "Target"]

Outcome = tuple[Any, ...]


class Target(NamedTuple):
    """One parser: what it makes of an input in pieces, good inputs, and words with a meaning."""

    run: Callable[[Sequence[bytes]], Outcome]
    seeds: Sequence[bytes]
    words: Sequence[bytes]


class _Reader(Protocol):
    def feed(self, data: bytes, /) -> Sequence[Any]: ...
    def finish(self) -> Sequence[Any]: ...


def _events(reader: _Reader, pieces: Sequence[bytes]) -> Iterator[Any]:
    for piece in pieces:
        yield from reader.feed(piece)
    yield from reader.finish()


def _read(make: Callable[[], _Reader], pieces: Sequence[bytes]) -> Outcome:
    """All events, data that follow each other joined, and the refusal's code."""
    found: list[Any] = []
    try:
        for event in _events(make(), pieces):
            data = getattr(event, "data", None)
            if isinstance(event, FaultPart):  # faults are compared by what they say
                found.append((event.fault.code, event.fault.text, event.fault.raw))
            elif data is None:
                found.append(event)
            elif found and isinstance(found[-1], bytearray):
                found[-1] += data
            else:
                found.append(bytearray(data))
    except Fault as fault:
        found.append(fault.code)
    return tuple(bytes(one) if isinstance(one, bytearray) else one for one in found)


def _refusable(read: Callable[[], Any]) -> Outcome:
    try:
        return (read(),)
    except Fault as fault:
        return (fault.code,)


def _multipart(pieces: Sequence[bytes]) -> Outcome:
    return (
        _read(lambda: MultipartReader(BOUNDARY), pieces),
        _read(lambda: MultipartReader(None), pieces),
    )


def _soap_body(pieces: Sequence[bytes]) -> Outcome:
    kind = f"multipart/related; boundary={BOUNDARY}"
    return (
        _read(lambda: SoapBodyReader(kind), pieces),
        _read(lambda: SoapBodyReader("text/xml", answer=True), pieces),
    )


def _transport(pieces: Sequence[bytes]) -> Outcome:
    senders: tuple[Sender, ...] = ("client", "server")
    protocols: tuple[message.Protocol, ...] = ("SOAP", "REST")
    return tuple(
        _read(partial(MessageReader, BOUNDARY, sender=sender, protocol=protocol), pieces)
        for sender in senders
        for protocol in protocols
    )


def _soap(pieces: Sequence[bytes]) -> Outcome:
    octets = b"".join(pieces)
    (found,) = _refusable(lambda: read_soap(octets, "text/xml"))
    if isinstance(found, SoapMessage):
        hashed = with_request_hash(found, bytes(64))
        again = read_soap(hashed.octets, "text/xml")
        assert isinstance(again, SoapMessage), "an answer with its hash is an answer"
        assert (again.client, again.service, again.id) == (found.client, found.service, found.id)
        bare = read_soap(without_body(found), "text/xml")
        assert isinstance(bare, SoapMessage), "what is logged of it can be read"
        assert (bare.client, bare.service, bare.id) == (found.client, found.service, found.id)
        return found.client, found.service, found.id
    return (found.code,) if isinstance(found, Fault) else (found,)


def _headers(lines: Sequence[bytes]) -> list[tuple[str, str]]:
    pairs = (line.decode("latin-1").partition(":") for line in lines)
    return [(name, value.strip(" \t")) for name, _, value in pairs]


def _rest_call(pieces: Sequence[bytes]) -> Outcome:
    first, *lines = b"".join(pieces).split(b"\n")
    method, _, target = first.decode("latin-1").partition(" ")
    (found,) = _refusable(
        lambda: read_rest_call(
            method, target, _headers(lines), request_id="00000000-uuid", fresh_id="XG-fresh"
        )
    )
    if isinstance(found, str):
        return (found,)
    # The query is the front server's to let through, and the provider's to judge (rest-protocol 1).
    (again,) = _refusable(lambda: read_rest_request(found.octets))
    assert again == found or (again == "internal_error" and found.target.query), (
        "what is sent is read as it was meant"
    )
    return (found,)


def _rest_head(pieces: Sequence[bytes]) -> Outcome:
    octets = b"".join(pieces)
    found = _refusable(lambda: read_rest_request(octets))
    found += _refusable(lambda: read_rest_response(octets))
    for one in found:
        if not isinstance(one, str):
            without_body(one)
    return found


def _transport_head(pieces: Sequence[bytes]) -> Outcome:
    first, *lines = b"".join(pieces).split(b"\n")
    word, headers = first.decode("latin-1"), _headers(lines)
    status = int(word[:3]) if word[:3].isascii() and word[:3].isdigit() else 200
    return (
        _refusable(lambda: read_request_head(word, headers))
        + _refusable(lambda: read_request_head("POST", headers, minimum_version="7.0.0"))
        + _refusable(lambda: read_response_head(status, word, headers))
    )


def _fault(pieces: Sequence[bytes]) -> Outcome:
    octets = b"".join(pieces)
    (found,) = _refusable(lambda: read_soap_fault(octets))
    return (found.code, found.text, found.raw) if isinstance(found, Fault) else (found,)


class _Deaf:
    """A scanner that counts."""

    def __init__(self) -> None:
        self.heard = 0

    def start(self, name: str, attributes: dict[str, str], offset: int) -> bool:
        self.heard += 1
        return True

    def end(self, name: str, offset: int) -> None:
        self.heard += 1

    def text(self, text: str) -> None:
        self.heard += 1


def _xml(pieces: Sequence[bytes]) -> Outcome:
    octets = b"".join(pieces)
    tree = _refusable(lambda: parse(octets).tag)
    return tree + _refusable(lambda: scan(octets, _Deaf()))


def _http(pieces: Sequence[bytes]) -> Outcome:
    return (
        _messages(pieces, check_request, h11.SERVER),
        _messages(pieces, lambda head: check_response(head, b"GET"), h11.CLIENT),
    )


def _messages(
    pieces: Sequence[bytes], check: Callable[[bytes], tuple[Framing, int]], role: Any
) -> Outcome:
    """The kinds of h11's events of the first message, its body joined, and the refusal."""
    strict, passed, refusal = StrictFilter(check), b"", ""
    try:
        for piece in [*pieces, b""]:
            passed += strict.feed(piece)
    except HttpError as error:
        refusal = f"{error.status} {error}"
    reader = h11.Connection(role)
    if role is h11.CLIENT:
        reader.send(h11.Request(method="GET", target="/", headers=[("Host", "x")]))
        reader.send(h11.EndOfMessage())
    reader.receive_data(passed)
    kinds: list[str] = []
    body = b""
    try:
        while (event := reader.next_event()) is not h11.NEED_DATA:
            if isinstance(event, h11.Data):
                body += event.data
                continue
            kinds.append(repr(event))
            if not isinstance(event, h11.Request | h11.Response | h11.InformationalResponse):
                break
    except h11.RemoteProtocolError:
        kinds.append("h11 refuses")
    return (*kinds, body, refusal)


_XML_WORDS = (
    *(b"<!DOCTYPE a [<!ENTITY b 'c'>]>", b"&b;", b"<![CDATA[", b"]]>", b"<!--", b"-->", b"<?a b?>"),
    *(b"xmlns=''", b"xmlns:x='urn:x'", b"<a>", b"</a>", b"<a/>", b"\xef\xbb\xbf", b"\xff\xfe"),
    *(b"&#0;", b"&#x10FFFF;", b"encoding='UTF-16'", b"encoding='latin1'", b"]]", b"\r", b"\0"),
)
_MIME_WORDS = (
    *(b"\r\n", b"\n", b"\r", b"--", f"\r\n--{BOUNDARY}".encode(), f"--{BOUNDARY}--".encode()),
    *(b"Content-Type: multipart/mixed; boundary=b\r\n", b"Content-Type: text/xml\r\n", b"\r\n\r\n"),
    *(b"\r\n--b\r\n", b"\r\n--b--", b" ", b":", b"\0", b"X-A: b\r\n"),
)
_HTTP_WORDS = (
    *(b"\r\n", b"\n", b"Transfer-Encoding: chunked\r\n", b"Content-Length: 5\r\n", b"0\r\n\r\n"),
    *(
        b"5\r\nhello\r\n",
        b";a=b",
        b"?\xc3\xb5",
        b"HTTP/1.0",
        b" ",
        b"\t",
        b"\0",
        b"Host: x\r\n",
        b"\r\n\r\n",
    ),
    *(b"Expect: 100-continue\r\n", b"Connection: close\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"),
)
_REST_WORDS = (
    *(
        b"\r\n",
        b"\n",
        b"\r",
        b"X-Road-Client: XG/COM/1/s",
        b"X-Road-Id: ",
        b"%2F",
        b"%",
        b"/",
        b"?",
    ),
    *(
        b"/",
        b"?",
        b"..",
        b"\xc3\xa4",
        b"\xe2\x80\xa8",
        b"x-road-request-id:",
        b":",
        b"HTTP/1.1",
        b"#",
        b"\x85",
    ),
)

TARGETS = {
    "http": Target(_http, HTTP, _HTTP_WORDS),
    "multipart": Target(_multipart, PARTS, _MIME_WORDS),
    "soap_body": Target(_soap_body, SOAP_BODIES, (*_MIME_WORDS, *_XML_WORDS)),
    "transport": Target(_transport, MESSAGES, (*_MIME_WORDS, *_XML_WORDS)),
    "transport_head": Target(_transport_head, TRANSPORT_HEADS, (*_HTTP_WORDS, *_MIME_WORDS)),
    "soap": Target(_soap, SOAPS, _XML_WORDS),
    "fault": Target(_fault, FAULTS, _XML_WORDS),
    "xml": Target(_xml, XMLS, _XML_WORDS),
    "rest_call": Target(_rest_call, REST_CALLS, (*_REST_WORDS, *_HTTP_WORDS)),
    "rest_head": Target(_rest_head, REST_HEADS, _REST_WORDS),
}
"""By the names by which they are asked for."""
