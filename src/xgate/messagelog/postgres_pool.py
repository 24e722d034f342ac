"""Connections to PostgreSQL that cannot hang, kept for the next who needs one.

The rule: every wait for the database ends: connecting, each statement, each piece of a copy. The
server is told its own limit too, but one that is stopped, or a network that has gone silent, keeps
no limits, so this side watches the clock. A connection that failed is dropped, and the idle ones
with it: what ended one has ended them all; one that was ended while it was idle is not handed out.
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Lock
from typing import Any, TypeVar

import psycopg
from psycopg import errors, pq
from psycopg.abc import PQGen
from psycopg.waiting import Ready, Wait

from xgate.messagelog.postgres_tables import SCHEMA

__all__ = ["Connection", "Pool"]

_IDLE = 4
_ENDED = (errors.AdminShutdown, errors.CrashShutdown, errors.IdleInTransactionSessionTimeout)
_MOST_IDLE_SECONDS = 300.0
T = TypeVar("T")


class Connection(psycopg.Connection[tuple[Any, ...]]):
    """A connection of which each wait ends after ``seconds``, with the connection if need be."""

    seconds = 10.0

    def wait(self, gen: PQGen[T], interval: float | None = None, timeout: float | None = None) -> T:
        """See ``psycopg.Connection.wait``; the limit is our own.

        :raises psycopg.OperationalError: the database has not answered in time.
        """
        limit = time.monotonic() + (self.seconds if timeout is None else timeout)
        poll = select.poll()
        try:
            state = next(gen)
            while True:
                poll.register(self.pgconn.socket, _events(state))
                left = limit - time.monotonic()
                ready = poll.poll(max(0, left) * 1000)
                if not ready:
                    self.pgconn.finish()
                    raise psycopg.OperationalError(f"no answer within {self.seconds:g} s")
                state = gen.send(_ready(state, ready[0][1]))
        except StopIteration as end:
            result: T = end.value
            return result
        except psycopg.Error as error:  # what cannot go on ends here, not when it is cleared away
            with suppress(psycopg.Error, StopIteration):
                gen.throw(error)
                gen.close()
            raise


class Pool:
    """Hands out connections; ``borrow`` from any thread."""

    def __init__(
        self,
        conninfo: str,
        *,
        connect_seconds: int,
        answer_seconds: float,
        read_only: bool,
        begin: Callable[[Connection], None],
    ) -> None:
        """:param begin: called with each new connection before it is used."""
        self._conninfo = conninfo
        self._connect_seconds = connect_seconds
        self._answer_seconds = answer_seconds
        self._read_only = read_only
        self._begin = begin
        self._lock = Lock()
        self._idle: list[tuple[float, Connection]] = []
        self._closed = False

    @contextmanager
    def borrow(self, *, fresh: bool = False) -> Iterator[Connection]:
        """A connection outside any transaction; it goes back unless it was lost.

        :param fresh: one that nobody has used before.
        :raises psycopg.OperationalError: there is none to be had.
        """
        connection = (None if fresh else self._take()) or self._connect()
        try:
            yield connection
        except _ENDED:
            connection.close()
            raise
        finally:
            self._give_back(connection)

    def close(self) -> None:
        """Close all that is idle, and later what is still lent."""
        self._closed = True
        self._drop_idle()

    def _take(self) -> Connection | None:
        with self._lock:
            if not self._idle:
                return None
            since, connection = self._idle.pop()
        if _is_quiet(connection) and time.monotonic() - since < _MOST_IDLE_SECONDS:
            return connection
        connection.close()
        self._drop_idle()
        return None

    def _drop_idle(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for _, connection in idle:
            connection.close()

    def _give_back(self, connection: Connection) -> None:
        if connection.closed:
            self._drop_idle()
            return
        with self._lock:
            status = connection.pgconn.transaction_status
            usable = status == pq.TransactionStatus.IDLE and not self._closed
            if usable and len(self._idle) < _IDLE:
                self._idle.append((time.monotonic(), connection))
                return
        connection.close()

    def _connect(self) -> Connection:
        connection = Connection.connect(
            self._conninfo,
            autocommit=True,
            connect_timeout=self._connect_seconds,
            application_name="xgate",
        )
        try:
            connection.seconds = self._answer_seconds
            connection.execute(_session(self._answer_seconds, read_only=self._read_only))
            self._begin(connection)
        except BaseException:
            connection.close()
            raise
        return connection


def _is_quiet(connection: Connection) -> bool:
    """Whether the server has said nothing since: what it says unasked is that it is the end."""
    poll = select.poll()
    poll.register(connection.pgconn.socket, select.POLLIN)
    return not poll.poll(0)


def _session(seconds: float, *, read_only: bool) -> bytes:
    """What holds for a whole connection.

    The server gives up a little before we do; and it drops the transaction of a client that has
    vanished in the middle of it before another who waits for its locks would give up.
    """
    return (
        f"SET search_path = {SCHEMA}, pg_temp; SET synchronous_commit = on; "
        f"SET statement_timeout = {int(seconds * 900)}; "
        f"SET idle_in_transaction_session_timeout = {int(seconds * 400)}; "
        f"SET default_transaction_read_only = {'on' if read_only else 'off'}"
    ).encode()


def _events(state: Wait) -> int:
    events = 0
    if state & Wait.R:
        events |= select.POLLIN
    if state & Wait.W:
        events |= select.POLLOUT
    return events


def _ready(state: Wait, events: int) -> Ready:
    """What to tell the generator; an error on the socket wakes whatever it waited for."""
    ready = 0
    if events & ~select.POLLOUT:
        ready |= state & Wait.R
    if events & ~select.POLLIN:
        ready |= state & Wait.W
    return Ready(ready)
