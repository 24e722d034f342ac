"""Whose signature a stored message must bear, read from the message itself.

The rule: a request is signed by its client, an answer by the client that offers the service. A
container does not say which of the two it holds: an answer is a SOAP body whose element's name
ends in ``Response``, or a REST part that begins with a status code. Only what is needed for this
is read, and it must be there once: the message was judged when it was exchanged, perhaps by the
rules of an older protocol, and whoever is named here must have signed it. Source: asic 5 row 7.
"""

from __future__ import annotations

from lxml import etree

from xgate.errors import Fault
from xgate.ids import ClientId, ServiceId
from xgate.wire import xml
from xgate.wire.names import SOAP_NS, XROAD_NS, read_id
from xgate.wire.rest import read_rest_request, read_rest_response

__all__ = ["signer_of"]


def signer_of(message: bytes) -> ClientId:
    """The client whose member must have signed these octets of a stored message.

    :raises Fault: ``internal_error`` if they are neither SOAP nor REST; ``invalid_soap``, or the
        codes of ``wire.names.read_id``, if they are SOAP that does not name its signer once.
    """
    try:
        envelope = xml.parse(message)
    except Fault:
        return _rest_signer(message)
    if envelope.tag != f"{{{SOAP_NS}}}Envelope":
        return _rest_signer(message)
    header = _only(envelope, f"{{{SOAP_NS}}}Header")
    body = _only(_only(envelope, f"{{{SOAP_NS}}}Body"), "*")
    answer = etree.QName(body).localname.endswith("Response")
    named = read_id(_only(header, f"{{{XROAD_NS}}}{'service' if answer else 'client'}"))
    if answer and isinstance(named, ServiceId):
        return named.client
    if not answer and isinstance(named, ClientId):
        return named
    raise Fault("invalid_soap", "The message's header names no client or service")


def _only(parent: etree._Element, name: str) -> etree._Element:
    found = parent.findall(name)
    if len(found) != 1:
        raise Fault("invalid_soap", f"There must be one '{name}', and there are {len(found)}")
    return found[0]


def _rest_signer(message: bytes) -> ClientId:
    try:
        if message[:1] not in _FIRST_DIGITS:
            return read_rest_request(message).client
        service = read_rest_response(message).service
    except Fault as fault:
        raise Fault(
            "internal_error", f"The message is neither SOAP nor REST: {fault.text}"
        ) from fault
    if service is None:
        raise Fault("internal_error", "The REST answer does not name its service")
    return service.client


_FIRST_DIGITS = tuple(b"%d" % digit for digit in range(1, 10))
