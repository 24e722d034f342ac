"""HTTP heads of messages between security servers: what is written, and what is checked.

The rule: header names are written in exactly the reference's case, because it looks response
headers up in lower case; they are read in any case, and the last of repeated ones counts. Checks
come in the server proxy's order: method (then, outside, the global configuration), version,
message type, SOAPAction, digest algorithm, content type. Sources: transport 2, 3 and trap 1;
pipeline 6 and 8 rows 3-7.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from xgate.algorithms import SHA512, digest_named
from xgate.errors import SERVICE_FAILED, Fault, faults_under
from xgate.wire.content_type import ContentType, find_charset, read_content_type
from xgate.wire.fields import find_header
from xgate.wire.parts import Protocol
from xgate.wire.proxy_version import PROXY_VERSION, check_version

__all__ = [
    "FaultHead",
    "TransportHead",
    "check_method",
    "check_original_content_type",
    "check_soap_action",
    "read_request_head",
    "read_response_head",
    "write_fault_head",
    "write_request_head",
    "write_response_head",
]

_HTTP_HEADERS = Sequence[tuple[str, str]]


class TransportHead(msgspec.Struct, frozen=True):
    """What the HTTP head of a message says.

    :param boundary: of the multipart that follows.
    :param original_content_type: what the information system sent; None when the header is absent.
    :param soap_action: verbatim, with its quotes; empty when there is none.
    :param request_id: of the exchange; empty only in SOAP requests of old peers and in responses.
    :param version: of the peer, as it says itself; empty when it does not.
    """

    protocol: Protocol
    boundary: str
    original_content_type: str | None = None
    soap_action: str = ""
    request_id: str = ""
    version: str = ""


class FaultHead(msgspec.Struct, frozen=True):
    """The answer is no multipart: its body is one fault document."""

    content_type: str


def write_request_head(
    protocol: Protocol,
    *,
    boundary: str,
    original_content_type: str,
    soap_action: str,
    request_id: str,
    version: str = PROXY_VERSION,
) -> list[tuple[str, str]]:
    """The headers of a request that say what the message is (``POST /``, chunked).

    :param boundary: the whole boundary (``MessageWriter.boundary``).
    :param original_content_type: what the information system sent; empty if it sent none.
    :param soap_action: verbatim; not written for REST.
    """
    head = [
        ("Content-Type", _multipart(boundary)),
        ("x-hash-algorithm", SHA512.name),
        ("x-proxy-version", version),
        ("x-original-content-type", original_content_type),
    ]
    if protocol == "SOAP":
        head.append(("x-original-soapaction", soap_action))
    else:
        head.append(("x-road-message-type", "REST"))
    return [*head, ("x-road-request-id", request_id)]


def write_response_head(
    protocol: Protocol, *, boundary: str, original_content_type: str
) -> list[tuple[str, str]]:
    """The headers of a response (status 200); the service's content type is written for SOAP."""
    head = [("Content-Type", _multipart(boundary)), ("x-hash-algorithm", SHA512.name)]
    if protocol == "SOAP":
        head.append(("x-original-content-type", original_content_type))
    return head


def write_fault_head() -> list[tuple[str, str]]:
    """The headers of an answer (status 200, always) that is one SOAP fault, to whomever."""
    return [("Content-Type", "text/xml;charset=utf-8"), ("SOAPAction", "")]


def check_method(method: str) -> None:
    """Messages are posted.

    :raises Fault: ``invalid_http_method``.
    """
    if method != "POST":
        raise Fault("invalid_http_method", f"Must use POST request method instead of {method}")


def read_request_head(
    method: str, headers: _HTTP_HEADERS, *, minimum_version: str | None = None
) -> TransportHead:
    """Check and read a request's head.

    A server proxy calls ``check_method`` first, then looks at its global configuration, then
    calls this, which checks the method once more and all the rest.

    :param minimum_version: the oldest peer that is served; None serves all.
    :raises Fault: ``invalid_http_method``; ``client_proxy_version_not_supported``;
        ``invalid_soap_action``; ``internal_error`` for a version that can not be compared or a
        digest algorithm that is missing or not SHA-512; ``service_failed.invalid_content_type``.
    """
    check_method(method)
    version = find_header(headers, "x-proxy-version") or ""
    if minimum_version is not None:
        check_version(version, minimum_version)
    rest = find_header(headers, "x-road-message-type") == "REST"
    soap_action = find_header(headers, "x-original-soapaction") or ""
    request_id = find_header(headers, "x-road-request-id") or ""
    if not rest:
        check_soap_action(soap_action)
    _check_hash_algorithm(headers)
    with faults_under(SERVICE_FAILED):
        content_type = _content_type(headers, "request")
        boundary = _boundary(content_type)
        if rest and not request_id:
            raise Fault("internal_error", "Could not get request id from message")
    return TransportHead(
        protocol="REST" if rest else "SOAP",
        boundary=boundary,
        original_content_type=find_header(headers, "x-original-content-type"),
        soap_action="" if rest else soap_action,
        request_id=request_id,
        version=version,
    )


def read_response_head(
    status: int, reason: str, headers: _HTTP_HEADERS, *, protocol: Protocol = "SOAP"
) -> TransportHead | FaultHead:
    """Check and read a response's head.

    :param protocol: of the request; a response does not say it.
    :raises Fault: ``http_error``; ``invalid_content_type`` when there is none, under
        ``service_failed`` when it is another one; ``internal_error`` for a digest algorithm that
        is missing or not SHA-512.
    """
    if status not in (200, 500):
        raise Fault("http_error", f"Server responded with error {status}: {reason}")
    content_type = _content_type(headers, "response")
    if content_type.base == "text/xml":
        return FaultHead(find_header(headers, "content-type") or "")
    with faults_under(SERVICE_FAILED):
        boundary = _boundary(content_type)
        _check_hash_algorithm(headers)
    return TransportHead(
        protocol=protocol,
        boundary=boundary,
        original_content_type=find_header(headers, "x-original-content-type"),
    )


def check_original_content_type(value: str | None) -> ContentType:
    """The content type that the other side's information system used; SOAP can not do without.

    :raises Fault: ``internal_error`` when it is absent or blank or names an unknown charset.
    """
    if value is None or not value.strip():
        raise Fault("internal_error", "Could not get original content type from message")
    content_type = read_content_type(value)
    charset = content_type.parameters.get("charset")
    if charset is not None and find_charset(charset) is None:
        raise Fault("internal_error", f"Unknown charset '{charset}'")
    return content_type


def check_soap_action(value: str) -> None:
    """A SOAPAction is nothing, ``""``, or a URI reference in double quotes (soap-protocol 3).

    :raises Fault: ``invalid_soap_action``.
    """
    if value in ("", '""'):
        return
    if not (len(value) > 2 and value[0] == value[-1] == '"' and _URI.fullmatch(value[1:-1])):
        raise Fault("invalid_soap_action", "Malformed SOAPAction header")


# RFC 3986 URI-reference, with the reference's leave for other printable characters. Nothing in it
# backtracks: a header is as long as its sender likes.
_CHAR = r"(?:[A-Za-z0-9\-._~!$&'()*+,;=@\xa0-\U0010ffff]|%[0-9A-Fa-f]{2})"
_URI = re.compile(
    rf"(?:[A-Za-z][A-Za-z0-9+.\-]*+:(?={_CHAR}|[:/?])(?!//(?:[/?#]|$))|(?!{_CHAR}*+:))"
    rf"(?://(?:{_CHAR}|[:\[\]])*+)?(?:{_CHAR}|[:/])*+"
    rf"(?:\?(?:{_CHAR}|[:/?\[\]])*+)?(?:#(?:{_CHAR}|[:/?])*+)?"
)


def _multipart(boundary: str) -> str:
    return f"multipart/mixed; charset=UTF-8; boundary={boundary}"


def _content_type(headers: _HTTP_HEADERS, kind: str) -> ContentType:
    value = find_header(headers, "content-type")
    if value is None or not value.strip():
        raise Fault("invalid_content_type", f"Could not get content type from {kind}")
    return read_content_type(value)


def _boundary(content_type: ContentType) -> str:
    if content_type.base != "multipart/mixed":
        raise Fault("invalid_content_type", f"Invalid content type: {content_type.base}")
    if content_type.boundary is None:
        text = "Multipart content type is missing required boundary"
        raise Fault("invalid_content_type", text)
    return content_type.boundary


def _check_hash_algorithm(headers: _HTTP_HEADERS) -> None:
    name = find_header(headers, "x-hash-algorithm")
    if name is None or not name.strip():
        text = "Could not get hash algorithm identifier from message"
        raise Fault("internal_error", text)
    # Whatever the name, messages are digested with SHA-512 (transport trap 2).
    if digest_named(name.strip()) != SHA512:
        raise Fault(
            "internal_error", f"Hash algorithm '{name}' can not be used, only {SHA512.name}"
        )
