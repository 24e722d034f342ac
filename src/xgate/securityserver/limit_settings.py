"""The settings of what one message, one connection and one peer may take: ``[limits]``.

The rule: as in ``settings``; every limit has a default that is safe, and a bound that keeps it so.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from xgate.securityserver.section import Section

__all__ = ["LimitSettings"]

_Count = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
_Seconds = Annotated[float, msgspec.Meta(gt=0, le=86_400)]
_Octets = Annotated[int, msgspec.Meta(ge=1, le=1 << 40)]


class LimitSettings(Section, frozen=True):
    """What one message, one connection and one peer may take.

    :param head_bytes: of a request line with its headers. :param answer_head_bytes: of what a
        service or another server answers, before the body. :param head_fields: headers of either.
    :param soap_bytes: of a SOAP message. :param soap_seconds: for an information system to send it,
        without its attachments. :param body_bytes: of a REST body or one attachment.
    :param rest_head_bytes: of the part that another server's REST message begins with: method,
        target and headers, or status and headers.
    :param xml_depth: of elements within each other in a SOAP message.
    :param xml_nodes: tags, comments and attributes of one.
    :param xml_header_elements: of one outside of what is in its Body.
    :param xml_namespace_chars: of the name of a namespace in one.
    :param attachments: of one message. :param part_head_bytes: of the headers of one of its parts.
    :param part_heads_bytes: of the headers of all of them.
    :param part_head_fields: headers of one part. :param part_line_bytes: of a line of these, which
        must be shorter. :param part_field_bytes: of one of them with all its lines; likewise.
    :param multipart_depth: how deep an information system may nest multiparts.
    :param multiparts: within the multipart of one message of an information system.
    :param ocsp_parts: OCSP responses that come with a message. :param ocsp_bytes: of each.
    :param signature_bytes: of a signature. :param chain_result_bytes: of the result of a hash chain
        that comes with one. :param chain_bytes: of the chain.
    :param fault_bytes: of a fault that another server sends in place of a message.
    :param connections: open at all ports for messages.
    :param connections_per_address: of them from one address, which is never allowed more than are
        free. :param connections_per_server: of them from one security server, by its certificate.
    :param idle_seconds: between two requests on a connection. :param handshake_seconds: for TLS.
    :param head_seconds: for a request line with its headers.
    :param pause_seconds: that a body may stand still, or an answer may go untaken.
    :param bytes_per_second: how fast bodies must come, and answers be taken, in the long run.
    :param request_seconds: for all of a request, however fast it comes; 0: no limit.
    :param exchanges: that run at once, of callers and of other servers each; nobody gets more than
        are free. :param exchanges_waiting: how many more may wait. :param wait_seconds: how long.
    :param memory_bytes: for messages, without bodies and attachments, of callers and of servers
        each; nobody gets more than is free.
    :param late_seconds: a delay of all tasks from which on nobody gets more places.
    :param slow_log_seconds: the same for the message log's delay.
    :param drain_seconds: for running exchanges when the server stops.
    """

    head_bytes: Annotated[int, msgspec.Meta(ge=1024, le=65_536)] = 8192
    answer_head_bytes: Annotated[int, msgspec.Meta(ge=1024, le=65_536)] = 65_536
    head_fields: Annotated[int, msgspec.Meta(ge=10, le=1000)] = 200
    soap_bytes: Annotated[int, msgspec.Meta(ge=1024, le=1 << 30)] = 10 << 20
    soap_seconds: _Seconds = 30.0
    rest_head_bytes: Annotated[int, msgspec.Meta(ge=1024, le=64 << 10)] = 64 << 10
    xml_depth: Annotated[int, msgspec.Meta(ge=10, le=250)] = 100
    xml_nodes: Annotated[int, msgspec.Meta(ge=1000, le=100_000_000)] = 1_000_000
    xml_header_elements: Annotated[int, msgspec.Meta(ge=100, le=100_000)] = 10_000
    xml_namespace_chars: Annotated[int, msgspec.Meta(ge=100, le=2048)] = 512
    attachments: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 10_000
    part_head_bytes: Annotated[int, msgspec.Meta(ge=1024, le=64 << 20)] = 256 << 10
    part_heads_bytes: Annotated[int, msgspec.Meta(ge=1024, le=1 << 30)] = 4 << 20
    part_head_fields: Annotated[int, msgspec.Meta(ge=10, le=100_000)] = 1000
    part_line_bytes: Annotated[int, msgspec.Meta(ge=100, le=16 << 10)] = 1000
    part_field_bytes: Annotated[int, msgspec.Meta(ge=100, le=1 << 20)] = 10_000
    multipart_depth: Annotated[int, msgspec.Meta(ge=1, le=100)] = 10
    multiparts: Annotated[int, msgspec.Meta(ge=0, le=10_000)] = 100
    ocsp_parts: Annotated[int, msgspec.Meta(ge=1, le=32)] = 16
    ocsp_bytes: Annotated[int, msgspec.Meta(ge=1024, le=64 << 10)] = 64 << 10
    # Of these, and of OCSP responses, no verifier would take more.
    signature_bytes: Annotated[int, msgspec.Meta(ge=16 << 10, le=1 << 20)] = 1 << 20
    chain_result_bytes: Annotated[int, msgspec.Meta(ge=1024, le=4 << 20)] = 1 << 20
    chain_bytes: Annotated[int, msgspec.Meta(ge=16 << 10, le=4 << 20)] = 4 << 20
    fault_bytes: Annotated[int, msgspec.Meta(ge=1024, le=16 << 20)] = 1 << 20
    body_bytes: _Octets = 1 << 40
    connections: _Count = 5000
    connections_per_address: _Count = 1000
    connections_per_server: _Count = 1000
    idle_seconds: _Seconds = 30.0
    handshake_seconds: _Seconds = 30.0
    head_seconds: _Seconds = 30.0
    pause_seconds: _Seconds = 30.0
    bytes_per_second: Annotated[int, msgspec.Meta(ge=0, le=1 << 30)] = 1024
    request_seconds: Annotated[float, msgspec.Meta(ge=0, le=86_400)] = 0.0
    exchanges: _Count = 2000
    exchanges_waiting: _Count = 2000
    wait_seconds: _Seconds = 2.0
    memory_bytes: Annotated[int, msgspec.Meta(ge=1 << 20, le=1 << 40)] = 512 << 20
    late_seconds: _Seconds = 1.0
    slow_log_seconds: _Seconds = 5.0
    drain_seconds: Annotated[float, msgspec.Meta(ge=0, le=86_400)] = 20.0
