"""A REST message on plain HTTP: what the service receives, and what the caller gets back.

The rule: what was signed is handed on as it is, path and query octet for octet, headers in order;
only the framing is our own. Nothing is decoded, redirected or remembered between calls. Sources:
rest-protocol 4 and 5.
"""

from __future__ import annotations

import re

from xgate.errors import Fault
from xgate.ids import encode_segment
from xgate.wire.rest import RestRequest, RestResponse

__all__ = ["caller_headers", "carries_body", "has_body", "service_address", "service_headers"]


def service_address(url: str, request: RestRequest) -> str:
    """Where to call the service: its configured URL, the service path and the query.

    Runs of slashes become one, characters beyond ASCII are escaped, all else stays raw.

    :param url: ``http(s)://authority[/path]``, without a query.
    :raises Fault: ``internal_error`` when the URL has another form (the reference's code for REST).
    """
    base = _BASE.fullmatch(url)
    if base is None:
        raise Fault("internal_error", f"Malformed service address '{url}'")
    path = _SLASHES.sub("/", base["path"] + request.service_path)
    query = "" if request.query is None else "?" + request.query
    return base["origin"] + _ascii((path or "/") + query)


def service_headers(request: RestRequest, body_size: int | None) -> list[tuple[str, str]]:
    """The headers for the service, one character for each octet; the client adds its own Host.

    POST, PUT and PATCH always say their Content-Length, 0 without a body part.

    :param body_size: of the body part in octets, None when there was none.
    """
    headers = [(name, _octets(value)) for name, value in request.headers]
    if carries_body(request):
        headers.append(("Content-Length", str(body_size or 0)))
    return headers


def carries_body(request: RestRequest) -> bool:
    """Whether the service receives the body; that of other verbs is signed but not delivered."""
    return request.verb in ("POST", "PUT", "PATCH")


def caller_headers(response: RestResponse, date: str) -> list[tuple[str, str]]:
    """The headers for the caller, one character for each octet, with exactly one Date.

    :param date: our own, an HTTP date, for an answer without one; else the answer's last stays.
    """
    headers = [(name, _octets(value)) for name, value in response.headers]
    dates = [value for name, value in headers if name.lower() == "date"]
    kept = [(name, value) for name, value in headers if name.lower() != "date"]
    return [*kept, ("Date", dates[-1] if dates else date)]


def has_body(request: RestRequest, response: RestResponse) -> bool:
    """Whether HTTP allows this answer a body."""
    return request.verb != "HEAD" and response.status not in (204, 304)


_BASE = re.compile(r"(?P<origin>(?i:https?)://[^/?#\s]+)(?P<path>(?:/[^?#\s]*)?)")
_SLASHES = re.compile(r"/{2,}")


def _ascii(text: str) -> str:
    if text.isascii():
        return text
    return "".join(char if char.isascii() else encode_segment(char) for char in text)


def _octets(value: str) -> str:
    """A value of one octet a character; what no octet stands for becomes ``?``.

    A part may have blanks around it, which are signed; in HTTP they are no part of the value.
    """
    return value.strip(" \t").encode("latin-1", "replace").decode("latin-1")
