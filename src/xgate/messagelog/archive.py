"""One archive, written from the log in one go: containers, links between them, and its name.

The rule: the same records after the same link give the same octets. A container is in memory at a
time; what grows with their number (lines of ``linkinginfo``, the zip's directory) waits in files.
An archive ends with the container that makes it larger than wanted, before one of another group,
and before one that is too much later than its first. Source: asic 3.
"""

from __future__ import annotations

import tempfile
import zlib
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Literal

import msgspec

from xgate.errors import Fault
from xgate.ids import ClientId
from xgate.messagelog.evidence import write_evidence
from xgate.messagelog.record import LoggedRecord
from xgate.trust.linking import LINKING_INFO, Chain, Heading, write_heading, write_line
from xgate.trust.zip_writer import ZipWriter

__all__ = ["Grouping", "Rotation", "Written", "group_of", "write_archive"]

Grouping = Literal["none", "member", "subsystem"]
"""Whose records share an archive: everybody's, a member's with its subsystems', or one owner's."""

_IN_MEMORY = 1 << 20  # octets of lines, and of the directory, before they go to a file


class Rotation(msgspec.Struct, frozen=True):
    """When an archive ends.

    :param octets: sum of the containers' sizes that is not exceeded by more than one of them.
    :param records: in one archive at most.
    :param seconds: between the first record and the last; 0: any.
    """

    octets: int = 32 << 20
    records: int = 10_000
    seconds: float = 0.0


class Written(msgspec.Struct, frozen=True):
    """What has been written: the log's numbers of its records, its last link, its times."""

    numbers: tuple[int, ...]
    digest: str
    first: datetime
    last: datetime


def group_of(owner: ClientId, grouping: Grouping) -> str | None:
    """The name of the group whose chain a record belongs to; None: that of all."""
    if grouping == "none":
        return None
    return owner.member.short if grouping == "member" else owner.short


def write_archive(
    records: Iterable[LoggedRecord],
    out: IO[bytes],
    heading: Heading,
    grouping: Grouping,
    rotation: Rotation,
    *,
    folder: Path,
    between: Callable[[], None] = lambda: None,
) -> Written:
    """Write the first records of ``records``, at least one, in clear, as one archive.

    :param out: only written to. :param folder: for temporary files.
    :param between: is called after each container; may rest, or raise to give up.
    :raises Fault: ``archive_invalid_record`` for a record that gives no container.
    :raises OSError: it cannot be written.
    """
    with _Draft(out, heading, folder) as draft:
        group: str | None = None
        for logged in records:
            own = group_of(logged.record.owner, grouping)
            if draft.numbers and (own != group or draft.is_late(logged, rotation)):
                break
            group = own
            draft.add(logged)
            between()
            if draft.octets > rotation.octets or len(draft.numbers) >= rotation.records:
                break
        return draft.finish()


class _Draft:
    def __init__(self, out: IO[bytes], heading: Heading, folder: Path) -> None:
        with ExitStack() as opened:
            directory = opened.enter_context(
                tempfile.SpooledTemporaryFile(_IN_MEMORY, dir=str(folder), prefix="tmp-mlog-")
            )
            self._lines = opened.enter_context(
                tempfile.SpooledTemporaryFile(_IN_MEMORY, dir=str(folder), prefix="tmp-mlog-")
            )
            self._opened = opened.pop_all()
        self._zip = ZipWriter(out, directory)
        self._chain = Chain(heading)
        self._crc = 0
        self._began: datetime | None = None
        self._first = self._last = datetime.max.replace(tzinfo=UTC)
        self.numbers: list[int] = []
        self.octets = 0
        self._line(write_heading(heading))

    def __enter__(self) -> _Draft:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def is_late(self, logged: LoggedRecord, rotation: Rotation) -> bool:
        if self._began is None or not rotation.seconds:
            return False
        return (logged.record.time - self._began).total_seconds() > rotation.seconds

    def add(self, logged: LoggedRecord) -> None:
        name, container = _container(logged)
        time = logged.record.time
        self._zip.add(name, container, time)
        self._line(write_line(self._chain.add(container), name))
        if self._began is None:
            self._began = self._first = self._last = time
        self._first, self._last = min(self._first, time), max(self._last, time)
        self.numbers.append(logged.id)
        self.octets += len(container)

    def finish(self) -> Written:
        size = self._lines.tell()
        self._lines.seek(0)
        self._zip.add_file(LINKING_INFO, self._lines, size, self._crc, self._last)
        self._zip.finish()
        return Written(tuple(self.numbers), self._chain.last, self._first, self._last)

    def _line(self, line: bytes) -> None:
        self._lines.write(line)
        self._crc = zlib.crc32(line, self._crc)


def _container(logged: LoggedRecord) -> tuple[str, bytes]:
    try:
        return write_evidence(logged)
    except (Fault, ValueError) as error:
        text = f"Record {logged.id} gives no container: {error}"
        raise Fault("archive_invalid_record", text) from error
