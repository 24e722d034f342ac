"""Good inputs for the fuzz targets, made by the writers that the product uses.

The rule: each is accepted as it is by one of the readers; what is wrong is the mutations' to find.
"""

from __future__ import annotations

from xgate.errors import Fault
from xgate.ids import ClientId
from xgate.sandbox.country import CONSUMER, PROVIDER
from xgate.sandbox.messages import multipart_related, soap_request
from xgate.wire.faults import write_soap_fault
from xgate.wire.rest import read_rest_call, read_rest_request, write_rest_response
from xgate.wire.soap import SoapMessage, read_soap, with_request_hash
from xgate.wire.transport import (
    REST_BODY,
    REST_REQUEST,
    REST_RESPONSE,
    MessageWriter,
    write_fault_head,
    write_request_head,
    write_response_head,
)

__all__ = [
    "BOUNDARY",
    "FAULTS",
    "HTTP",
    "MESSAGES",
    "PARTS",
    "REST_CALLS",
    "REST_HEADS",
    "SOAPS",
    "SOAP_BODIES",
    "TRANSPORT_HEADS",
    "XMLS",
]

_ID = "5e2c1f0a-0000-4000-8000-000000000000"
_WRITER = MessageWriter("a" * 30)
BOUNDARY = _WRITER.boundary
"""Of all multiparts among the seeds."""

_REQUEST = soap_request(CONSUMER, PROVIDER, "getRandom", "query-1", content="<a>1</a>")
_OTHER = soap_request(ClientId("XG", "COM", "ä&b"), PROVIDER, "x", "1", version="")


def _answer() -> bytes:
    found = read_soap(_REQUEST.replace(b"p:getRandom", b"p:getRandomResponse"), "text/xml")
    assert isinstance(found, SoapMessage)
    return with_request_hash(found, bytes(64)).octets


SOAPS = (_REQUEST, _OTHER, _answer(), _REQUEST.decode().replace("UTF-8", "UTF-16").encode("utf-16"))
FAULTS = (
    write_soap_fault(Fault("server.serverproxy.access_denied", "no", detail=_ID, actor="x")),
    write_soap_fault(Fault("client.invalid_soap", "a < b & c")),
    b'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><s:Fault><faultcode>s:'
    b"Server</faultcode><faultstring>x</faultstring><detail><a/></detail></s:Fault></s:Body>"
    b"</s:Envelope>",
)
XMLS = (*SOAPS, *FAULTS, b"<a b='c'><!-- d --><?e f?><![CDATA[g]]>&lt;</a>")

_ATTACHMENTS = [("text/plain", b"one\r\n--\r\n"), ("application/octet-stream", bytes(300))]


def _multipart(attachments: list[tuple[str, bytes]], *, mtom: bool = False) -> bytes:
    _, body = multipart_related(_REQUEST, attachments, mtom=mtom)
    return body.replace(b"--sandbox-boundary", b"--" + BOUNDARY.encode())


PARTS = (
    _multipart([]),
    _multipart(_ATTACHMENTS),
    b"X-Alone: 1\r\nFolded: a\r\n b\r\n\r\ncontent",
)
SOAP_BODIES = (
    *(_multipart([]), _multipart(_ATTACHMENTS, mtom=True), _REQUEST),
    _multipart([("multipart/mixed; boundary=b", b"--b\r\n\r\nx\r\n--b\r\n\r\ny\r\n--b--")]),
)


def _message(kind: str, octets: bytes, parts: list[bytes], *, fault: bool = False) -> bytes:
    writer = MessageWriter("a" * 30)
    pieces: list[bytes | memoryview] = [writer.ocsp(b"0\x03\x02\x01\x05")]
    pieces.append(writer.head(kind, (), octets))
    for number, part in enumerate(parts):
        pieces.append(writer.part_begin(kind if number else REST_BODY, ()))
        pieces += [writer.part_data(part), writer.part_end()]
    if fault:
        pieces.append(writer.fault(FAULTS[0]))
    else:
        pieces.append(writer.evidence(b"<signature/>", b"<result/>", b"<chain/>"))
    return b"".join([*pieces, writer.close()])


_REST_TARGET = f"/r1/{PROVIDER.url}/people/a%20b?c=d"
_CALLER = [("X-Road-Client", CONSUMER.url), ("Accept", "text/html"), ("X-Road-Id", "query-1")]
_CALL = read_rest_call("POST", _REST_TARGET, _CALLER, request_id=_ID, fresh_id="x")
_RESPONSE = write_rest_response(
    read_rest_request(_CALL.octets), 200, "OK", [("Content-Type", "text/plain")], "hash"
)
REST_HEADS = (_CALL.octets, _RESPONSE.octets)
REST_CALLS = (
    b"GET " + _REST_TARGET.encode() + b"\nHost: x\nX-Road-Client: " + CONSUMER.url.encode(),
    b"POST /r1/XG/GOV/1/a/b/c//d\nX-Road-Client: XG/COM/1\nX-Road-UserId: \xc3\xa4\nX-Road-Issue: 1"
    b"\nX-Road-Represented-Party: COM/2\nX-Road-Security-Server: XG/GOV/1/SS\nContent-Type: a/b",
)
MESSAGES = (
    _message("text/xml; charset=UTF-8", _REQUEST, []),
    _message("text/xml; charset=UTF-8", SOAPS[2], [b"attached", b""]),
    _message("text/xml; charset=UTF-8", SOAPS[2], [b"attached"], fault=True),
    _message(REST_REQUEST, _CALL.octets, [b"a body"]),
    _message(REST_RESPONSE, _RESPONSE.octets, [bytes(200)]),
    _message(REST_RESPONSE, _RESPONSE.octets, [], fault=True),
)


def _lines(first: str, headers: list[tuple[str, str]]) -> bytes:
    return "\n".join([first, *(f"{name}: {value}" for name, value in headers)]).encode("latin-1")


TRANSPORT_HEADS = (
    *(
        _lines(
            "POST",
            write_request_head(
                protocol,
                boundary=BOUNDARY,
                original_content_type="multipart/related; boundary=x",
                soap_action='"a"',
                request_id=_ID,
            ),
        )
        for protocol in ("SOAP", "REST")
    ),
    _lines(
        "200 OK",
        write_response_head("SOAP", boundary=BOUNDARY, original_content_type="text/xml"),
    ),
    _lines("500", write_fault_head()),
)

_GET = b"GET /r1/a?b=c HTTP/1.1\r\nHost: x\r\nX-Road-Client: a/b/c\r\n"
HTTP = (
    _GET + b"\r\n",
    _GET.replace(b"GET", b"POST") + b"Content-Length: 5\r\n\r\nhello",
    _GET.replace(b"GET", b"POST")
    + b"Transfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"A\r\n0123456789\r\n0\r\n\r\n",
    b"HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nabc",
    b"HTTP/1.0 200 OK\r\n\r\nuntil the end",
)
