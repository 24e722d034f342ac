"""Logs messages durably: one writer, group commit.

The rule: ``append`` returns only after the record is on the disk, so whoever releases a signature
or an answer after it never acknowledges what could be lost. While one commit runs, what arrives
gathers and becomes the next commit (messagelog trap 1, pipeline 16 trap 12). A record that could
not be kept is refused before it joins others, for a commit that fails refuses them all. Where each
message is stamped at once, ``append`` returns only after that; a record whose stamp failed stays,
its message is refused, and the stamp is made later (messagelog 3.1).
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

import trio

from xgate.algorithms import SHA512
from xgate.batch import Batcher
from xgate.errors import Fault, faults_under
from xgate.messagelog.backlog import Backlog
from xgate.messagelog.outage import Outage
from xgate.messagelog.record import Record
from xgate.messagelog.store import LogStore, Waiting

__all__ = ["MessageLog"]

_CAP = 256
_MAX_ID = 255
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")  # PostgreSQL knows no NUL, UTF-8 no surrogates


class MessageLog:
    """The way into a ``LogStore`` for many tasks; ``run`` it in a nursery."""

    def __init__(
        self,
        store: LogStore,
        *,
        max_body: int = 10 << 20,
        outage: Outage | None = None,
        backlog: Backlog | None = None,
        stamp: Callable[[Waiting], Awaitable[None]] | None = None,
    ) -> None:
        """:param max_body: octets of one REST body or attachment that may be logged at most.
        :param outage: refuses what might never be stamped; None: stamping is no concern here.
        :param backlog: told of every record that waits for a timestamp.
        :param stamp: stamps each record before ``append`` returns; None: that is done later.
        """
        self.store = store
        self._max_body = max_body
        self._outage = outage
        self._backlog = backlog
        self._stamp = stamp
        self._batcher: Batcher[Record, int] = Batcher(self._work, cap=_CAP, in_thread=True)

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve ``append`` until cancelled."""
        await self._batcher.run(task_status=task_status)

    def check_can_log(self) -> None:
        """Refuse before anything is signed or sent what ``append`` would refuse after it.

        :raises Fault: ``logging_failed...``: what is logged now might never be stamped.
        """
        if self._outage is not None:
            with faults_under("logging_failed"):
                self._outage.check()

    async def append(self, record: Record, stamp_by: datetime | None = None) -> int:
        """Log one message; its number, once it is durable.

        :param stamp_by: until when a timestamp makes the record evidence, as far as it is known.
        :raises Fault: ``logging_failed``...; then it is not in the log, or only without a stamp.
        """
        self.check_can_log()
        _check_id("query id", record.query_id)
        _check_id("request id", record.request_id)
        _check_text("service", record.service)
        if any(a is not None and len(a) > self._max_body for a in record.attachments):
            raise Fault("logging_failed", "Message size exceeds maximum loggable size")
        stamped = False
        try:
            number = await self._store(record)
            if self._stamp is not None:
                await self._stamp_now(number, record)
                stamped = True
            return number
        finally:  # whoever is cancelled here may have left a record behind
            if not stamped and self._backlog is not None:
                self._backlog.add(stamp_by)

    @property
    def delay(self) -> float:
        """Seconds since when the oldest record waits to be durable."""
        return self._batcher.delay

    def batch_sizes(self) -> dict[int, int]:
        """How many commits held how many records: size to count."""
        return dict(self._batcher.sizes)

    async def _store(self, record: Record) -> int:
        """What a store says names hosts, files and users: it stays in our own log."""
        try:
            return await self._batcher.submit(record)
        except Fault as fault:
            raise fault.outwards("The message could not be logged") from fault

    async def _stamp_now(self, number: int, record: Record) -> None:
        assert self._stamp is not None
        try:
            await self._stamp((number, SHA512.of(record.evidence.signature)))
        except Exception as error:
            text = "Cannot time-stamp messages"
            raise Fault("logging_failed.timestamping_failed", text) from error

    def _work(self, records: list[Record]) -> Sequence[int | Exception]:
        return self.store.append(records)


def _check_id(what: str, text: str) -> None:
    if len(text) > _MAX_ID:
        raise Fault(
            "logging_failed",
            f"The {what} is longer than the {_MAX_ID} characters that can be logged",
        )
    _check_text(what, text)


def _check_text(what: str, text: str) -> None:
    if _UNSTORABLE.search(text):
        raise Fault("logging_failed", f"The {what} holds characters that cannot be logged")
