"""The server's own log: one JSON object per line, one line per exchange.

The rule: identifiers, codes, sizes and times; never a body, a header's value, a PIN or a key.
Values from outside are JSON strings, so they cannot forge a line. A line that cannot be written
(a full disk, a reader that has gone) is lost and stops nothing; the next one tells how many were.
"""

from __future__ import annotations

import os
import re
import threading
import traceback
from collections.abc import Callable, Mapping
from datetime import UTC

import msgspec

from xgate.clock import Clock
from xgate.errors import Fault
from xgate.securityserver.note import Note

__all__ = ["Journal", "write_to_stderr"]


class _Lines:
    """Writes to a descriptor past all buffers, which would keep what fails; from any thread."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        # Reentrant: an error in an object that is thrown away may be told of at any place.
        self._lock = threading.RLock()
        self._torn = False  # half a line stands there

    def __call__(self, line: bytes) -> None:
        with self._lock:
            left = memoryview(b"\n" + line if self._torn else line)
            while left:
                left = left[os.write(self._descriptor, left) :]
                self._torn = True
            self._torn = False


write_to_stderr: Callable[[bytes], None] = _Lines(2)
"""The default sink: standard error. It raises OSError when a line was not written whole; what half
of it was is ended before the next."""


_NOTHING: Mapping[str, object] = {}
_ODD = re.compile(r"[\x00-\x1f\x7f-\x9f%:;/\\\u200b\ufeff]")


class Journal:
    """Writes lines through ``write``, which must bear any thread: libraries speak from theirs."""

    def __init__(self, clock: Clock, write: Callable[[bytes], None] = write_to_stderr) -> None:
        """:param write: takes a line with its end; an OSError means that it is lost."""
        self._clock = clock
        self._write = write
        self._lost = 0

    def event(self, name: str, **fields: str | int | float | None) -> None:
        """One line about the server itself."""
        self._line(name, {key: value for key, value in fields.items() if value is not None})

    def statistics(
        self,
        signatures: Mapping[int, int],
        commits: Mapping[int, int],
        audit: Mapping[str, int],
        loop: Mapping[str, float],
        occupancy: Mapping[str, object] = _NOTHING,
    ) -> None:
        """What was counted since the start: the sizes of all batches, how many of each, and more.

        :param signatures: messages to a signature. :param commits: records to a commit of the log.
        :param audit: ``records`` that were proven anew, ``failed`` ones among them.
        :param loop: how late it was (``Pulse.told``). :param occupancy: how full a security server
            is, and what it has refused for that.
        """
        counted = {
            "signatures": signatures,
            "commits": commits,
            "audit": audit,
            "loop": loop,
            **occupancy,
        }
        self._line("statistics", counted)

    def exchange(self, note: Note, fault: Fault | None) -> None:
        """The line of an exchange that has ended, well or with a fault."""
        self.event(
            "exchange",
            side=note.side,
            protocol=note.protocol,
            client=note.client,
            service=note.service,
            id=note.id,
            request_id=note.request_id,
            peer=note.peer,
            certificate=note.certificate,
            odd=_odd_parts(note),
            ms=round((self._clock.monotonic() - note.began) * 1000, 1),
            outcome="ok" if fault is None else "fault",
            code=None if fault is None else fault.code,
            text=None if fault is None else fault.text,
            detail=None if fault is None else fault.detail or None,
            limit=None if fault is None else fault.limit or None,
            cause=None if fault is None else fault.cause or None,
        )

    def crash(self, error: BaseException, detail: str) -> None:
        """An error of our own: its whole trace stays here, only ``detail`` goes to others."""
        trace = "".join(traceback.format_exception(error))
        self.event("internal error", detail=detail, trace=trace)

    def _line(self, name: str, fields: Mapping[str, object]) -> None:
        time = self._clock.now().astimezone(UTC).isoformat(timespec="milliseconds")
        line = msgspec.json.encode({"time": time, "event": name, **fields}) + b"\n"
        try:
            if self._lost:
                told = {"time": time, "event": "lines lost", "lines": self._lost}
                self._write(msgspec.json.encode(told) + b"\n")
                self._lost = 0
            self._write(line)
        except OSError:
            self._lost += 1


def _odd_parts(note: Note) -> str | None:
    """The parts of identifiers that are better avoided, though nobody refuses them (pipeline 3)."""
    if note.request is None:
        return None
    parts = (*note.request.client.parts, *note.request.service.parts)
    return " ".join(part for part in parts if _ODD.search(part)) or None
