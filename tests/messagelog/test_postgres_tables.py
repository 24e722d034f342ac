"""The tables in PostgreSQL: made once, by one of many, and never by who may not."""

from __future__ import annotations

import threading

import psycopg
import pytest

from xgate.errors import Fault
from xgate.messagelog import postgres
from xgate.messagelog.postgres import PostgresStore
from xgate.messagelog.postgres_tables import SCHEMA, STEPS
from xgate.testing.logstore_records import a_record, running
from xgate.testing.postgres import Cluster


def ask(conninfo: str, text: str) -> list[tuple[object, ...]]:
    with psycopg.connect(conninfo, autocommit=True) as db:
        cursor = db.execute(text.encode())
        return cursor.fetchall() if cursor.description else []


def test_many_servers_that_start_at_once_make_them_once(postgres: Cluster) -> None:
    conninfo = postgres.empty_database()
    stores: list[PostgresStore] = []
    lock = threading.Lock()

    def start() -> None:
        store = PostgresStore(conninfo)
        store.append([a_record(1)])
        with lock:
            stores.append(store)

    with running(*(start for _ in range(5))):
        pass
    assert len(list(stores[0].find())) == 5
    for store in stores:
        store.close()
    assert ask(conninfo, f"SELECT number FROM {SCHEMA}.version") == [(1,)]


def test_a_later_versions_tables_are_not_touched(postgres: Cluster) -> None:
    conninfo = postgres.empty_database()
    PostgresStore(conninfo).close()
    ask(conninfo, f"INSERT INTO {SCHEMA}.version VALUES(99, now())")
    for read_only in (False, True):
        with pytest.raises(Fault, match="of version 99, and this program knows 1") as caught:
            PostgresStore(conninfo, read_only=read_only)
        assert caught.value.code == "logging_failed"


def test_who_only_reads_makes_nothing_and_changes_nothing(postgres: Cluster) -> None:
    conninfo = postgres.empty_database()
    with pytest.raises(Fault, match="a server makes them at start"):
        PostgresStore(conninfo, read_only=True)
    assert ask(conninfo, f"SELECT to_regnamespace('{SCHEMA}')") == [(None,)]
    writer = PostgresStore(conninfo)
    writer.append([a_record(1)])
    reader = PostgresStore(conninfo, read_only=True)
    assert len(list(reader.find())) == 1
    with pytest.raises(Fault, match="read-only"):
        reader.append([a_record(2)])
    reader.close()
    writer.close()


def test_a_step_that_fails_leaves_nothing(
    postgres: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    conninfo = postgres.empty_database()
    monkeypatch.setattr(_module(), "STEPS", (*STEPS, "CREATE TABLE more(a int); not SQL"))
    with pytest.raises(Fault, match="syntax error"):
        PostgresStore(conninfo)
    assert ask(conninfo, f"SELECT to_regnamespace('{SCHEMA}')") == [(None,)]
    monkeypatch.setattr(_module(), "STEPS", (*STEPS, "CREATE TABLE more(a int)"))
    PostgresStore(conninfo).close()
    assert ask(conninfo, f"SELECT number FROM {SCHEMA}.version ORDER BY 1") == [(1,), (2,)]


def test_a_schema_that_was_made_for_us_is_used(postgres: Cluster) -> None:
    """A server's user need not be allowed to make schemas."""
    conninfo = postgres.empty_database()
    ask(conninfo, f"CREATE SCHEMA {SCHEMA}")
    PostgresStore(conninfo).close()
    assert ask(conninfo, f"SELECT count(*) FROM {SCHEMA}.record") == [(0,)]


def _module() -> object:
    return postgres
