"""Messages without what is in them: what may be logged where bodies may not.

The rule: who asked whom for which service stays, and nothing else: a SOAP message is written anew
with its X-Road header and an empty body element; of a REST part the verb or status stays, the path
up to the service, and the ``x-road-`` headers. Source: messagelog 1.1.
"""

from __future__ import annotations

from lxml import etree

from xgate.wire.message import Answer, Request
from xgate.wire.names import ID_NS, REPRESENTATION_NS, SOAP_NS, XROAD_NS, add_id
from xgate.wire.rest import RestRequest
from xgate.wire.rest_head import write_head
from xgate.wire.soap import SoapMessage

__all__ = ["without_body"]


def without_body(message: Request | Answer) -> bytes:
    """The octets that are logged in place of ``message.octets``. They are not what was signed."""
    if isinstance(message, SoapMessage):
        return _soap(message)
    headers = [pair for pair in message.headers if pair[0].lower().startswith("x-road-")]
    if isinstance(message, RestRequest):
        path = message.target.path.removesuffix(message.service_path)
        return write_head(message.verb, path, headers)
    return write_head(str(message.status), message.reason, headers)


def _soap(message: SoapMessage) -> bytes:
    prefixes = {"SOAP-ENV": SOAP_NS, "xroad": XROAD_NS, "id": ID_NS}
    envelope = etree.Element(f"{{{SOAP_NS}}}Envelope", nsmap=prefixes)
    header = etree.SubElement(envelope, f"{{{SOAP_NS}}}Header")
    add_id(header, f"{{{XROAD_NS}}}client", message.client)
    add_id(header, f"{{{XROAD_NS}}}service", message.service)
    if message.security_server is not None:
        add_id(header, f"{{{XROAD_NS}}}securityServer", message.security_server)
    _add(header, "userId", message.user_id)
    _add_party(header, message)
    _add(header, "issue", message.issue)
    _add(header, "id", message.id)
    if message.request_hash is not None:
        hashed = _add(header, "requestHash", message.request_hash.value)
        if hashed is not None and message.request_hash.algorithm_id is not None:
            hashed.set("algorithmId", message.request_hash.algorithm_id)
    _add(header, "protocolVersion", message.protocol_version)
    body = etree.SubElement(envelope, f"{{{SOAP_NS}}}Body")
    tail = "Response" if message.response else ""
    etree.SubElement(body, f"{{{XROAD_NS}}}{message.service.service_code}{tail}")
    return etree.tostring(envelope, xml_declaration=True, encoding="UTF-8")


def _add(header: etree._Element, name: str, text: str | None) -> etree._Element | None:
    if text is None:
        return None
    element = etree.SubElement(header, f"{{{XROAD_NS}}}{name}")
    element.text = text
    return element


def _add_party(header: etree._Element, message: SoapMessage) -> None:
    party = message.represented_party
    if party is None:
        return
    tag = f"{{{REPRESENTATION_NS}}}"
    element = etree.SubElement(header, f"{tag}representedParty", nsmap={"repr": REPRESENTATION_NS})
    for name, text in (("partyClass", party.party_class), ("partyCode", party.party_code)):
        if text is not None:
            etree.SubElement(element, f"{tag}{name}").text = text
