"""An information system that answers as the path asks: well, oddly or badly.

``/rest/...`` behaves as REST services do: it echoes, or answers with the status that the request
header ``X-Answer-With`` asks for. ``/soap/NAME`` answers as a SOAP service that is well, odd or
broken in the way that NAME says. ``/documents/NAME`` hands out descriptions of services.

The rule: everything is real HTTP; what is wrong with an answer is wrong in its octets.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import trio

from xgate.net.server import Exchange
from xgate.sandbox.messages import multipart_related
from xgate.wire.content_type import read_content_type
from xgate.wire.mime import MultipartReader, PartBegin, PartData

__all__ = ["Desk"]


class Desk:
    """The information system.

    :ivar seen: method, target, headers and body of each request, in order.
    :ivar waiting: set when a request for ``/wait`` has come.
    :ivar gate: set it to have that answered.
    """

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, tuple[tuple[str, str], ...], bytes]] = []
        self.waiting = trio.Event()
        self.gate = trio.Event()

    async def serve(self, exchange: Exchange) -> None:
        """Answer one request (``net.server.Handler``)."""
        body = bytearray()
        while data := await exchange.receive():
            body += data
        self.seen.append((exchange.method, exchange.target, exchange.headers, bytes(body)))
        path, _, query = exchange.target.partition("?")
        if path.startswith("/soap/"):
            await _answer_soap(exchange, path.removeprefix("/soap/"), bytes(body))
        elif path.startswith("/documents/"):
            status, kind, document = _DOCUMENTS.get(path.removeprefix("/documents/"), _NO_DOCUMENT)
            await exchange.respond(status, [("Content-Type", kind)], document)
        elif path.endswith("/wait"):
            self.waiting.set()
            await self.gate.wait()
            await exchange.respond(200, [], b"at last")
        else:
            await _answer_rest(exchange, path.removeprefix("/rest"), query, bytes(body))


async def _answer_rest(exchange: Exchange, path: str, query: str, body: bytes) -> None:
    kind = exchange.find_header("content-type") or "application/octet-stream"
    if path.startswith("/bytes"):
        await exchange.start(200, [("Content-Type", "application/octet-stream")])
        left = int(query.rpartition("=")[2])
        while left > 0:
            await exchange.send(bytes(min(left, 1 << 16)))
            left -= 1 << 16
        await exchange.finish()
    elif path.startswith("/cut"):  # promises more than it gives
        await exchange.start(200, [("Content-Length", "100000")])
        await exchange.send(bytes(50_000))
        raise RuntimeError("the service breaks off")
    elif wanted := exchange.find_header("x-answer-with"):
        headers = [("Location", "http://elsewhere.example/a?b=c"), ("X-Mark", "here")]
        await exchange.respond(int(wanted), headers, b"" if wanted == "200" else b"as asked")
    elif path.startswith("/slow"):
        await trio.sleep_forever()
    else:
        answered = [("Content-Type", kind), ("X-Target", exchange.target), ("Date", "today")]
        await exchange.respond(200, answered, body)


_FAULT = (
    b'<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
    b"<s:Fault><faultcode>s:Server</faultcode><faultstring>no luck today</faultstring><detail>"
    b"<why>moon</why></detail></s:Fault></s:Body></s:Envelope>"
)


async def _answer_soap(exchange: Exchange, name: str, body: bytes) -> None:
    if name == "slow":
        await trio.sleep_forever()
    envelope, attachments = _open(exchange.find_header("content-type") or "", body)
    answer = re.sub(rb"(</?p:\w+)", rb"\1Response", envelope)
    form = _FORMS.get(name, _well)
    status, kind, octets = form(answer, attachments)
    await exchange.respond(status, [("Content-Type", kind)] if kind else [], octets)


_XML = "text/xml; charset=UTF-8"
_BOM = b"\xef\xbb\xbf"
_Attachments = list[tuple[str, bytes]]


def _well(answer: bytes, _: _Attachments) -> tuple[int, str, bytes]:
    return 200, _XML, answer


def _attached(answer: bytes, attachments: _Attachments) -> tuple[int, str, bytes]:
    parts = [("image/png", b"\x89PNG\r\n\x1a\n"), ("text/plain", b""), *attachments]
    return (200, *multipart_related(answer, parts, mtom=True))


def _in_latin(answer: bytes, _: _Attachments) -> tuple[int, str, bytes]:
    text = answer.decode().replace("UTF-8", "ISO-8859-1").replace("</p:", "smörgåsbord</p:")
    return 200, "text/xml; charset=ISO-8859-1", text.encode("iso-8859-1")


def _with_a_hash(answer: bytes, _: _Attachments) -> tuple[int, str, bytes]:
    hashed = b'</xrd:id><xrd:requestHash algorithmId="x">AAAA</xrd:requestHash>'
    return 200, _XML, answer.replace(b"</xrd:id>", hashed, 1)


_FORMS: dict[str, Callable[[bytes, _Attachments], tuple[int, str, bytes]]] = {
    "attached": _attached,
    "lone": lambda answer, _: (200, *multipart_related(answer, [])),
    "faulty": lambda _, __: (500, _XML, _FAULT),
    "bom": lambda answer, _: (200, _XML, _BOM + answer.removeprefix(_BOM)),
    "latin": _in_latin,
    "rude": _with_a_hash,
    "teapot": lambda answer, _: (418, _XML, answer),
    "redirect": lambda answer, _: (302, _XML, answer),
    "untyped": lambda answer, _: (200, "", answer),
    "html": lambda answer, _: (200, "text/html", answer),
    "broken": lambda answer, _: (200, _XML, answer[:-20]),
    "doctype": lambda answer, _: (200, _XML, answer.replace(b"?>", b"?><!DOCTYPE e>", 1)),
    "stranger": lambda answer, _: (200, _XML, answer.replace(b"<xrd:id>", b"<xrd:id>other-", 1)),
    "empty": lambda _, __: (200, "multipart/related; boundary=b", b"--b--\r\n"),
}


def _open(kind: str, body: bytes) -> tuple[bytes, _Attachments]:
    content_type = read_content_type(kind)
    if content_type.base != "multipart/related":
        return body, []
    reader = MultipartReader(content_type.boundary or "")
    parts: _Attachments = []
    for event in (*reader.feed(body), *reader.finish()):
        if isinstance(event, PartBegin):
            named = {name.lower(): value for name, value in event.headers}
            parts.append((named["content-type"], b""))
        elif isinstance(event, PartData):
            parts[-1] = (parts[-1][0], parts[-1][1] + bytes(event.data))
    return parts[0][1], parts[1:]


_WSDL = b"""<?xml version="1.0" encoding="UTF-8"?>
<wsdl:definitions xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/"
    xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/"
    xmlns:soap12="http://schemas.xmlsoap.org/wsdl/soap12/"><!-- written by hand -->
  <wsdl:service name="tell">
    <wsdl:port name="one"><soap:address location="http://10.0.0.7/secret"/></wsdl:port>
    <wsdl:port name="two"><soap12:address location="http://10.0.0.7/other"/></wsdl:port>
  </wsdl:service>
</wsdl:definitions>
"""
_SERVICES = b"""<?xml version="1.0" encoding="UTF-8"?>
<wsdl:definitions xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" xmlns:tns="urn:desk"
    xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:x="http://x-road.eu/xsd/xroad.xsd">
  <wsdl:binding name="desk">
    <wsdl:operation name="tellOne"><x:version>v1</x:version></wsdl:operation>
    <wsdl:operation name="tellTwo"/>
  </wsdl:binding>
  <wsdl:service name="desk">
    <wsdl:port binding="tns:desk"><soap:address location="http://10.0.0.7/secret"/></wsdl:port>
  </wsdl:service>
</wsdl:definitions>
"""
_YAML = b"""openapi: "3.0.1"  # a text
info: {title: People, version: 2026-01-31}
servers:
  - url: http://10.0.0.7:8000/secret/base
  - url: https://{host}/{base}
paths: {/people: &people {get: {}}, /persons: *people}
"""
_JSON = b'{"openapi":"3.1.0","servers":[{"url":"http://10.0.0.7/secret"}],"paths":{}}'
_NO_DOCUMENT = 404, "text/plain", b"no such document"
_DOCUMENTS = {
    "service.wsdl": (200, "text/xml", _SERVICES),
    "tell.wsdl": (200, "text/xml", _WSDL),
    "broken.wsdl": (200, "text/xml", _WSDL[:-10]),
    "moved.wsdl": (302, "text/xml", _WSDL),
    "people.yaml": (200, "application/x-yaml", _YAML),
    "people": (200, "application/json; charset=utf-8", _JSON),
    "old.yaml": (200, "text/plain", b"openapi: 3.0\n"),
    "list.json": (200, "text/plain", b"[]"),
}
