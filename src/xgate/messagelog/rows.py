"""Records as rows of a relational database, and the questions asked of them: what stores share.

The rule: SQL is written here once, in the words that SQLite and PostgreSQL both understand, with
``?`` in the place of values; a store that marks them in another way replaces the mark. Only names
from this file become SQL; what comes from outside is a value. Times are microseconds since 1970.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from xgate.errors import Fault
from xgate.ids import ClientId, parse_client
from xgate.messagelog.record import Body, LoggedRecord, Outline, Record, Stamp
from xgate.messagelog.store import Filters, Grouping, Statistics
from xgate.trust.verify import Evidence

__all__ = [
    "ARCHIVABLE",
    "NEWEST_STAMP",
    "NEWEST_STAMPED",
    "OWN_COLUMNS",
    "PARTS",
    "SIZES",
    "STATISTICS",
    "UNSTAMPED",
    "Question",
    "count_by",
    "counts",
    "microseconds",
    "not_there",
    "own_values",
    "parts_of",
    "read_outline",
    "read_record",
    "read_statistics",
    "select",
]

Question = tuple[str, tuple[object, ...]]
"""SQL with ``?`` for each of the values."""

OWN_COLUMNS = (
    "time_us, owner, client, service, query_id, request_id, response, attachments, complete, "
    "key_id, key, chain"
)
"""What a record knows by itself, in the order of ``own_values``."""

_RECORD = (
    "SELECT r.id, r.time_us, r.owner, r.client, r.service, r.query_id, r.request_id, r.response, "
    "r.attachments, r.complete, r.key_id, r.key, r.chain, e.signature, e.chain_result, s.token, "
    "s.chain_result, r.stamp_chain FROM record r JOIN evidence e ON e.id = r.evidence_id "
    "LEFT JOIN stamp s ON s.id = r.stamp_id"
)
_ATTACHMENTS, _STAMP = 8, 15  # places in such a row
PARTS = "SELECT number, octets FROM part WHERE record_id = ?"
"""The octets of one record."""
SIZES = "SELECT number, length(octets) FROM part WHERE record_id = ?"
"""How many they are; the databases know that without reading them."""
UNSTAMPED = (
    "SELECT r.id, e.sha512 FROM record r JOIN evidence e ON e.id = r.evidence_id "
    "WHERE r.stamp_id IS NULL ORDER BY r.id LIMIT ?"
)
"""``LogStore.unstamped``."""
NEWEST_STAMPED = "SELECT max(id) FROM record WHERE NOT archived AND stamp_id IS NOT NULL"
"""``LogStore.newest_stamped``."""
NEWEST_STAMP = "SELECT id, token, chain_result FROM stamp ORDER BY id DESC LIMIT 1"
"""The token that was kept last: a batch that comes in slices has its token once."""
# A blank sorts before all that an identifier's url form can hold, as a slash does not: so a member
# stands before its subsystems and apart from members whose codes begin like its own.
ARCHIVABLE = (
    f"{_RECORD} WHERE NOT r.archived AND r.stamp_id IS NOT NULL AND r.id <= ? "
    "ORDER BY replace(r.owner, '/', ' '), r.id LIMIT ?"
)
"""``LogStore.archivable``: up to which number, how many."""
STATISTICS = (
    "SELECT count(*), count(*) - count(stamp_id), sum(CASE WHEN archived THEN 1 ELSE 0 END), "
    "sum(CASE WHEN complete THEN 0 ELSE 1 END), sum(CASE WHEN key_id = '' THEN 0 ELSE 1 END), "
    "(SELECT count(*) FROM evidence), (SELECT count(*) FROM stamp), "
    "(SELECT sum(length(octets)) FROM part), min(time_us), max(time_us) FROM record"
)
"""``LogStore.statistics``, in the order of its fields."""

_CONDITIONS = {
    "number": "r.id = ?",
    "query_id": "r.query_id = ?",
    "request_id": "r.request_id = ?",
    "owner": "r.owner = ?",
    "client": "r.client = ?",
    "service": "r.service = ?",
    "response": "r.response = ?",
    "since": "r.time_us >= ?",
    "until": "r.time_us < ?",
}
_DAY_US = 86_400_000_000
_GROUPS: Mapping[Grouping, str] = {
    "owner": "r.owner",
    "client": "r.client",
    "service": "r.service",
    "day": f"r.time_us / {_DAY_US}",
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def select(filters: Filters) -> Question:
    """The question for the records that match: only what is given, so each can use its index."""
    condition, values = _conditions(filters)
    order = "DESC" if filters.get("newest_first") else "ASC"
    text = f"{_RECORD} WHERE {condition} ORDER BY r.id {order}"
    limit = filters.get("limit")
    if limit is None:
        return text, values
    return f"{text} LIMIT ?", (*values, limit)


def count_by(grouping: Grouping, filters: Filters) -> Question:
    """The question for how many match, by group."""
    condition, values = _conditions(filters)
    group = _GROUPS[grouping]
    return f"SELECT {group}, count(*) FROM record r WHERE {condition} GROUP BY 1", values  # noqa: S608  names of this file


def counts(grouping: Grouping, rows: Sequence[tuple[Any, int]]) -> dict[str, int]:
    """The answer to ``count_by``, by name."""
    return dict(sorted((_group_name(grouping, group), count) for group, count in rows))


def own_values(record: Record) -> tuple[Any, ...]:
    """The values of ``OWN_COLUMNS``."""
    return (
        microseconds(record.time),
        record.owner.url,
        None if record.client is None else record.client.url,
        record.service,
        record.query_id,
        record.request_id,
        record.response,
        len(record.attachments),
        record.complete,
        record.key_id,
        record.key or None,
        record.evidence.chain,
    )


def parts_of(record: Record) -> Iterator[tuple[int, bytes | Body]]:
    """The octets to be kept, by number: 0 is the message, then come its attachments."""
    for number, octets in enumerate((record.message, *record.attachments)):
        if octets is not None:
            yield number, octets


def read_record(row: Sequence[Any], parts: Mapping[int, bytes]) -> LoggedRecord:
    """One row of ``select``, with the record's ``PARTS``."""
    record = Record(
        message=parts[0],
        attachments=tuple(parts.get(index) for index in range(1, row[_ATTACHMENTS] + 1)),
        **_facts(row),
    )
    return LoggedRecord(row[0], record, _stamp(row))


def read_outline(row: Sequence[Any], sizes: Mapping[int, int]) -> Outline:
    """One row of ``select`` or ``ARCHIVABLE``, with the record's ``SIZES``."""
    return Outline(
        id=row[0],
        message_octets=sizes[0],
        attachment_octets=tuple(sizes.get(index) for index in range(1, row[_ATTACHMENTS] + 1)),
        stamp=_stamp(row),
        **_facts(row),
    )


def read_statistics(row: Sequence[Any]) -> Statistics:
    """The row of ``STATISTICS``."""
    *numbers, oldest, newest = row
    ends = [None if time_us is None else _time(time_us) for time_us in (oldest, newest)]
    return Statistics(*(int(number or 0) for number in numbers), *ends)  # type: ignore[arg-type]  # in the order of its fields


def not_there(number: int, place: int) -> Fault:
    """What to raise where a part is wanted that is gone, or never was."""
    return Fault("logging_failed", f"The log has no part {place} of a record {number}")


def microseconds(time: datetime) -> int:
    """A time as it is stored."""
    return (time - _EPOCH) // _MICROSECOND


def _facts(row: Sequence[Any]) -> dict[str, Any]:
    """What a row knows of a record but its number, its octets and its stamp."""
    time_us, owner, client, service, query_id, request_id, response = row[1:_ATTACHMENTS]
    complete, key_id, key, chain, signature, chain_result = row[_ATTACHMENTS + 1 : _STAMP]
    return {
        "time": _time(time_us),
        "owner": parse_client(owner),
        "query_id": query_id,
        "request_id": request_id,
        "response": bool(response),
        "evidence": Evidence(signature, chain_result, chain),
        "client": None if client is None else parse_client(client),
        "service": service,
        "complete": bool(complete),
        "key_id": key_id,
        "key": key or b"",
    }


def _stamp(row: Sequence[Any]) -> Stamp | None:
    token, chain_result, chain = row[_STAMP:]
    return None if token is None else Stamp(token, chain_result, chain)


def _time(time_us: int) -> datetime:
    return _EPOCH + time_us * _MICROSECOND


def _conditions(filters: Filters) -> Question:
    given = {name: value for name, value in filters.items() if name in _CONDITIONS}
    given = {name: value for name, value in given.items() if value is not None}
    condition = " AND ".join(_CONDITIONS[name] for name in given) or "1 = 1"
    return condition, tuple(map(_stored, given.values()))


def _stored(value: object) -> object:
    if isinstance(value, ClientId):
        return value.url
    return microseconds(value) if isinstance(value, datetime) else value


def _group_name(grouping: Grouping, group: Any) -> str:
    if grouping == "day":
        return (_EPOCH + timedelta(days=int(group))).date().isoformat()
    if grouping == "service":
        return str(group)
    return "" if group is None else parse_client(group).short
