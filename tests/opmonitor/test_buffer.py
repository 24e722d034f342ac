"""Records wait in order; when too many do, the oldest go, and are counted."""

from __future__ import annotations

import msgspec

from xgate.opmonitor.buffer import OperationalBuffer
from xgate.opmonitor.record import OperationalRecord


def records(count: int) -> list[OperationalRecord]:
    first = OperationalRecord(
        security_server_internal_ip="",
        security_server_type="Client",
        request_in_ts=0,
        response_out_ts=0,
        succeeded=True,
    )
    return [msgspec.structs.replace(first, request_in_ts=n) for n in range(count)]


def filled(size: int, given: list[OperationalRecord]) -> OperationalBuffer:
    buffer = OperationalBuffer(size)
    for record in given:
        buffer.take(record)
    return buffer


def test_records_come_out_in_order() -> None:
    given = records(5)
    buffer = filled(10, given)
    assert buffer.newest(2) == given[3:]
    assert buffer.newest(0) == []
    assert (buffer.next(2), buffer.next(9), buffer.next(1)) == (given[:2], given[2:], [])


def test_the_oldest_give_way_and_are_counted() -> None:
    given = records(5)
    buffer = filled(3, given)
    assert (len(buffer), buffer.dropped) == (3, 2)
    assert buffer.next(9) == given[2:]


def test_a_buffer_of_no_size_takes_nothing() -> None:
    buffer = filled(0, records(2))
    assert (len(buffer), buffer.dropped) == (0, 0)


def test_what_was_put_back_comes_first_as_far_as_there_is_room() -> None:
    given = records(6)
    buffer = filled(4, given[:4])
    taken = buffer.next(3)
    for record in given[4:]:
        buffer.take(record)
    buffer.put_back(taken)
    assert buffer.dropped == 2
    assert buffer.next(9) == [given[2], given[3], given[4], given[5]]
