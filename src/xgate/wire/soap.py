"""SOAP messages: reading them, the request hash, and whether an answer belongs to its request.

The rule: what is hashed and signed is the octets as they came; an answer is changed in one place
only. Sources: soap-protocol 5 and 6.
"""

from __future__ import annotations

import base64
import binascii

import msgspec

from xgate.algorithms import SHA512, SHA512_URI
from xgate.errors import CLIENT, SERVICE_FAILED, Fault
from xgate.wire.soap_message import RequestHash, SoapMessage
from xgate.wire.soap_read import read_soap
from xgate.wire.soap_splice import splice_request_hash

__all__ = [
    "RequestHash",
    "SoapMessage",
    "check_consistent",
    "check_request_hash",
    "fault_of_caller",
    "read_soap",
    "with_request_hash",
]


def with_request_hash(answer: SoapMessage, request_digest: bytes) -> SoapMessage:
    """The answer with the hash of its request directly after ``id``, all else octet for octet.

    A hash that the service put there is dropped, and so is a UTF-8 byte order mark, as the
    reference does for answers: what the caller receives begins with markup.

    :param request_digest: SHA-512 of the request's octets.
    """
    value = base64.b64encode(request_digest).decode()
    spliced = splice_request_hash(answer.octets, answer.id_place, answer.request_hash_place, value)
    return msgspec.structs.replace(
        answer,
        octets=spliced.octets,
        id_place=spliced.id_place,
        request_hash=RequestHash(SHA512_URI, value),
        request_hash_place=spliced.request_hash_place,
    )


def check_consistent(
    request: SoapMessage, answer: SoapMessage, request_digest: bytes | None = None
) -> None:
    """Refuse an answer that does not belong to the request, in the client's server.

    :param request_digest: SHA-512 of the request's octets; None: it is computed here.
    :raises Fault: ``service_failed.inconsistent_response`` for the header fields, then
        ``inconsistent_response`` for the request hash, to go under ``server.clientproxy``.
    """
    if any(getattr(request, field) != getattr(answer, field) for field in _COMPARED):
        raise Fault(
            f"{SERVICE_FAILED}.inconsistent_response",
            "Response from server proxy is not consistent with request",
        )
    if request_digest is None:
        request_digest = SHA512.of(request.octets)
    check_request_hash(answer, request_digest)


def check_request_hash(answer: SoapMessage, request_digest: bytes) -> None:
    """Refuse an answer that carries no hash, or that of another request.

    :raises Fault: ``inconsistent_response``.
    """
    found = answer.request_hash
    if found is None:
        raise Fault(
            "inconsistent_response", "Response from server proxy is missing request message hash"
        )
    if found.algorithm_id not in _ALGORITHMS or _decoded(found.value) != request_digest:
        raise Fault("inconsistent_response", "Request message hash does not match request message")


def fault_of_caller(fault: Fault) -> Fault:
    """What an information system is told that sends a fault instead of a request.

    Its own code in lower case under ``client``, with its own text (soap-protocol 9).
    """
    own = Fault(fault.code.lower(), fault.text, detail=fault.detail, actor=fault.actor)
    return own if own.code.startswith(CLIENT) else own.under(CLIENT)


_COMPARED = ("client", "service", "user_id", "represented_party", "issue", "id")
# A development snapshot of the reference wrote the name instead of the URI (golden data, 2024).
_ALGORITHMS = (SHA512_URI, SHA512.name)


def _decoded(value: str) -> bytes | None:
    try:
        return base64.b64decode("".join(value.split()), validate=True)
    except (binascii.Error, ValueError):
        return None
