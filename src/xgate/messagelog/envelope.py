"""What an archive is put into when it is written: nothing, or another form (plug-in).

The rule: an archive is written once, from the first octet to the last; an envelope takes these
octets and is answerable for the file being on the disk when it is closed without an error. Sources:
asic 3 and 4 (``messagelog.openpgp`` is the other envelope).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO, Protocol

from xgate.ids import ClientId

__all__ = ["Envelope", "PlainEnvelope", "create_file"]


class Envelope(Protocol):
    """Duties: as the rule says. ``encrypted``: the archive's name ends with ``.gpg``."""

    encrypted: bool

    def open(self, path: Path, member: ClientId | None) -> AbstractContextManager[IO[bytes]]:
        """A file to write an archive to, which comes to ``path``, anew, flushed to the disk.

        :param member: whose records alone are in it; None: there are others'.
        :raises OSError, Fault: it could not be written, also at the end of the block.
        """


class PlainEnvelope:
    """The archive as it is."""

    encrypted = False

    @contextmanager
    def open(self, path: Path, member: ClientId | None) -> Iterator[IO[bytes]]:
        """See ``Envelope.open``."""
        with create_file(path) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())


def create_file(path: Path) -> IO[bytes]:
    """A new file in the place of an old one, readable for this user and group only."""
    path.unlink(missing_ok=True)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640), "wb")
