"""The room that kept bodies may take on the disk: for one message, for all of them, and what must
stay free.

The rule: what finds no room fails alone, by the system's own kind of error, whose text may be told
to anyone; whoever is smaller, or comes later, is served. Files have no name: the kernel frees what
a crash leaves. Where the file system knows no nameless files they lose their name at once, and
``sweep`` removes what a crash caught in between.
"""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Literal

__all__ = ["Bound", "NoRoomError", "Room", "Share", "free_octets", "open_nameless"]

_PREFIX = "xgate-spool-"
_FULL = "There is no room for the body of a message now"
_LOOK = 8 << 20  # octets that are written between two looks at what is free
_NO_NAMELESS = {errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT, errno.EINVAL}


Bound = Literal["most", "each", "spare"]
"""A parameter of ``Room``."""


class NoRoomError(OSError):
    """There is no room for a body; ``strerror`` tells why, and ``met`` which bound."""

    def __init__(self, number: int, text: str, met: Bound) -> None:
        super().__init__(number, text)
        self.met = met


class Room:
    """What all bodies together may take. Not for use by several threads at a time.

    :param directory: where files go; the system's place for temporary files if None.
    :param most: octets in files at a time. :param each: octets of the bodies of one message.
    :param spare: octets of the file system that are left to others.
    """

    def __init__(
        self,
        *,
        directory: Path | None = None,
        most: int = 1 << 40,
        each: int = 1 << 40,
        spare: int = 0,
    ) -> None:
        self.most, self.each, self.spare = most, each, spare
        self._directory = directory
        self._unseen = 0
        self.taken = 0
        """Octets in files now."""
        self.refused: Counter[Bound] = Counter()
        """How many pieces of bodies found no room so far, by the bound that was met."""

    @property
    def directory(self) -> Path:
        """Where files go."""
        return self._directory or Path(tempfile.gettempdir())

    def share(self) -> Share:
        """The part of it that one message may take."""
        return Share(self)

    def open(self) -> IO[bytes]:
        """A file without a name, for this process alone. :raises OSError: there can be none."""
        self._check_free()
        return open_nameless(self.directory)

    def take(self, octets: int) -> None:
        """Claim room in files. :raises NoRoomError: there is not so much; nothing is claimed."""
        if self.taken + octets > self.most:
            raise self.refusal("most", errno.ENOSPC, _FULL)
        self._unseen += octets
        if self._unseen >= _LOOK:
            self._check_free()
        self.taken += octets

    def give_back(self, octets: int) -> None:
        """Room that was claimed is free again."""
        self.taken -= octets

    def refusal(self, met: Bound, number: int, text: str) -> NoRoomError:
        """An error to raise; it is counted."""
        self.refused[met] += 1
        return NoRoomError(number, text, met)

    def sweep(self) -> int:
        """Remove files that a crash left behind, if they are ours; how many there were."""
        swept = 0
        with os.scandir(self.directory) as entries:
            for entry in entries:
                if entry.name.startswith(_PREFIX) and _is_ours(entry):
                    with suppress(FileNotFoundError):
                        Path(entry.path).unlink()
                        swept += 1
        return swept

    def _check_free(self) -> None:
        self._unseen = 0
        if self.spare and free_octets(self.directory) < self.spare:
            raise self.refusal("spare", errno.ENOSPC, _FULL)


class Share:
    """What the bodies of one message may take, whether in memory or in files."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self._taken = 0

    def take(self, octets: int) -> None:
        """Count octets of the message. :raises NoRoomError: they are more than it may have."""
        if self._taken + octets > self.room.each:
            text = f"The bodies of the message have more than {self.room.each} octets"
            raise self.room.refusal("each", errno.EFBIG, text)
        self._taken += octets


def open_nameless(directory: Path, open_fd: Callable[..., int] = os.open) -> IO[bytes]:
    """A file without a name, mode 0600, open to read and to write.

    :param open_fd: opens a file; another one stands for a file system of another kind.
    """
    flags = os.O_TMPFILE | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC
    try:
        descriptor = open_fd(directory, flags, 0o600)
    except OSError as error:
        if error.errno not in _NO_NAMELESS or not directory.is_dir():
            raise
        descriptor, name = tempfile.mkstemp(prefix=_PREFIX, dir=directory)
        with suppress(FileNotFoundError):  # another server's sweep was quicker
            Path(name).unlink()
    return os.fdopen(descriptor, "w+b", buffering=0)


def _is_ours(entry: os.DirEntry[str]) -> bool:
    try:
        status = entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return False
    return stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid()


def free_octets(directory: Path) -> int:
    """What the file system there has left for us. :raises OSError: it cannot tell."""
    status = os.statvfs(directory)
    return status.f_bavail * status.f_frsize
