"""The operational record of one exchange, on one side of it.

The rule: fields, names and limits are the reference's (monitoring 1); a field that is not known is
not there. It says who and what, never what was in a message; the user's id is personal data and is
handed only to whom the protocol allows.
"""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = ["OperationalRecord", "ServerType", "read_record", "write_record"]

ServerType = Literal["Client", "Producer"]
"""On which side of the exchange the server stood."""

_MOST_TEXT = 255
_MOST_FAULT = 2048


class OperationalRecord(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"
):
    """Times in milliseconds since 1970, sizes in octets. In JSON the names are the reference's."""

    security_server_internal_ip: str
    security_server_type: ServerType
    request_in_ts: int
    response_out_ts: int
    succeeded: bool
    request_out_ts: int | None = None
    response_in_ts: int | None = None
    client_x_road_instance: str | None = None
    client_member_class: str | None = None
    client_member_code: str | None = None
    client_subsystem_code: str | None = None
    service_x_road_instance: str | None = None
    service_member_class: str | None = None
    service_member_code: str | None = None
    service_subsystem_code: str | None = None
    service_code: str | None = None
    service_version: str | None = None
    service_type: str | None = None
    rest_method: str | None = None
    rest_path: str | None = None
    represented_party_class: str | None = None
    represented_party_code: str | None = None
    message_id: str | None = None
    message_user_id: str | None = None
    message_issue: str | None = None
    message_protocol_version: str | None = None
    client_security_server_address: str | None = None
    service_security_server_address: str | None = None
    request_size: int | None = None
    response_size: int | None = None
    request_mime_size: int | None = None
    response_mime_size: int | None = None
    request_attachment_count: int | None = None
    response_attachment_count: int | None = None
    fault_code: str | None = None
    fault_string: str | None = None
    x_request_id: str | None = None
    status_code: int | None = None
    x_road_version: str | None = None

    def cut(self) -> OperationalRecord:
        """The same with its texts cut to what the tables and the protocol hold.

        What is no Unicode is replaced: a record that cannot be written would hold up all others.
        """
        changed: dict[str, str] = {}
        for field in self.__struct_fields__:
            value = getattr(self, field)
            most = _MOST_FAULT if field == "fault_string" else _MOST_TEXT
            if not isinstance(value, str):
                continue
            kept = value[:most]
            if not kept.isascii():
                kept = kept.encode("utf-8", "replace").decode()
            if kept != value:
                changed[field] = kept
        return msgspec.structs.replace(self, **changed) if changed else self


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(OperationalRecord)


def write_record(record: OperationalRecord) -> bytes:
    """The record as a JSON object."""
    return _ENCODER.encode(record)


def read_record(octets: bytes) -> OperationalRecord:
    """What ``write_record`` wrote.

    :raises msgspec.MsgspecError: it is something else.
    """
    return _DECODER.decode(octets)
