"""REST messages: the request and the answer as values, and the parts that are hashed and signed.

The rule: a message is its octets. They are made once, where the message enters the network, and
nothing is regenerated on receipt; the fields beside them are read from them. Headers hold secrets
(Authorization, cookies) and queries private data, so neither shows in a repr. Codes are unprefixed.
Sources: rest-protocol 1-3 and 6, transport 5.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Literal, NoReturn

import msgspec

from xgate.algorithms import SHA512
from xgate.errors import Fault
from xgate.ids import ClientId, RepresentedParty, ServerId, ServiceId
from xgate.wire.rest_fields import read_request_fields, read_response_fields
from xgate.wire.rest_head import Headers, check_header, is_skipped, read_head, write_head
from xgate.wire.rest_path import read_reference, read_service
from xgate.wire.target import BadTarget, Target, read_target

__all__ = [
    "VERBS",
    "BadTarget",
    "RestRequest",
    "RestResponse",
    "check_rest_consistent",
    "read_rest_call",
    "read_rest_request",
    "read_rest_response",
    "request_hash",
    "write_rest_response",
]

VERBS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"})
"""The methods that travel; case sensitive."""


class RestRequest(msgspec.Struct, frozen=True):
    """A REST request.

    :param octets: the transport part, ``application/x-road-rest-request``, as sent or received.
    :param target: path and query, raw.
    :param service_path: what follows the service in the path, raw; ``""`` or from a slash on.
    :param id: the query id (``x-road-id``).
    :param request_id: the UUID of this one exchange (``x-road-request-id``).
    """

    protocol: ClassVar[Literal["REST"]] = "REST"

    octets: bytes
    verb: str
    target: Target
    service: ServiceId
    service_path: str
    headers: Headers
    client: ClientId
    id: str
    request_id: str
    security_server: ServerId | None = None
    represented_party: RepresentedParty | None = None
    user_id: str | None = None
    issue: str | None = None

    @property
    def query(self) -> str | None:
        """The raw query; ``""`` is not None."""
        return self.target.query

    @property
    def canonical(self) -> bool:
        """Whether the octets are exactly what a sender writes for this request.

        The reference's provider side hashes its own rewriting of the part, so only canonical parts
        have one request hash everywhere (transport, trap 4). Ours hashes what it received.
        """
        return self.octets == write_head(self.verb, str(self.target), self.headers)

    def __repr__(self) -> str:
        return f"<REST {self.verb} {self.id!r}: {self.client} {self.service}>"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("verb", self.verb), ("id", self.id), ("service", self.service)]


class RestResponse(msgspec.Struct, frozen=True):
    """A REST answer; client, service and request id are None when the sender left them out."""

    protocol: ClassVar[Literal["REST"]] = "REST"

    octets: bytes
    status: int
    reason: str
    headers: Headers
    client: ClientId | None
    service: ServiceId | None
    id: str
    request_id: str | None
    request_hash: str

    def __repr__(self) -> str:
        return f"<REST answer {self.status} {self.id!r}: {self.client} {self.service}>"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("status", self.status), ("id", self.id), ("service", self.service)]


def read_rest_call(
    method: str,
    target: str,
    headers: Sequence[tuple[str, str]],
    *,
    request_id: str,
    fresh_id: str,
) -> RestRequest:
    """The request of an information system, ready to be sent.

    :param headers: as received, one character for each octet, without blanks at either end.
    :param request_id: a new UUID; it becomes the ``x-road-request-id``.
    :param fresh_id: becomes the ``x-road-id`` when the caller gave none.
    :raises BadTarget: where a front server answers 400 (rest-protocol 1).
    :raises Fault: ``invalid_client_identifier`` without X-Road-Client; else ``internal_error``.
    """
    if method == "CONNECT":
        raise BadTarget("CONNECT is not served")
    split = read_target(target, _last(headers, "host"))
    if method not in VERBS:
        _refuse(f"Unsupported method {method}")
    sent = [*_passing(headers, _NOT_SENT), (_REQUEST_ID, request_id)]
    service, service_path = read_service(split.path)
    fields = read_request_fields(sent)
    if "client" not in fields:
        raise Fault("invalid_client_identifier", "The client identifier is missing")
    if "id" not in fields:
        sent.append((_ID, fresh_id))
        fields["id"] = fresh_id
    elif not fields["id"]:
        # The reference sends it and fails on the answer, after the service has acted.
        _refuse("Invalid X-Road-Id: it is empty")
    return RestRequest(
        octets=write_head(method, str(split), sent),
        verb=method,
        target=split,
        service=service,
        service_path=service_path,
        headers=tuple(sent),
        **fields,
    )


def read_rest_request(octets: bytes) -> RestRequest:
    """A request part as the provider's server receives it.

    :raises Fault: ``internal_error`` for anything that the grammar of rest-protocol 3 does not
        allow, and for a request without client, query id or request id.
    """
    head = read_head(octets)
    if head.first not in VERBS:
        _refuse(f"Unsupported method {head.first}")
    path, query = read_reference(head.second)
    service, service_path = read_service(path)
    fields = read_request_fields(head.headers)
    for field, name in (("client", "X-Road-Client"), ("id", _ID), ("request_id", _REQUEST_ID)):
        if field not in fields:
            _refuse(f"REST request has no {name} header")
    return RestRequest(
        octets=octets,
        verb=head.first,
        target=Target(path, query),
        service=service,
        service_path=service_path,
        headers=head.headers,
        **fields,
    )


def write_rest_response(
    request: RestRequest,
    status: int,
    reason: str,
    headers: Iterable[tuple[str, str]],
    request_hash: str,
) -> RestResponse:
    """The answer of a service, ready to be signed.

    :param headers: the service's, one character for each octet.
    :param request_hash: as ``request_hash`` makes it.
    :raises Fault: ``internal_error`` for a status, reason or header that can not be written.
    """
    if not 200 <= status <= 999:
        _refuse(f"Invalid status {status}")
    check_header("reason", reason)
    added = (
        (_ID, request.id),
        ("x-road-client", request.client.url),
        ("x-road-service", request.service.url),
        (_REQUEST_ID, request.request_id),
        ("x-road-request-hash", request_hash),
    )
    sent = (*_passing(headers, _NOT_ANSWERED), *added)
    return RestResponse(
        octets=write_head(str(status), reason, sent),
        status=status,
        reason=reason,
        headers=sent,
        client=request.client,
        service=request.service,
        id=request.id,
        request_id=request.request_id,
        request_hash=request_hash,
    )


def read_rest_response(octets: bytes) -> RestResponse:
    """An answer part as the client's server receives it.

    :raises Fault: ``internal_error``, ``Invalid REST Response message`` without id or hash.
    """
    head = read_head(octets)
    if not _STATUS.fullmatch(head.first):
        _refuse("REST response has no valid status")
    check_header("reason", head.second)
    fields = read_response_fields(head.headers)
    if not fields.get("id") or not fields.get("request_hash"):
        _refuse("Invalid REST Response message")
    return RestResponse(
        octets=octets,
        status=int(head.first),
        reason=head.second,
        headers=head.headers,
        client=fields.get("client"),
        service=fields.get("service"),
        id=fields["id"],
        request_id=fields.get("request_id"),
        request_hash=fields["request_hash"],
    )


def request_hash(head_digest: bytes, body_digest: bytes | None) -> str:
    """The value of ``x-road-request-hash``.

    :param head_digest: SHA-512 of the request part.
    :param body_digest: SHA-512 of the body part; None when there was none (empty is not none).
    """
    whole = head_digest if body_digest is None else SHA512.of(head_digest + body_digest)
    return base64.b64encode(whole).decode()


def check_rest_consistent(request: RestRequest, response: RestResponse, expected_hash: str) -> None:
    """Refuse an answer that does not belong to the request (rest-protocol 6, in its order).

    :param expected_hash: ``request_hash`` of the request as it was sent.
    :raises Fault: ``inconsistent_response``.
    """
    for what, same in (
        ("client id", response.client == request.client),
        ("message id", response.id == request.id),
        ("service id", response.service == request.service),
        ("message request id", response.request_id == request.request_id),
        ("message hash", response.request_hash == expected_hash),
    ):
        if not same:
            raise Fault("inconsistent_response", f"Response {what} does not match request message")


_ID = "x-road-id"
_REQUEST_ID = "x-road-request-id"
_NOT_SENT = frozenset({_REQUEST_ID, "x-road-request-hash"})
_NOT_ANSWERED = frozenset({_ID, "x-road-request-hash", "x-road-client", _REQUEST_ID})


def _passing(
    headers: Iterable[tuple[str, str]], removed: frozenset[str]
) -> Iterable[tuple[str, str]]:
    for name, value in headers:
        if is_skipped(name) or name.lower() in removed:
            continue
        trimmed = value.strip(" \t")
        check_header(name, trimmed)
        yield name, trimmed


def _last(headers: Sequence[tuple[str, str]], name: str) -> str | None:
    return next((value for key, value in reversed(headers) if key.lower() == name), None)


_STATUS = re.compile(r"[2-9][0-9]{2}")


def _refuse(text: str) -> NoReturn:
    raise Fault("internal_error", text)
