"""Whose signature a stored message must bear, and between whom it went: read from the message.

The rule: a request is signed by its client, an answer by the client that offers the service. A
container does not say which of the two it holds: an answer is a SOAP body whose element's name
ends in ``Response``, or a REST part that begins with a status code. Only what is needed for this
is read, and it must be there once: the message was judged when it was exchanged, perhaps by the
rules of an older protocol, and whoever is named here must have signed it. Source: asic 5 row 7.
"""

from __future__ import annotations

from contextlib import suppress

import msgspec
from lxml import etree

from xgate.errors import Fault
from xgate.ids import ClientId, ServiceId
from xgate.wire import xml
from xgate.wire.names import SOAP_NS, XROAD_NS, read_id
from xgate.wire.rest import read_rest_request, read_rest_response

__all__ = ["Parties", "parties_of"]


_ENVELOPE, _HEADER, _BODY = (f"{{{SOAP_NS}}}{name}" for name in ("Envelope", "Header", "Body"))
# A message was bounded when it was exchanged, perhaps by other settings than ours.
_MOST = xml.Bounds(depth=250, nodes=1 << 62, told=100_000, namespace=2048)
_LONGEST = 10_000  # characters of a field


class Parties(msgspec.Struct, frozen=True):
    """The two ends of a message.

    :param signer: the client whose member must have signed it.
    :param instances: of both ends; of the signer's alone if the message does not name the other.
    """

    signer: ClientId
    instances: frozenset[str]


def parties_of(message: bytes) -> Parties:
    """The parties of a stored message.

    :raises Fault: ``internal_error`` if they are neither SOAP nor REST; ``invalid_soap``, or the
        codes of ``wire.names.read_id``, if they are SOAP that does not name its signer once.
    """
    try:
        envelope = _sketch(message)
    except Fault:
        return _rest_parties(message)
    if envelope.tag != _ENVELOPE:
        return _rest_parties(message)
    header = _only(envelope, _HEADER)
    body = _only(_only(envelope, _BODY), "*")
    answer = etree.QName(body).localname.endswith("Response")
    ends = ("service", "client") if answer else ("client", "service")
    first, second = (f"{{{XROAD_NS}}}{end}" for end in ends)
    named = read_id(_only(header, first))
    if isinstance(named, ServiceId if answer else ClientId):
        signer = named.client if isinstance(named, ServiceId) else named
        other = None
        with suppress(Fault):
            other = read_id(_only(header, second))
        return _parties(signer, other if isinstance(other, ClientId | ServiceId) else None)
    raise Fault("invalid_soap", "The message's header names no client or service")


class _Sketch:
    """The scanner that makes a tree of an envelope: the Header, and of the Body the names in it."""

    def __init__(self) -> None:
        self.root: etree._Element | None = None
        self._open: list[etree._Element] = []

    def start(self, name: str, attributes: dict[str, str], offset: int) -> bool:
        if self.root is None:
            self.root = element = etree.Element(name, attributes)
        else:
            element = etree.SubElement(self._open[-1], name, attributes)
        inside = self._open and self._open[-1].tag == _BODY
        if inside or (len(self._open) == 1 and name not in (_HEADER, _BODY)):
            return False
        self._open.append(element)
        return True

    def end(self, name: str, offset: int) -> None:
        self._open.pop()

    def text(self, text: str) -> None:
        element = self._open[-1]
        if len(element):  # what stands between elements says nothing
            return
        element.text = (element.text or "") + text
        if len(element.text) > _LONGEST:
            raise Fault("invalid_soap", f"A field is longer than {_LONGEST} characters")


def _sketch(message: bytes) -> etree._Element:
    """The envelope without what is in its body, however much that is.

    :raises Fault: it is no XML.
    """
    sketch = _Sketch()
    xml.scan(message, sketch, limit=len(message), bounds=_MOST)
    assert sketch.root is not None, "the scanner refuses a document without elements"
    return sketch.root


def _parties(signer: ClientId, other: ClientId | ServiceId | None) -> Parties:
    client = other.client if isinstance(other, ServiceId) else other
    ends = {signer.instance} if client is None else {signer.instance, client.instance}
    return Parties(signer, frozenset(ends))


def _only(parent: etree._Element, name: str) -> etree._Element:
    found = parent.findall(name)
    if len(found) != 1:
        raise Fault("invalid_soap", f"There must be one '{name}', and there are {len(found)}")
    return found[0]


def _rest_parties(message: bytes) -> Parties:
    try:
        if message[:1] not in _FIRST_DIGITS:
            request = read_rest_request(message)
            return _parties(request.client, request.service)
        answer = read_rest_response(message)
    except Fault as fault:
        raise Fault(
            "internal_error", f"The message is neither SOAP nor REST: {fault.text}"
        ) from fault
    if answer.service is None:
        raise Fault("internal_error", "The REST answer does not name its service")
    return _parties(answer.service.client, answer.client)


_FIRST_DIGITS = tuple(b"%d" % digit for digit in range(1, 10))
