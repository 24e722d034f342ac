"""Bodies of any size in little memory: small ones stay in memory, big ones go to a nameless file.

The rule: the file has no name from its first moment and mode 0600, so that no crash leaves a
message behind (pipeline 12). The limit is checked before an octet is kept.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO

from xgate.net.errors import TooBigError
from xgate.net.stream import Octets

__all__ = ["Spool"]


class Spool:
    """Octets written once and read any number of times. A context manager; closes itself.

    :param limit: most octets it takes. :param threshold: octets kept in memory.
    :param directory: where the file goes; the system's place for temporary files if None.
    """

    def __init__(
        self, *, limit: int, threshold: int = 65536, directory: Path | None = None
    ) -> None:
        self._limit = limit
        self._threshold = threshold
        self._directory = directory
        self._memory = bytearray()
        self._file: IO[bytes] | None = None
        self._closed = False
        self.size = 0
        """Octets written so far."""

    def write(self, data: Octets) -> None:
        """Append. :raises TooBigError: the limit would be passed; nothing is kept of ``data``."""
        self._check_open()
        if self.size + len(data) > self._limit:
            raise TooBigError(f"more than {self._limit} octets")
        self.size += len(data)
        if self._file is None and self.size <= self._threshold:
            self._memory += data
            return
        if self._file is None:
            self._file = tempfile.TemporaryFile(  # noqa: SIM115 - open as long as the spool
                dir=self._directory, buffering=0
            )
            self._append(self._memory)
            self._memory = bytearray()
        self._append(data)

    def chunks(self, size: int = 65536) -> Iterator[bytes]:
        """Everything written so far, from the start, in pieces of at most ``size`` octets."""
        self._check_open()
        position = 0
        while position < self.size:
            piece = self._read(position, size)
            yield piece
            position += len(piece)

    def read(self) -> bytes:
        """Everything at once: for bodies that a limit keeps small."""
        return b"".join(self.chunks())

    def close(self) -> None:
        """Forget the octets and free the file."""
        self._closed = True
        self._memory = bytearray()
        if self._file is not None:
            self._file.close()

    def _read(self, position: int, size: int) -> bytes:
        self._check_open()
        if self._file is None:
            return bytes(self._memory[position : position + size])
        self._file.seek(position)
        piece = self._file.read(size)
        if not piece:
            raise OSError("the temporary file lost its octets")
        return piece

    def _append(self, data: Octets) -> None:
        assert self._file is not None
        self._file.seek(0, 2)
        view = memoryview(data).cast("B")
        while view:
            view = view[self._file.write(view) :]

    def _check_open(self) -> None:
        if self._closed:
            raise ValueError("the spool is closed")

    def __enter__(self) -> Spool:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if self._file is not None:
            self._file.close()
