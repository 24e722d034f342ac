"""Requests as an information system of the sandbox would send them.

The rule: plain HTTP calls to a security server's client port, as in the protocol's own documents;
nothing of xgate's insides is used to make them.
"""

from __future__ import annotations

from xml.sax.saxutils import escape

from xgate.ids import ClientId

__all__ = ["multipart_related", "rest_url", "soap_request"]

_ENVELOPE = """<?xml version="1.0" encoding="UTF-8"?>
<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"
            xmlns:xrd="http://x-road.eu/xsd/xroad.xsd"
            xmlns:id="http://x-road.eu/xsd/identifiers">
 <e:Header>
  {client}
  {service}
  <xrd:userId>XG12345</xrd:userId>
  <xrd:id>{query}</xrd:id>
  <xrd:protocolVersion>4.0</xrd:protocolVersion>
 </e:Header>
 <e:Body><p:{code} xmlns:p="urn:xgate:sandbox">{content}</p:{code}></e:Body>
</e:Envelope>
"""


def rest_url(address: str, port: int, provider: ClientId, service: str, path: str) -> str:
    """Where a REST request goes: the consumer's own security server."""
    return f"http://{address}:{port}/r1/{provider.url}/{service}{path}"


def soap_request(
    client: ClientId,
    provider: ClientId,
    code: str,
    query_id: str,
    *,
    version: str = "v1",
    content: str = "",
) -> bytes:
    """A SOAP request for service ``code`` of ``provider``."""
    tail = f"<id:serviceCode>{escape(code)}</id:serviceCode>"
    if version:
        tail += f"<id:serviceVersion>{escape(version)}</id:serviceVersion>"
    text = _ENVELOPE.format(
        client=_identifier("client", "SUBSYSTEM", client, ""),
        service=_identifier("service", "SERVICE", provider, tail),
        query=escape(query_id),
        code=code,
        content=content,
    )
    return text.encode()


def _identifier(name: str, kind: str, client: ClientId, tail: str) -> str:
    tags = ("xRoadInstance", "memberClass", "memberCode", "subsystemCode")
    parts = "".join(
        f"<id:{tag}>{escape(part)}</id:{tag}>"
        for tag, part in zip(tags, client.parts, strict=False)
    )
    return f'<xrd:{name} id:objectType="{kind}">{parts}{tail}</xrd:{name}>'


def multipart_related(
    envelope: bytes, attachments: list[tuple[str, bytes]], *, mtom: bool = False
) -> tuple[str, bytes]:
    """The content type and the body of a SOAP message with attachments.

    :param attachments: content type and octets of each.
    :param mtom: mark the first part as ``application/xop+xml``.
    """
    boundary = "sandbox-boundary"
    root = "application/xop+xml; charset=UTF-8" if mtom else "text/xml; charset=UTF-8"
    pieces = [f"--{boundary}\r\nContent-Type: {root}\r\n\r\n".encode() + envelope]
    for number, (kind, octets) in enumerate(attachments, start=1):
        head = f"--{boundary}\r\nContent-Type: {kind}\r\nContent-ID: <part{number}@sandbox>\r\n\r\n"
        pieces.append(head.encode() + octets)
    body = b"\r\n".join(pieces) + f"\r\n--{boundary}--\r\n".encode()
    content_type = f'multipart/related; boundary={boundary}; type="text/xml"'
    return content_type, body
