"""From what was noted of an exchange to its operational record.

The rule: only messages between members have one; what was refused before it said who it is from is
in the journal alone. Sizes are those of messages and attachments, not of their transport
(monitoring 1).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from xgate.errors import Fault
from xgate.ids import ClientId
from xgate.opmonitor.record import OperationalRecord
from xgate.policy.access import find_endpoint
from xgate.securityserver.note import Note
from xgate.wire.faults import rest_status
from xgate.wire.message import endpoint
from xgate.wire.proxy_version import PROXY_VERSION
from xgate.wire.rest import RestResponse
from xgate.wire.soap import SoapMessage

__all__ = ["observe"]


def observe(
    note: Note, fault: Fault | None, own_address: str, now: datetime
) -> OperationalRecord | None:
    """The record of an exchange that has ended.

    :param fault: how it ended; None: well. :param own_address: of this server, for
        ``security_server_internal_ip``.
    :returns: None when it was no message.
    """
    request = note.request
    if request is None:
        return None
    client_side = note.side == "client"
    status = _status(note, fault)
    soap = isinstance(request, SoapMessage)
    party = request.represented_party
    service = note.called
    record = OperationalRecord(
        security_server_internal_ip=own_address,
        security_server_type="Client" if client_side else "Producer",
        request_in_ts=_milliseconds(note.request_in),
        response_out_ts=_milliseconds(now),
        succeeded=fault is None and not (status is not None and 400 <= status <= 599),
        request_out_ts=_maybe_milliseconds(note.request_out),
        response_in_ts=_maybe_milliseconds(note.response_in),
        **_identifier("client", request.client),
        **_identifier("service", request.service.client),
        service_code=request.service.service_code,
        service_version=request.service.service_version,
        service_type=None if service is None or client_side else str(service.kind),
        rest_method=None if isinstance(request, SoapMessage) else request.verb,
        rest_path=None if service is None else find_endpoint(service, endpoint(request)),
        represented_party_class=None if party is None else party.party_class,
        represented_party_code=None if party is None else party.party_code,
        message_id=request.id,
        message_user_id=request.user_id,
        message_issue=request.issue,
        message_protocol_version=(
            request.protocol_version if isinstance(request, SoapMessage) else "1"
        ),
        client_security_server_address=note.client_address,
        service_security_server_address=note.service_address,
        **_sizes("request", note.request_sizes, soap=soap),
        **_sizes("response", note.response_sizes, soap=soap),
        fault_code=None if fault is None else fault.code,
        fault_string=None if fault is None else fault.text,
        x_request_id=note.request_id,
        status_code=status,
        x_road_version=PROXY_VERSION,
    )
    return record.cut()


def _status(note: Note, fault: Fault | None) -> int | None:
    """The HTTP status of REST: the service's, or the one that a refusal has."""
    if isinstance(note.request, SoapMessage):
        return None
    if fault is not None:
        return rest_status(fault) if note.side == "client" else None
    return note.answer.status if isinstance(note.answer, RestResponse) else None


def _identifier(side: str, client: ClientId) -> dict[str, Any]:
    return {
        f"{side}_x_road_instance": client.instance,
        f"{side}_member_class": client.member_class,
        f"{side}_member_code": client.member_code,
        f"{side}_subsystem_code": client.subsystem_code,
    }


def _sizes(side: str, sizes: Sequence[int], *, soap: bool) -> dict[str, Any]:
    """SOAP: of the message, and of all of it if there are attachments; REST: of the body."""
    if not sizes:
        return {}
    if not soap:
        return {f"{side}_size": sum(sizes[1:]), f"{side}_attachment_count": 0}
    attachments = len(sizes) - 1
    return {
        f"{side}_size": sizes[0],
        f"{side}_mime_size": sum(sizes) if attachments else None,
        f"{side}_attachment_count": attachments,
    }


def _milliseconds(time: datetime) -> int:
    return round(time.timestamp() * 1000)


def _maybe_milliseconds(time: datetime | None) -> int | None:
    return None if time is None else _milliseconds(time)
