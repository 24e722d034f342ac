"""Transactions of several servers on one database: they share, cross and lose nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import psycopg
import pytest

from xgate.messagelog import postgres_work, rows
from xgate.messagelog.postgres import PostgresStore
from xgate.messagelog.postgres_pool import Connection
from xgate.messagelog.postgres_tables import SCHEMA
from xgate.messagelog.record import Stamp
from xgate.testing.logstore_records import OWNER, START, Made, a_record, running
from xgate.testing.postgres import Cluster
from xgate.trust.verify import Evidence


@pytest.fixture
def conninfo(postgres: Cluster) -> str:
    return postgres.empty_database()


@pytest.fixture
def store(conninfo: str) -> Iterator[PostgresStore]:
    opened = PostgresStore(conninfo)
    yield opened
    opened.close()


def count(conninfo: str, table: str) -> object:
    with psycopg.connect(conninfo) as db:
        return db.execute(f"SELECT count(*) FROM {SCHEMA}.{table}".encode()).fetchall()[0][0]


def test_a_signature_that_servers_share_is_stored_once(conninfo: str) -> None:
    """Both sides of an exchange, at two nodes, at one time; and what one half is is not mixed."""
    stores = [PostgresStore(conninfo) for _ in range(3)]
    shared = [Evidence(b"signature %d" % n, b"result", b"chain") for n in range(5)]

    def write(store: PostgresStore, order: int) -> None:
        for _ in range(5):
            store.append([a_record(n, evidence=e) for n, e in enumerate(shared[::order])])

    with running(*(lambda s=s, o=o: write(s, o) for s, o in zip(stores, (1, -1, 1), strict=True))):
        pass
    assert count(conninfo, "evidence") == 5
    assert count(conninfo, "record") == 75
    stores[0].append([a_record(9, evidence=Evidence(b"signature 1", None))])
    assert count(conninfo, "evidence") == 6
    for store in stores:
        store.close()


@pytest.mark.parametrize("size", [1000, 17 << 20])
def test_what_is_large_has_its_time(conninfo: str, size: int) -> None:
    """And only in its own transaction."""
    PostgresStore(conninfo).close()
    with Connection.connect(conninfo, autocommit=True) as db:
        db.execute(f"SET search_path = {SCHEMA}; SET statement_timeout = 9000".encode())
        with db.transaction():
            postgres_work.append(db, [a_record(1, attachments=(Made(size),))])
            granted = db.execute("SHOW statement_timeout").fetchall()[0][0]
        assert granted == ("9s" if size == 1000 else f"{10_000 + (size + 9) // 1000}ms")
        assert db.execute("SHOW statement_timeout").fetchall()[0][0] == "9s"


def test_stamping_and_cleaning_cross_appending_without_loss(conninfo: str) -> None:
    """Evidence that one server drops as the last holder goes is just what another takes up."""
    store, other = PostgresStore(conninfo), PostgresStore(conninfo)
    shared = Evidence(b"shared")
    done = threading.Event()
    appended: list[int] = []

    def append() -> None:
        while not done.is_set():
            appended.extend(store.append([a_record(1, evidence=shared)]))

    with running(append):
        for _ in range(6):
            for number, _digest in other.unstamped(10):
                other.stamp({number: Stamp(b"t")}, {number: b"document %d" % number})
                other.archived([number], {})
            other.clean(START.replace(year=2200), 10)
        done.set()
    left = {logged.id: logged for logged in store.find()}
    assert all(logged.record.message == b"message 1" for logged in left.values())
    for logged in left.values():
        stamped = logged.stamp is not None
        document = b"document %d" % logged.id if stamped else b"shared"
        assert logged.record.evidence.signature == document
    store.close()
    other.close()


@pytest.mark.parametrize(
    ("question", "index"),
    [
        (rows.select({"query_id": "q", "owner": OWNER}), "record_query"),
        (rows.select({"since": START, "until": START}), "record_time"),
        ((rows.UNSTAMPED, (9,)), "record_unstamped"),
        ((rows.ARCHIVABLE, (9, 9)), "record_archivable"),
    ],
)
def test_a_large_log_is_asked_by_index(
    store: PostgresStore, question: rows.Question, index: str
) -> None:
    text, values = question
    with store._pool.borrow() as db, db.transaction():
        db.execute("SET LOCAL enable_seqscan = off")
        plan = db.execute(b"EXPLAIN " + postgres_work.marked(text), values).fetchall()
    assert index in str(plan)
