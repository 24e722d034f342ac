"""What a corridor handles: a request or an answer, in whichever protocol.

The rule: SOAP and REST differ in how they are read; from then on both are octets with a client, a
service and an id. What still depends on the protocol is decided here and not in the corridors.
Sources: soap-protocol 6, rest-protocol 6 and 8, pipeline 3 and 8.
"""

from __future__ import annotations

from typing import Literal

from xgate.errors import Fault
from xgate.ids import decode_segment
from xgate.wire.rest import RestRequest, RestResponse, check_rest_consistent, request_hash
from xgate.wire.soap import SoapMessage, check_consistent

__all__ = ["Answer", "Protocol", "Request", "check_answer", "check_path", "endpoint"]

Protocol = Literal["SOAP", "REST"]
"""As the transport spells it (``x-road-message-type``)."""

Request = SoapMessage | RestRequest
"""Has ``protocol``, ``octets``, ``client``, ``service``, ``id``, ``security_server``, ``user_id``,
``issue`` and ``represented_party``."""

Answer = SoapMessage | RestResponse
"""Has ``protocol``, ``octets``, ``client``, ``service`` and ``id``; in REST only checked ones
(``check_answer``) are sure to have a client and a service."""


def endpoint(request: Request) -> tuple[str, str] | None:
    """Verb and raw service path that access rights look at; None for SOAP, which has neither."""
    if isinstance(request, RestRequest):
        return request.verb, request.service_path
    return None


def check_path(request: Request) -> None:
    """Refuse a REST request whose service path has no reading, whatever service it names.

    :raises Fault: ``internal_error`` (pipeline 8 row 10).
    """
    if isinstance(request, RestRequest):
        for segment in request.service_path.split("/"):
            decode_segment(segment)


def check_answer(
    request: Request, answer: Answer, head_digest: bytes, body_digest: bytes | None = None
) -> None:
    """Refuse an answer that does not belong to the request, in the client's server.

    :param head_digest: SHA-512 of the request's octets as they were sent.
    :param body_digest: REST only: SHA-512 of the request's body part, None when there was none.
    :raises Fault: ``inconsistent_response`` or ``service_failed.inconsistent_response``;
        ``service_failed.invalid_message`` for an answer in the other protocol.
    """
    if isinstance(request, SoapMessage) and isinstance(answer, SoapMessage):
        check_consistent(request, answer, head_digest)
    elif isinstance(request, RestRequest) and isinstance(answer, RestResponse):
        check_rest_consistent(request, answer, request_hash(head_digest, body_digest))
    else:
        raise Fault("service_failed.invalid_message", f"Expected an answer in {request.protocol}")
