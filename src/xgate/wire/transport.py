"""Messages between security servers: the HTTP head and the multipart behind it.

The rule: heads are read and written by ``transport_head``, bodies by ``transport_read`` and
``transport_write``; this is the door to all three. Sources: transport 2-4, pipeline 6.
"""

from __future__ import annotations

from xgate.wire.mime import PartData, PartEnd
from xgate.wire.parts import Head, PartBegin, Protocol
from xgate.wire.proxy_version import PROXY_VERSION, check_version
from xgate.wire.transport_head import (
    FaultHead,
    TransportHead,
    check_method,
    check_original_content_type,
    check_soap_action,
    read_request_head,
    read_response_head,
    write_fault_head,
    write_request_head,
    write_response_head,
)
from xgate.wire.transport_parts import (
    FAULT_TYPE,
    REST_BODY,
    REST_REQUEST,
    REST_RESPONSE,
    Chain,
    ChainResult,
    Event,
    FaultPart,
    Ocsp,
    Sender,
    Signature,
    TransportLimits,
)
from xgate.wire.transport_read import MessageReader
from xgate.wire.transport_write import MessageWriter

__all__ = [
    "FAULT_TYPE",
    "PROXY_VERSION",
    "REST_BODY",
    "REST_REQUEST",
    "REST_RESPONSE",
    "Chain",
    "ChainResult",
    "Event",
    "FaultHead",
    "FaultPart",
    "Head",
    "MessageReader",
    "MessageWriter",
    "Ocsp",
    "PartBegin",
    "PartData",
    "PartEnd",
    "Protocol",
    "Sender",
    "Signature",
    "TransportHead",
    "TransportLimits",
    "check_method",
    "check_original_content_type",
    "check_soap_action",
    "check_version",
    "read_request_head",
    "read_response_head",
    "write_fault_head",
    "write_request_head",
    "write_response_head",
]
