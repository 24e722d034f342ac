"""A server of one's own: real, private, and gone afterwards."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from xgate.messagelog.postgres import PostgresStore
from xgate.testing.logstore_records import a_record
from xgate.testing.postgres import Cluster, find_postgres


@pytest.fixture
def programs() -> Path:
    found = find_postgres()
    if found is None:
        pytest.skip("PostgreSQL is not installed")
    return found


def test_it_leaves_nothing_behind(programs: Path) -> None:
    with Cluster(programs) as cluster:
        folder = Path(str(conninfo_to_dict(cluster.conninfo())["host"]))
        pid = cluster.pid
        assert folder.stat().st_mode & 0o077 == 0
    assert not folder.exists()
    left = Path(f"/proc/{pid}/cmdline")
    assert not left.exists() or left.read_bytes() == b""  # a process that only waits to be counted


def test_it_syncs_and_listens_on_no_port(postgres: Cluster) -> None:
    with psycopg.connect(postgres.conninfo()) as db:
        shown = [db.execute(f"SHOW {n}".encode()).fetchone() for n in ("fsync", "listen_addresses")]
    assert shown == [("on",), ("",)]


def test_databases_are_apart(postgres: Cluster) -> None:
    first, second = postgres.make_database(), postgres.make_database()
    with psycopg.connect(first, autocommit=True) as db:
        db.execute("CREATE TABLE mine()")
    with psycopg.connect(second, autocommit=True) as db:
        assert db.execute("SELECT to_regclass('mine')").fetchone() == (None,)


def test_an_emptied_database_is_as_new(postgres: Cluster) -> None:
    conninfo = postgres.empty_database()
    left = PostgresStore(conninfo)
    left.append([a_record(1)])
    with psycopg.connect(conninfo, autocommit=True) as db:
        name = db.info.dbname
        db.execute(f"ALTER DATABASE {name} SET synchronous_commit = off".encode())
    assert postgres.empty_database() == conninfo
    with psycopg.connect(conninfo) as db:
        assert db.execute("SHOW synchronous_commit").fetchone() == ("on",)
        assert db.execute("SELECT to_regnamespace('xgate_messagelog')").fetchone() == (None,)
    left.close()
