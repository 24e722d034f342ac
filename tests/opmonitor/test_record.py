"""Operational records: the reference's names, its limits, and nothing that is not known."""

from __future__ import annotations

import json

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from xgate.opmonitor.record import OperationalRecord, read_record, write_record

LEAST = OperationalRecord(
    security_server_internal_ip="0.0.0.0",
    security_server_type="Client",
    request_in_ts=1,
    response_out_ts=2,
    succeeded=False,
)


def test_names_are_the_references_and_what_is_not_known_is_not_there() -> None:
    assert json.loads(write_record(LEAST)) == {
        "securityServerInternalIp": "0.0.0.0",
        "securityServerType": "Client",
        "requestInTs": 1,
        "responseOutTs": 2,
        "succeeded": False,
    }
    fields = set(OperationalRecord.__struct_encode_fields__)
    assert len(fields) == 39  # of the reference's 40; the time of storing is the store's
    assert {"clientXRoadInstance", "xRequestId", "xRoadVersion", "restPath"} < fields


@given(
    st.builds(
        OperationalRecord,
        security_server_internal_ip=st.text(max_size=300),
        security_server_type=st.sampled_from(["Client", "Producer"]),
        request_in_ts=st.integers(0, 1 << 53),
        response_out_ts=st.integers(0, 1 << 53),
        succeeded=st.booleans(),
        message_id=st.none() | st.text(max_size=300),
        fault_string=st.none() | st.text(max_size=3000),
        status_code=st.none() | st.integers(100, 999),
    )
)
def test_what_was_written_is_read_and_texts_are_cut(record: OperationalRecord) -> None:
    cut = record.cut()
    assert len(cut.security_server_internal_ip) <= 255
    assert len(cut.message_id or "") <= 255
    assert len(cut.fault_string or "") <= 2048
    assert (record.fault_string or "").startswith(cut.fault_string or "")
    assert read_record(write_record(cut)) == cut


def test_what_is_no_unicode_is_replaced_for_it_could_never_be_stored() -> None:
    odd = msgspec.structs.replace(LEAST, message_id="a\ud800b", fault_string="\u00e4\udfff")
    cut = odd.cut()
    assert (cut.message_id, cut.fault_string) == ("a?b", "\u00e4?")
    assert read_record(write_record(cut)) == cut
