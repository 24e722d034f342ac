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

    :param head_bytes: of a request line with its headers. :param head_fields: how many of these.
    :param soap_bytes: of a SOAP message. :param body_bytes: of a REST body or one attachment.
    :param attachments: of one message. :param part_head_bytes: of the headers of one of its parts.
    :param part_heads_bytes: of the headers of all of them.
    :param multipart_depth: how deep an information system may nest multiparts.
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
    head_fields: Annotated[int, msgspec.Meta(ge=10, le=1000)] = 200
    soap_bytes: Annotated[int, msgspec.Meta(ge=1024, le=1 << 30)] = 10 << 20
    attachments: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 10_000
    part_head_bytes: Annotated[int, msgspec.Meta(ge=1024, le=64 << 20)] = 256 << 10
    part_heads_bytes: Annotated[int, msgspec.Meta(ge=1024, le=1 << 30)] = 4 << 20
    multipart_depth: Annotated[int, msgspec.Meta(ge=1, le=100)] = 10
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
