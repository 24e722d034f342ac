"""One archive, written from the log in one go: containers, links between them, and its name.

The rule: the same records after the same link give the same octets. What may be large waits in
files: a container, and what grows with their number (lines of ``linkinginfo``, the directory).
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
from xgate.messagelog.record import Outline
from xgate.trust.linking import LINKING_INFO, Chain, Heading, write_heading, write_line
from xgate.trust.zip_writer import ZipWriter

__all__ = ["Contain", "Grouping", "Rotation", "Written", "group_of", "write_archive"]

Grouping = Literal["none", "member", "subsystem"]
"""Whose records share an archive: everybody's, a member's with its subsystems', or one owner's."""

Contain = Callable[[Outline, IO[bytes]], str]
"""Writes the container of a record into an empty file, and tells its name."""

_IN_MEMORY = 1 << 20  # octets of a container, of lines or of the directory; more go to a file
_PIECE = 1 << 18


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
    records: Iterable[Outline],
    contain: Contain,
    out: IO[bytes],
    heading: Heading,
    grouping: Grouping,
    rotation: Rotation,
    *,
    folder: Path,
    between: Callable[[], None] = lambda: None,
) -> Written:
    """Write the first records of ``records``, at least one, in clear, as one archive.

    :param contain: of the log that the records are in. :param out: only written to.
    :param folder: for temporary files.
    :param between: is called after each container; may rest, or raise to give up.
    :raises Fault: ``archive_invalid_record`` for a record that gives no container.
    :raises OSError: it cannot be written.
    """
    with _Draft(out, heading, folder) as draft:
        group: str | None = None
        for outline in records:
            own = group_of(outline.owner, grouping)
            if draft.numbers and (own != group or draft.is_late(outline, rotation)):
                break
            group = own
            draft.add(outline, contain)
            between()
            if draft.octets > rotation.octets or len(draft.numbers) >= rotation.records:
                break
        return draft.finish()


class _Draft:
    def __init__(self, out: IO[bytes], heading: Heading, folder: Path) -> None:
        self._folder = folder
        self._digest = heading.digest
        with ExitStack() as opened:
            directory = opened.enter_context(self._file())
            self._lines = opened.enter_context(self._file())
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

    def is_late(self, outline: Outline, rotation: Rotation) -> bool:
        if self._began is None or not rotation.seconds:
            return False
        return (outline.time - self._began).total_seconds() > rotation.seconds

    def add(self, outline: Outline, contain: Contain) -> None:
        time = outline.time
        with self._file() as container:
            name = _named(contain, outline, container)
            size, crc, state = container.tell(), 0, self._digest.new()
            container.seek(0)
            while piece := container.read(_PIECE):
                crc = zlib.crc32(piece, crc)
                state.update(piece)
            container.seek(0)
            self._zip.add_file(name, container, size, crc, time)
        self._line(write_line(self._chain.add_digest(state), name))
        if self._began is None:
            self._began = self._first = self._last = time
        self._first, self._last = min(self._first, time), max(self._last, time)
        self.numbers.append(outline.id)
        self.octets += size

    def finish(self) -> Written:
        size = self._lines.tell()
        self._lines.seek(0)
        self._zip.add_file(LINKING_INFO, self._lines, size, self._crc, self._last)
        self._zip.finish()
        return Written(tuple(self.numbers), self._chain.last, self._first, self._last)

    def _file(self) -> IO[bytes]:
        """In memory as long as it is small, and then without a name."""
        return tempfile.SpooledTemporaryFile(_IN_MEMORY, dir=str(self._folder), prefix="tmp-mlog-")

    def _line(self, line: bytes) -> None:
        self._lines.write(line)
        self._crc = zlib.crc32(line, self._crc)


def _named(contain: Contain, outline: Outline, out: IO[bytes]) -> str:
    try:
        return contain(outline, out)
    except (Fault, ValueError) as error:
        if isinstance(error, Fault) and error.code.startswith("logging_failed"):
            raise  # of the log, not of what is in it
        text = f"Record {outline.id} gives no container: {error}"
        raise Fault("archive_invalid_record", text) from error
