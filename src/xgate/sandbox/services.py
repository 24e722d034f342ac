"""Two services of a provider's information system: people over REST, random numbers over SOAP.

The rule: they behave as ordinary services do and know nothing of xgate; the SOAP one answers with
the header fields it was given, as the protocol asks (soap-protocol 2).
"""

from __future__ import annotations

import copy
import secrets

import msgspec
from lxml import etree

from xgate.errors import Fault
from xgate.net.server import Exchange
from xgate.wire.content_type import read_content_type
from xgate.wire.mime import MultipartReader, PartBegin, PartData
from xgate.wire.names import SOAP_NS
from xgate.wire.xml import parse

__all__ = ["serve_people", "serve_random"]

_MOST = 16 << 20
_PEOPLE = {"1": "Linda", "2": "Kalev", "3": "Olev"}


async def serve_people(exchange: Exchange) -> None:
    """``GET /people/ID`` tells a name; ``POST /echo`` gives the body back."""
    body = await _read(exchange)
    path = exchange.target.partition("?")[0]
    if path == "/echo":
        kind = exchange.find_header("content-type") or "application/octet-stream"
        await exchange.respond(200, [("Content-Type", kind)], body)
        return
    name = _PEOPLE.get(path.removeprefix("/people/"))
    if name is None:
        await exchange.respond(404, [("Content-Type", "application/json")], b'{"error":"nobody"}')
        return
    answer = msgspec.json.encode({"id": path.rpartition("/")[2], "name": name})
    await exchange.respond(200, [("Content-Type", "application/json")], answer)


async def serve_random(exchange: Exchange) -> None:
    """``getRandom``: a number, and how many attachments came along."""
    body = await _read(exchange)
    try:
        envelope, attachments = _open(exchange.find_header("content-type") or "", body)
        answer = _answer(parse(envelope), attachments)
    except Fault as fault:
        await exchange.respond(500, [("Content-Type", "text/plain")], str(fault).encode())
        return
    await exchange.respond(200, [("Content-Type", "text/xml; charset=UTF-8")], answer)


async def _read(exchange: Exchange) -> bytes:
    octets = bytearray()
    while data := await exchange.receive():
        octets += data
        if len(octets) > _MOST:
            raise Fault("invalid_request", "the request is too large")
    return bytes(octets)


def _open(content_type: str, body: bytes) -> tuple[bytes, int]:
    kind = read_content_type(content_type)
    if kind.base != "multipart/related":
        return body, 0
    reader = MultipartReader(kind.boundary or "")
    parts: list[list[bytes]] = []
    for event in (*reader.feed(body), *reader.finish()):
        if isinstance(event, PartBegin):
            parts.append([])
        elif isinstance(event, PartData):
            parts[-1].append(bytes(event.data))
    if not parts:
        raise Fault("invalid_request", "the request has no parts")
    return b"".join(parts[0]), len(parts) - 1


def _answer(request: etree._Element, attachments: int) -> bytes:
    prefixes = {prefix: uri for prefix, uri in request.nsmap.items() if prefix}
    answer = etree.Element(request.tag, nsmap=prefixes)
    header = request.find(f"{{{SOAP_NS}}}Header")
    if header is None:
        raise Fault("invalid_request", "the request has no header")
    answer.append(copy.deepcopy(header))
    body = etree.SubElement(answer, f"{{{SOAP_NS}}}Body")
    response = etree.SubElement(body, "{urn:xgate:sandbox}getRandomResponse")
    etree.SubElement(response, "number").text = str(secrets.randbelow(1_000_000))
    etree.SubElement(response, "attachments").text = str(attachments)
    return etree.tostring(answer, xml_declaration=True, encoding="UTF-8")
