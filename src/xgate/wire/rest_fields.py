"""What the X-Road headers of a REST message say.

The rule: names are read whatever their case, but a request's ``x-road-request-id`` counts in
exactly this spelling, because the reference's receiver sees no other (rest-protocol 2 and 3,
transport trap 5). All of a request's headers reach the service, which may look at the first of
equal names, or take ``_`` for ``-`` as CGI does; so a request that says two things, or seems to, is
refused. Of an answer's the last wins. Identifiers are parsed; the first bad one refuses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from xgate.errors import Fault
from xgate.ids import parse_client, parse_represented_party, parse_server, parse_service

__all__ = ["read_request_fields", "read_response_fields"]


def read_request_fields(headers: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Of a request: client, id, request_id, user_id, issue, represented_party, security_server.

    Only what is there; the keys are fields of ``RestRequest``.

    :raises Fault: ``internal_error`` for an identifier of another form, a field that has two
        values, or a name that differs from a field's only by underscores.
    """
    headers = tuple(headers)
    _check_unambiguous(headers)
    return _read(headers, _REQUEST, exact=_REQUEST_ID)


def read_response_fields(headers: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Of an answer: client, service, id, request_id, request_hash. Only what is there.

    :raises Fault: ``internal_error`` for an identifier of another form.
    """
    return _read(headers, _RESPONSE)


_Reader = tuple[str, Callable[[str], Any]]
_REQUEST_ID = "x-road-request-id"
_REQUEST: dict[str, _Reader] = {
    "x-road-client": ("client", parse_client),
    "x-road-id": ("id", str),
    _REQUEST_ID: ("request_id", str),
    "x-road-userid": ("user_id", str),
    "x-road-issue": ("issue", str),
    "x-road-represented-party": ("represented_party", parse_represented_party),
    "x-road-security-server": ("security_server", parse_server),
}
_RESPONSE: dict[str, _Reader] = {
    "x-road-client": ("client", parse_client),
    "x-road-service": ("service", parse_service),
    "x-road-id": ("id", str),
    _REQUEST_ID: ("request_id", str),
    "x-road-request-hash": ("request_hash", str),
}


def _check_unambiguous(headers: Iterable[tuple[str, str]]) -> None:
    said: dict[str, str] = {}
    for name, value in headers:
        lower = name.lower()
        field = lower.replace("_", "-")
        if field not in _REQUEST:
            continue
        if (
            lower != field
            or said.setdefault(name if field == _REQUEST_ID else field, value) != value
        ):
            raise Fault("internal_error", f"Invalid header: {name}")


def _read(
    headers: Iterable[tuple[str, str]], readers: dict[str, _Reader], exact: str | None = None
) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, value in headers:
        lower = name.lower()
        if lower not in readers or (lower == exact and name != exact):
            continue
        field, reader = readers[lower]
        fields[field] = reader(value)
    return fields
