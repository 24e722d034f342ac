"""From what was noted of an exchange to its operational record.

The rule: messages between members have one, also those that were refused before they said who they
are from; lists and downloads have none. Sizes are those of messages and attachments, not of their
transport (monitoring 1).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from xgate.errors import Fault
from xgate.ids import ClientId
from xgate.opmonitor.record import OperationalRecord
from xgate.policy.access import find_endpoint
from xgate.securityserver.note import Note
from xgate.wire.faults import rest_status
from xgate.wire.message import Request, endpoint
from xgate.wire.proxy_version import PROXY_VERSION
from xgate.wire.rest import RestRequest, RestResponse
from xgate.wire.soap import SoapMessage

__all__ = ["observe"]

_MESSAGES = {"client": ("SOAP", "REST"), "server": ("SOAP", "REST", None)}
"""Protocols of messages; other servers send nothing else, even if it is not known what it was."""


def observe(
    note: Note, fault: Fault | None, own_address: str, now: datetime
) -> OperationalRecord | None:
    """The record of an exchange that has ended.

    :param fault: how it ended; None: well. :param own_address: of this server, for
        ``security_server_internal_ip``.
    :returns: None when it was no message.
    """
    if note.protocol not in _MESSAGES[note.side]:
        return None
    status = _status(note, fault)
    soap = note.protocol != "REST"
    record = OperationalRecord(
        security_server_internal_ip=own_address,
        security_server_type="Client" if note.side == "client" else "Producer",
        request_in_ts=_milliseconds(note.request_in),
        response_out_ts=_milliseconds(now),
        succeeded=fault is None and not (status is not None and 400 <= status <= 599),
        request_out_ts=_maybe_milliseconds(note.request_out),
        response_in_ts=_maybe_milliseconds(note.response_in),
        client_security_server_address=note.client_address,
        service_security_server_address=note.service_address,
        **_said(note.request),
        **_service(note),
        **_sizes("request", note.request_sizes, soap=soap),
        **_sizes("response", note.response_sizes, soap=soap),
        fault_code=None if fault is None else fault.code,
        fault_string=None if fault is None else fault.text,
        x_request_id=note.request_id,
        status_code=status,
        x_road_version=PROXY_VERSION,
    )
    return record.cut()


def _said(request: Request | None) -> dict[str, Any]:
    """What the request says of itself, if it came so far."""
    if request is None:
        return {}
    soap = request if isinstance(request, SoapMessage) else None
    party = request.represented_party
    return {
        **_identifier("client", request.client),
        **_identifier("service", request.service.client),
        "service_code": request.service.service_code,
        "service_version": request.service.service_version,
        "rest_method": request.verb if isinstance(request, RestRequest) else None,
        "represented_party_class": None if party is None else party.party_class,
        "represented_party_code": None if party is None else party.party_code,
        "message_id": request.id,
        "message_user_id": request.user_id,
        "message_issue": request.issue,
        "message_protocol_version": "1" if soap is None else soap.protocol_version,
    }


def _service(note: Note) -> dict[str, Any]:
    """The provider's side knows of what kind a service is, and which endpoint was meant."""
    if note.request is None or note.side == "client":
        return {}
    if note.called is None:  # a metaservice, or none that there is
        return {"service_type": "WSDL" if note.protocol == "SOAP" else "REST"}
    path = None
    with suppress(Fault):  # it cannot be decoded: the request was refused for it
        path = find_endpoint(note.called, endpoint(note.request))
    return {"service_type": str(note.called.kind), "rest_path": path}


def _status(note: Note, fault: Fault | None) -> int | None:
    """The HTTP status of REST: the service's, or the one that a refusal has."""
    if note.protocol != "REST":
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
