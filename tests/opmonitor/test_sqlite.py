"""Operational records in a file: found by time and party, deleted by age."""

from __future__ import annotations

import errno
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from xgate.ids import ClientId
from xgate.opmonitor.record import OperationalRecord
from xgate.opmonitor.sqlite import SqliteOperationalStore

CLIENT = ClientId("XG", "COM", "1", "a/pp")
PROVIDER = ClientId("XG", "GOV", "2")
RECORD = OperationalRecord(
    security_server_internal_ip="192.0.2.7",
    security_server_type="Producer",
    request_in_ts=1,
    response_out_ts=2,
    succeeded=True,
    client_x_road_instance="XG",
    client_member_class="COM",
    client_member_code="1",
    client_subsystem_code="a/pp",
    service_x_road_instance="XG",
    service_member_class="GOV",
    service_member_code="2",
    message_id="ä\U0001f600",
)
OTHER = msgspec.structs.replace(RECORD, client_subsystem_code=None, message_id="other")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "op.sqlite"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteOperationalStore]:
    store = SqliteOperationalStore(path)
    yield store
    store.close()


def test_records_are_found_by_the_second_of_their_storing(store: SqliteOperationalStore) -> None:
    store.append([RECORD, OTHER], 100)
    store.append([RECORD], 102)
    assert [(s.time, s.record) for s in store.find(100, 101)] == [(100, RECORD), (100, OTHER)]
    assert [s.time for s in store.find(0, 1000)] == [100, 100, 102]
    assert list(store.find(103, 200)) == []


def test_records_are_found_by_exactly_one_party(store: SqliteOperationalStore) -> None:
    store.append([RECORD, OTHER], 100)
    found = {
        party: [s.record for s in store.find(0, 200, party)]
        for party in (CLIENT, CLIENT.member, PROVIDER, ClientId("XG", "GOV", "3"))
    }
    assert list(found.values()) == [[RECORD], [OTHER], [RECORD, OTHER], []]


def test_old_ones_are_deleted(store: SqliteOperationalStore) -> None:
    for time in (100, 101, 102):
        store.append([RECORD], time)
    assert store.clean(102) == 2
    assert [s.time for s in store.find(0, 1000)] == [102]


def test_they_are_there_when_the_file_is_opened_again(
    store: SqliteOperationalStore, path: Path
) -> None:
    store.append([RECORD], 100)
    again = SqliteOperationalStore(path)
    assert [s.record for s in again.find(0, 200)] == [RECORD]
    again.close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_another_programs_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.sqlite"
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE mine(a)")
    db.close()
    with pytest.raises(OSError, match="belongs to another program"):
        SqliteOperationalStore(path)


def test_no_room_is_taken_that_must_be_left_to_others(path: Path) -> None:
    path.parent.mkdir()
    store = SqliteOperationalStore(path, spare=1 << 60)
    with pytest.raises(OSError, match=r"octets are free beside .*free-bytes") as caught:
        store.append([RECORD], 100)
    assert caught.value.errno == errno.ENOSPC
    assert list(store.find(0, 200)) == []
    store.close()


def test_what_cannot_be_kept_is_an_error_and_keeps_nothing(store: SqliteOperationalStore) -> None:
    lone = msgspec.structs.replace(RECORD, message_id="\ud800")
    with pytest.raises(OSError, match="operational records"):
        store.append([RECORD, lone], 100)
    assert list(store.find(0, 200)) == []
