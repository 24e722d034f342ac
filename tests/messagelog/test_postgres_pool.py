"""Connections: used again while they are good, dropped when not, and never waited for too long."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import psycopg
import pytest
from psycopg.abc import PQGen
from psycopg.waiting import Wait

from xgate.messagelog.postgres_pool import Connection, Pool
from xgate.testing.postgres import Cluster

Begun = list[Connection]


@pytest.fixture
def begun() -> Begun:
    return []


@pytest.fixture
def pool(postgres: Cluster, begun: Begun) -> Iterator[Pool]:
    opened = Pool(
        postgres.conninfo(),
        connect_seconds=2,
        answer_seconds=2,
        read_only=False,
        begin=begun.append,
    )
    yield opened
    opened.close()


def pid(connection: Connection) -> int:
    return connection.info.backend_pid


def test_a_good_connection_is_used_again(pool: Pool, begun: Begun) -> None:
    with pool.borrow() as first, pool.borrow() as second:
        assert pid(first) != pid(second)
    for _ in range(3):
        with pool.borrow() as again:
            assert again in (first, second)
    assert len(begun) == 2


def test_one_in_the_middle_of_something_is_not(pool: Pool) -> None:
    with pool.borrow() as first:
        first.execute("BEGIN")
    assert first.closed
    with pytest.raises(psycopg.errors.SyntaxError), pool.borrow() as second:
        second.execute("not SQL")
    with pool.borrow() as again:
        assert again is second


def test_when_one_is_lost_the_idle_ones_are_dropped_too(pool: Pool) -> None:
    with pool.borrow() as first, pool.borrow() as second:
        pass
    with pytest.raises(psycopg.OperationalError), pool.borrow() as lost:
        lost.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    assert first.closed
    assert second.closed


def test_old_ones_are_dropped(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    with pool.borrow() as first:
        pass
    monkeypatch.setattr("xgate.messagelog.postgres_pool._MOST_IDLE_SECONDS", 0.0)
    with pool.borrow() as second:
        assert first.closed
        assert second is not first


def test_after_closing_nothing_is_kept(pool: Pool) -> None:
    with pool.borrow() as lent:
        pool.close()
        assert lent.execute("SELECT 1").fetchall() == [(1,)]
    assert lent.closed


@pytest.mark.parametrize("setting", ["server", "client"])
def test_an_answer_that_does_not_come_is_not_waited_for(pool: Pool, setting: str) -> None:
    """The server gives up first; and when it does not, we do."""
    with pool.borrow() as connection:
        if setting == "client":
            connection.execute("SET statement_timeout = 0")
        began = time.monotonic()
        with pytest.raises(psycopg.OperationalError) as caught:
            connection.execute("SELECT pg_sleep(20)")
        assert time.monotonic() - began < 10
        assert connection.closed is (setting == "client")
        assert ("no answer within 2 s" in str(caught.value)) is (setting == "client")


def test_what_begins_a_connection_and_fails_leaves_none(postgres: Cluster) -> None:
    made: Begun = []

    def refuse(connection: Connection) -> None:
        made.append(connection)
        raise psycopg.NotSupportedError("no")

    pool = Pool(
        postgres.conninfo(), connect_seconds=2, answer_seconds=1, read_only=True, begin=refuse
    )
    with pytest.raises(psycopg.NotSupportedError), pool.borrow():
        pass
    assert made[0].closed


def test_large_answers_and_large_copies_pass(pool: Pool) -> None:
    """More than a socket takes at once, both ways."""
    octets = bytes(range(256)) * 20_000
    with pool.borrow() as connection, connection.transaction():
        connection.execute("CREATE TEMP TABLE big(octets bytea) ON COMMIT DROP")
        with connection.cursor().copy("COPY big FROM STDIN (FORMAT BINARY)") as copy:
            copy.set_types(["bytea"])
            copy.write_row((octets,))
        (found,) = connection.execute("SELECT octets FROM big", binary=True).fetchall()[0]
    assert found == octets


def test_read_only_is_for_the_whole_connection(postgres: Cluster) -> None:
    ignore: Callable[[Connection], None] = lambda _: None  # noqa: E731  nothing to begin with
    pool = Pool(
        postgres.conninfo(), connect_seconds=2, answer_seconds=1, read_only=True, begin=ignore
    )
    with pool.borrow() as connection, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        connection.execute("CREATE TABLE never(a int)")
    pool.close()


def test_what_is_given_up_has_ended(pool: Pool) -> None:
    """psycopg's steps have ends of their own, which fail when they are left to be cleared away."""

    def steps() -> PQGen[None]:
        yield Wait.R
        pytest.fail("nobody answers")

    with pool.borrow() as connection:
        connection.pgconn.finish()
        given_up = steps()
        with pytest.raises(psycopg.OperationalError):
            connection.wait(given_up)
        assert given_up.gi_frame is None  # type: ignore[attr-defined]  # it is a generator
