"""Where a finished archive waits until it is both at its target and noted in the log.

The rule: a redo log of one entry. The archive is on the disk before the note that tells of it; the
note goes before the archive does. Whoever finds a note after a crash puts the same file to its
target again, under the same name, and notes the same records again: nothing is lost, nothing is
archived twice. Files without a note never were anything.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from xgate.errors import Fault
from xgate.trust.linking import Link

__all__ = ["Outbox", "Pending", "flush_folder"]


class Pending(msgspec.Struct, frozen=True):
    """What is to be done with the archive that waits.

    :param previous: the link of ``group`` that it continues; ``link`` comes in its place.
    :param numbers: the log's records in it. :param size: octets of the file.
    """

    group: str | None
    previous: Link | None
    link: Link
    numbers: tuple[int, ...]
    size: int


class Outbox:
    """A folder for one archiver; made if it does not exist (mode 0700)."""

    def __init__(self, folder: Path) -> None:
        """:raises OSError: the folder cannot be made."""
        self.folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.draft = folder / "tmp-mlog-draft.tmp"
        """Where the next archive is written."""
        self.archive = folder / "tmp-mlog-ready.tmp"
        """The archive that waits."""
        self._note = folder / "pending.json"

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other processes out.

        :raises Fault: ``archive_outbox_in_use``.
        """
        with (self.folder / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                text = f"Another process is archiving in {self.folder}"
                raise Fault("archive_outbox_in_use", text) from None
            yield

    def find(self) -> Pending | None:
        """What waits. Without its archive, or unreadable, a note is none: its records still are in
        the log.
        """
        try:
            pending = msgspec.json.decode(self._note.read_bytes(), type=Pending)
            if self.archive.stat().st_size == pending.size:
                return pending
        except (FileNotFoundError, msgspec.MsgspecError):
            pass
        self.clear()
        return None

    def keep(self, pending: Pending) -> None:
        """Make the finished, flushed draft the archive that waits; durable."""
        self.draft.replace(self.archive)
        temporary = self._note.with_suffix(".tmp")
        with temporary.open("wb") as file:
            file.write(msgspec.json.encode(pending))
            file.flush()
            os.fsync(file.fileno())
        flush_folder(self.folder)
        temporary.replace(self._note)
        flush_folder(self.folder)

    def clear(self) -> None:
        """Forget what waits, and remove what former attempts have left."""
        self._note.unlink(missing_ok=True)
        flush_folder(self.folder)
        for left in self.folder.glob("tmp-mlog-*"):
            with suppress(FileNotFoundError):
                left.unlink()


def flush_folder(folder: Path) -> None:
    """Make names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
