"""The PostgreSQL log among many servers, and when the database goes, hangs or comes back."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import conninfo as libpq

from xgate.errors import Fault
from xgate.messagelog.postgres import PostgresStore
from xgate.messagelog.postgres_tables import SCHEMA
from xgate.messagelog.record import Stamp
from xgate.testing.logstore_records import START, a_record
from xgate.testing.postgres import Cluster
from xgate.trust.linking import Link
from xgate.trust.verify import Evidence


@pytest.fixture
def conninfo(postgres: Cluster) -> str:
    return postgres.empty_database()


@pytest.fixture
def store(conninfo: str) -> Iterator[PostgresStore]:
    opened = PostgresStore(conninfo, connect_seconds=5, answer_seconds=3)
    yield opened
    opened.close()


def ask(conninfo: str, text: str) -> list[tuple[object, ...]]:
    with psycopg.connect(conninfo, autocommit=True) as db:
        cursor = db.execute(f"SET search_path = {SCHEMA}; {text}".encode())
        while cursor.nextset():
            pass
        return cursor.fetchall() if cursor.description else []


def count(conninfo: str, table: str) -> object:
    return ask(conninfo, f"SELECT count(*) FROM {table}")[0][0]


def cut_all(conninfo: str) -> None:
    """Every connection to this database but the one that asks; they have ended on return."""
    ask(
        conninfo,
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )


def refusal(work: Callable[[], object]) -> str:
    with pytest.raises(Fault) as caught:
        work()
    assert caught.value.code == "logging_failed.database_error"
    return caught.value.text


class Door:
    """Stands between a store and its database, and slams at the next COMMIT."""

    def __init__(self, conninfo: str, folder: Path) -> None:
        self._target = f"{libpq.conninfo_to_dict(conninfo)['host']}/.s.PGSQL.5432"
        self.conninfo = libpq.make_conninfo(conninfo, host=str(folder))
        self.slam: str | None = None
        """``before`` the COMMIT reaches the database, or ``after``; once."""
        self.commits = 0
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(f"{folder}/.s.PGSQL.5432")
        self._listener.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            server.connect(self._target)
            answers = threading.Thread(target=self._pump, args=(server, client), daemon=True)
            answers.start()
            threading.Thread(target=self._guard, args=(client, server), daemon=True).start()

    def _guard(self, client: socket.socket, server: socket.socket) -> None:
        while data := self._read(client):
            slam = self.slam if b"COMMIT" in data else None
            self.commits += b"COMMIT" in data
            if slam:
                self.slam = None
                client.shutdown(socket.SHUT_RDWR)
            if slam != "before":
                server.sendall(data)
        time.sleep(0.1)  # the database must have read what it was sent
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        client.close()

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        while data := self._read(source):
            try:
                target.sendall(data)
            except OSError:
                continue

    @staticmethod
    def _read(source: socket.socket) -> bytes:
        try:
            return source.recv(65536)
        except OSError:
            return b""


@pytest.fixture
def door(conninfo: str, tmp_path: Path) -> Iterator[Door]:
    opened = Door(conninfo, tmp_path)
    yield opened
    opened.close()


# lost and found


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_connection_lost_in_the_commit_neither_loses_nor_duplicates(
    door: Door, moment: str
) -> None:
    """Whether the commit was done cannot be known; done again with the same keys it is once."""
    store = PostgresStore(door.conninfo, connect_seconds=2, answer_seconds=5)
    store.append([a_record(0)])
    batch = [a_record(n) for n in range(1, 4)]
    door.slam = moment
    numbers = store.append(batch)
    assert door.commits >= 3
    assert [logged.record.key for logged in store.find()][1:] == [r.key for r in batch]
    assert [logged.id for logged in store.find()][1:] == list(numbers)
    door.slam = moment
    store.stamp({numbers[0]: Stamp(b"t")}, {numbers[0]: b"stamped"})
    door.slam = moment
    store.archived([numbers[0]], {})
    door.slam = moment
    assert store.clean(START.replace(year=2200), 9) in (0, 1)
    assert len(list(store.find())) == 3
    store.close()


def test_a_record_without_a_key_is_not_given_twice(door: Door) -> None:
    """Nobody could tell whether it is there already: it is refused."""
    store = PostgresStore(door.conninfo, connect_seconds=2, answer_seconds=5)
    door.slam = "after"
    refusal(lambda: store.append([a_record(1, key=b"")]))
    assert len(list(store.find())) == 1
    store.close()


def test_connections_that_were_cut_while_idle_are_replaced_unnoticed(
    store: PostgresStore, conninfo: str
) -> None:
    for number in range(3):
        store.append([a_record(number)])
        cut_all(conninfo)
        assert len(list(store.find())) == number + 1
        cut_all(conninfo)


def test_a_search_that_is_cut_is_refused_not_shortened(store: PostgresStore, conninfo: str) -> None:
    store.append([a_record(n) for n in range(200)])
    found = store.find()
    next(found)
    cut_all(conninfo)
    refusal(lambda: list(found))
    assert len(list(store.find())) == 200


def test_a_database_that_is_gone_refuses_at_once_and_serves_again_when_it_is_back(
    postgres: Cluster, conninfo: str
) -> None:
    postgres.stop()
    try:
        store = PostgresStore(conninfo, connect_seconds=2, answer_seconds=3)
        began = time.monotonic()
        refusal(lambda: store.append([a_record(0)]))
        refusal(lambda: store.unstamped(1))
        assert time.monotonic() - began < 2
    finally:
        postgres.start()
    store.append([a_record(1)])
    postgres.stop(crash=True)
    try:
        refusal(lambda: store.append([a_record(2)]))
    finally:
        postgres.start()
    store.append([a_record(3)])
    assert [logged.record.query_id for logged in store.find()] == ["query 1", "query 3"]
    store.close()


def test_a_database_that_stands_still_is_not_waited_for(postgres: Cluster, conninfo: str) -> None:
    """The time of one answer and of one connection, and no more."""
    store = PostgresStore(conninfo, connect_seconds=2, answer_seconds=1)
    store.append([a_record(1)])
    postgres.pause()
    try:
        began = time.monotonic()
        refusal(lambda: store.append([a_record(2)]))
        assert 1 < time.monotonic() - began < 6
    finally:
        postgres.resume()
    store.append([a_record(3)])
    assert len(list(store.find(query_id="query 3"))) == 1
    store.close()


def test_a_statement_that_takes_too_long_is_given_up(store: PostgresStore, conninfo: str) -> None:
    """As when another holds a lock; and when it is free again the log goes on."""
    store.append([a_record(1)])
    with psycopg.connect(conninfo) as other:
        other.execute(f"LOCK TABLE {SCHEMA}.record IN EXCLUSIVE MODE".encode())
        refusal(lambda: store.append([a_record(2)]))
        other.rollback()
    store.append([a_record(2)])


def test_what_it_cannot_hold_is_refused_and_nothing_of_the_batch_kept(store: PostgresStore) -> None:
    said = refusal(lambda: store.append([a_record(1), a_record(2, query_id="a\0b")]))
    assert "0x00" in said
    assert list(store.find()) == []
    octets = b"\0\xff" * 10
    (number,) = store.append([a_record(1, message=octets, evidence=Evidence(octets))])
    (logged,) = store.find(number=number)
    assert (logged.record.message, logged.record.evidence.signature) == (octets, octets)


def test_commits_wait_for_the_disk_whatever_the_database_says(conninfo: str) -> None:
    name = libpq.conninfo_to_dict(conninfo)["dbname"]
    ask(conninfo, f"ALTER DATABASE {name} SET synchronous_commit = off")
    store = PostgresStore(conninfo)
    with store._pool.borrow() as db:
        assert db.execute("SHOW synchronous_commit").fetchall() == [("on",)]
    store.close()


def test_who_loses_his_connection_loses_his_task_and_marks_nothing_twice(
    store: PostgresStore, conninfo: str
) -> None:
    numbers = store.append([a_record(1)])
    store.stamp({numbers[0]: Stamp(b"t")}, {})
    other = PostgresStore(conninfo)
    with store.alone("archiver") as mine:
        assert mine
        cut_all(conninfo)
        with other.alone("archiver") as now:
            assert now
            other.archived(numbers, {None: Link("aa", "theirs.zip")})
        with pytest.raises(Fault, match="another"):
            store.archived(numbers, {None: Link("bb", "ours.zip")})
    other.close()
