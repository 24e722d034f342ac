"""Rows and questions: what comes from outside is always a value, never SQL."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from xgate.ids import ClientId
from xgate.messagelog import rows
from xgate.messagelog.record import Record, Stamp, outline_of
from xgate.messagelog.store import Filters

Make = Callable[..., Record]
OWNER = ClientId("XG", "COM", "7/8", "a b")
AT = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)


def test_a_record_goes_into_a_row_and_comes_back(unsigned: Make) -> None:
    record = unsigned(1, time=AT, owner=OWNER, client=OWNER, key=b"k", attachments=(None, b"two"))
    values = rows.own_values(record)
    assert len(values) == len(rows.OWN_COLUMNS.split(","))
    row = (7, *values, record.evidence.signature, None, b"token", b"result", b"chain")
    logged = rows.read_record(row, {0: record.message, 2: b"two"})
    assert (logged.id, logged.record, logged.stamp) == (
        7,
        record,
        Stamp(b"token", b"result", b"chain"),
    )
    assert dict(rows.parts_of(record)) == {0: record.message, 2: b"two"}
    sizes = {number: len(octets) for number, octets in rows.parts_of(record)}
    assert rows.read_outline(row, sizes) == outline_of(logged)


def test_only_what_is_given_becomes_a_condition() -> None:
    text, values = rows.select({"owner": OWNER, "query_id": None, "since": AT, "limit": 5})
    assert "r.owner = ? AND r.time_us >= ? ORDER BY r.id ASC LIMIT ?" in text
    assert values == (OWNER.url, rows.microseconds(AT), 5)
    assert "query_id =" not in text
    assert rows.select({"newest_first": True})[0].endswith("WHERE 1 = 1 ORDER BY r.id DESC")


@pytest.mark.parametrize("hostile", ["' OR 1=1 --", "?", "%s", '"; DROP TABLE record'])
def test_what_is_searched_for_never_becomes_sql(hostile: str) -> None:
    filters: Filters = {"query_id": hostile, "service": hostile, "request_id": hostile}
    for text, values in (rows.select(filters), rows.count_by("owner", filters)):
        assert hostile == "?" or hostile not in text
        assert values == (hostile,) * 3
        assert text.count("?") == 3


def test_groups_are_named_for_people_and_sorted() -> None:
    assert rows.counts("owner", [("XG/B%2FC/1", 2), ("XG/A/1", 1)]) == {"XG/A/1": 1, "XG/B/C/1": 2}
    assert list(rows.counts("client", [("XG/A/1", 1), (None, 2)])) == ["", "XG/A/1"]
    assert rows.counts("day", [(0, 1), (20_455, 2)]) == {"1970-01-01": 1, "2026-01-02": 2}


def test_an_empty_log_has_zeros_and_no_times() -> None:
    told = rows.read_statistics((0, 0, None, None, None, 0, 0, None, None, None))
    assert (told.records, told.archived, told.octets) == (0, 0, 0)
    assert (told.oldest, told.newest) == (None, None)


def test_no_question_of_ours_has_a_mark_that_a_store_would_mistake() -> None:
    for text in (rows.PARTS, rows.UNSTAMPED, rows.NEWEST_STAMPED, rows.ARCHIVABLE, rows.STATISTICS):
        assert "%" not in text
