"""What the PostgreSQL log does within one transaction.

The rule: each function is a whole piece of work that may be done twice: it looks at what is there
and changes what is not so yet. Who crosses another server's work gets an error and is called again
(``postgres``). Rows are taken in a fixed order where servers could wait for each other.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from xgate.algorithms import SHA512
from xgate.errors import Fault
from xgate.messagelog import rows
from xgate.messagelog.postgres_pool import Connection
from xgate.messagelog.record import Record, Stamp, pieces_of
from xgate.trust.linking import Link

__all__ = ["append", "archive", "clean", "marked", "read_links", "stamp"]

_COPY_RECORD = f"COPY record({rows.OWN_COLUMNS}, evidence_id, id) FROM STDIN (FORMAT BINARY)"
_RECORD_TYPES = (
    *("int8", "text", "text", "text", "text", "text", "bool", "int4", "bool", "text", "bytea"),
    *("bytea", "bytea", "int8"),
)
_COPY_PART = "COPY part(record_id, number, octets) FROM STDIN (FORMAT BINARY)"
# A row as it is sent: how many fields, and each with its length. It is made here so that the octets
# need not be in memory at once.
_PART_HEAD = struct.Struct(">hiqiii")
_COPY_BEGIN, _COPY_END = b"PGCOPY\n\xff\r\n\0" + bytes(8), b"\xff\xff"
_PIECE = 1 << 16
_USUAL = 16 << 20  # octets that a COPY brings within the time of any statement
_SLOWEST = 1000  # octets per millisecond
_NAME_OCTETS = 32


def marked(text: str) -> bytes:
    """With the marks that psycopg knows; no SQL of ours has a ? or a % of its own."""
    return text.replace("?", "%s").encode()


def append(db: Connection, records: Sequence[Record]) -> list[int]:
    """``LogStore.append``."""
    keys = [record.key for record in records if record.key]
    with db.pipeline():
        known = db.execute("SELECT key, id FROM record WHERE key = ANY(%s)", (keys,), binary=True)
        fresh = db.execute(
            "SELECT nextval('record_number') FROM generate_series(1, %s)", (len(records),)
        )
        _keep_evidence(db, [record.evidence for record in records])
    numbers: dict[bytes, int] = dict(known.fetchall())
    told, new = [], []
    for record, (number,) in zip(records, fresh.fetchall(), strict=True):
        if record.key not in numbers:
            new.append((number, record))
            if record.key:
                numbers[record.key] = number
        told.append(numbers.get(record.key, number))
    _copy(db, new)
    return told


def _copy(db: Connection, new: Sequence[tuple[int, Record]]) -> None:
    _grant_time(db, sum(len(part) for _, record in new for _, part in rows.parts_of(record)))
    with db.cursor() as cursor:
        with cursor.copy(_COPY_RECORD) as copy:
            copy.set_types(_RECORD_TYPES)
            for number, record in new:
                evidence = record.evidence
                name = _name(evidence.signature, evidence.chain_result)
                copy.write_row((*rows.own_values(record), name, number))
        with cursor.copy(_COPY_PART) as copy:
            for octets in _gathered(_part_rows(new)):
                copy.write(octets)


def _grant_time(db: Connection, octets: int) -> None:
    """More of it for the rest of this transaction, if it has more to take in than usual.

    Whether it takes anything in at all is watched from this side, wait by wait.
    """
    if octets > _USUAL:
        milliseconds = int(db.seconds * 1000) + octets // _SLOWEST
        db.execute(f"SET LOCAL statement_timeout = {milliseconds}".encode())


def _part_rows(new: Sequence[tuple[int, Record]]) -> Iterator[bytes]:
    """All parts in the form of a binary COPY."""
    yield _COPY_BEGIN
    for number, record in new:
        for index, part in rows.parts_of(record):
            yield _PART_HEAD.pack(3, 8, number, 4, index, len(part))
            yield from pieces_of(part, _PIECE)
    yield _COPY_END


def _gathered(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same octets in fewer pieces, none of them much larger than the largest."""
    gathered = bytearray()
    for piece in pieces:
        gathered += piece
        if len(gathered) >= _PIECE:
            yield bytes(gathered)
            gathered.clear()
    yield bytes(gathered)


def _name(signature: bytes, chain_result: bytes | None) -> bytes:
    """The name of evidence, of both its halves: what came beside a signature that does not refer
    to it proves nothing, and must not become part of another message's evidence.
    """
    tail = b"" if chain_result is None else SHA512.of(chain_result)
    return SHA512.of(SHA512.of(signature) + tail)[:_NAME_OCTETS]


def _keep_evidence(db: Connection, evidence: Sequence[Any]) -> None:
    """Each once, in the order of their names: so servers wait for each other and never cross."""
    found = {_name(e.signature, e.chain_result): (e.signature, e.chain_result) for e in evidence}
    with db.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO evidence(id, sha512, signature, chain_result) "
            "VALUES(%b, %b, %b, %b) ON CONFLICT DO NOTHING",
            [
                (name, SHA512.of(signature), signature, chain_result)
                for name, (signature, chain_result) in sorted(found.items())
            ],
        )


def stamp(db: Connection, stamps: Mapping[int, Stamp], documents: Mapping[int, bytes]) -> None:
    """``LogStore.stamp``."""
    waiting = db.execute(
        "SELECT r.id, r.evidence_id, e.chain_result FROM record r "
        "JOIN evidence e ON e.id = r.evidence_id "
        "WHERE r.id = ANY(%s) AND r.stamp_id IS NULL ORDER BY r.id FOR UPDATE OF r",
        (list(stamps),),
        binary=True,
    ).fetchall()
    tokens: dict[tuple[bytes, bytes | None], int] = {}
    for number, _, _ in waiting:
        key = (stamps[number].token, stamps[number].chain_result)
        if key not in tokens:
            tokens[key] = _stamp_row(db, key)
    given = [(number, stamps[number]) for number, _, _ in waiting]
    db.execute(
        "UPDATE record SET stamp_id = given.stamp, stamp_chain = given.chain "
        "FROM unnest(%b::bigint[], %b::bigint[], %b::bytea[]) AS given(number, stamp, chain) "
        "WHERE id = given.number",
        (
            [number for number, _ in given],
            [tokens[stamp.token, stamp.chain_result] for _, stamp in given],
            [stamp.chain for _, stamp in given],
        ),
    )
    for number, old, chain_result in waiting:
        if number in documents:
            _replace_signature(db, number, documents[number], old, chain_result)


def _stamp_row(db: Connection, key: tuple[bytes, bytes | None]) -> int:
    """The row of this token: kept once, also when a batch comes in slices."""
    text = rows.NEWEST_STAMP + " FOR KEY SHARE"  # no cleaner may take it meanwhile
    newest = db.execute(marked(text), binary=True).fetchone()
    if newest is not None and newest[1:] == key:
        return int(newest[0])
    text = "INSERT INTO stamp(token, chain_result) VALUES(%b, %b) RETURNING id"
    return int(db.execute(text, key).fetchall()[0][0])


def _replace_signature(
    db: Connection, number: int, document: bytes, old: bytes, chain_result: bytes | None
) -> None:
    """Give one record a document of its own; the old one goes when nobody shares it."""
    new = _name(document, chain_result)
    db.execute(
        "INSERT INTO evidence(id, sha512, signature, chain_result) "
        "VALUES(%b, %b, %b, %b) ON CONFLICT DO NOTHING",
        (new, SHA512.of(document), document, chain_result),
    )
    db.execute("UPDATE record SET evidence_id = %b WHERE id = %s", (new, number))
    _drop_unshared(db, "evidence", [old])


def _drop_unshared(db: Connection, table: str, ids: Sequence[Any]) -> None:
    """Delete rows that no record holds any more."""
    text = (
        f"DELETE FROM {table} WHERE id = ANY(%s) "  # noqa: S608  one of two names of this file
        f"AND NOT EXISTS(SELECT 1 FROM record WHERE record.{table}_id = {table}.id)"
    )
    db.execute(text.encode(), (list(ids),))


def read_links(db: Connection) -> dict[str | None, Link]:
    """``LogStore.links``."""
    found = db.execute("SELECT group_name, digest, file_name FROM link").fetchall()
    return {group: Link(digest, file_name) for group, digest, file_name in found}


def archive(db: Connection, numbers: Sequence[int], links: Mapping[str | None, Link]) -> None:
    """``LogStore.archived``."""
    marked = db.execute(
        "UPDATE record SET archived = true "
        "WHERE id = ANY(%s) AND NOT archived AND stamp_id IS NOT NULL",
        (list(numbers),),
    ).rowcount
    if numbers and marked != len(numbers):
        _check_repeated(db, numbers, links, marked)
        return
    for group, link in links.items():
        db.execute("DELETE FROM link WHERE group_name IS NOT DISTINCT FROM %s", (group,))
        db.execute("INSERT INTO link VALUES(%s, %s, %s)", (group, link.digest, link.file_name))


def _check_repeated(
    db: Connection, numbers: Sequence[int], links: Mapping[str | None, Link], marked: int
) -> None:
    """Whether this very call has been done before; else somebody else was here."""
    (there,) = db.execute(
        "SELECT count(*) FROM record WHERE id = ANY(%s) AND archived", (list(numbers),)
    ).fetchall()[0]
    last = read_links(db)
    if marked or there != len(numbers) or any(last.get(g) != link for g, link in links.items()):
        raise Fault(
            "logging_failed", "Records to be marked as archived are gone, unstamped or another's"
        )


def clean(db: Connection, before: datetime, limit: int) -> int:
    """``LogStore.clean``."""
    gone = db.execute(
        "DELETE FROM record WHERE id IN (SELECT id FROM record WHERE archived AND time_us < %s "
        "ORDER BY id LIMIT %s) RETURNING evidence_id, stamp_id",
        (rows.microseconds(before), limit),
        binary=True,
    ).fetchall()
    _drop_unshared(db, "evidence", sorted({evidence for evidence, _ in gone}))
    _drop_unshared(db, "stamp", sorted({stamp for _, stamp in gone}))
    return len(gone)
