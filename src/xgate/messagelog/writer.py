"""Logs messages durably: one writer, group commit.

The rule: ``append`` returns only after the record is on the disk, so whoever releases a signature
or an answer after it never acknowledges what could be lost. While one commit runs, what arrives
gathers and becomes the next commit (messagelog trap 1, pipeline 16 trap 12). A record that could
not be kept is refused before it joins others, for a commit that fails refuses them all.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import trio

from xgate.batch import Batcher
from xgate.errors import Fault, faults_under
from xgate.messagelog.outage import Outage
from xgate.messagelog.record import Record
from xgate.messagelog.store import LogStore

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
    ) -> None:
        """:param max_body: octets of one REST body or attachment that may be logged at most.
        :param outage: refuses what might never be stamped; None: stamping is no concern here.
        """
        self.store = store
        self._max_body = max_body
        self._outage = outage
        self._batcher: Batcher[Record, int] = Batcher(self._work, cap=_CAP, in_thread=True)

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve ``append`` until cancelled."""
        await self._batcher.run(task_status=task_status)

    async def append(self, record: Record) -> int:
        """Log one message; its number, once it is durable.

        :raises Fault: ``logging_failed``...; then it is not in the log.
        """
        if self._outage is not None:
            with faults_under("logging_failed"):
                self._outage.check()
        _check_id("query id", record.query_id)
        _check_id("request id", record.request_id)
        _check_text("service", record.service)
        if any(a is not None and len(a) > self._max_body for a in record.attachments):
            raise Fault("logging_failed", "Message size exceeds maximum loggable size")
        return await self._batcher.submit(record)

    def batch_sizes(self) -> dict[int, int]:
        """How many commits held how many records: size to count."""
        return dict(self._batcher.sizes)

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
