"""Bodies of any size in little memory: small ones stay in memory, big ones go to a nameless file.

The rule: the file has no name from its first moment and mode 0600, so that no crash leaves a
message behind (pipeline 12). Every limit is checked before an octet is kept, and what a file takes
is claimed from the ``Room`` that all bodies share.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from types import TracebackType
from typing import IO

from xgate.net.errors import TooBigError
from xgate.net.room import Room, Share
from xgate.net.stream import Octets

__all__ = ["Lent", "Spool"]

_UNLIMITED = 1 << 62


class Lent:
    """The first ``size`` octets of a file; for any thread, and for as long as this object lives.

    The descriptor is its own: what the spool closes, another thread may still be reading.
    """

    def __init__(self, descriptor: int, size: int) -> None:
        """:param descriptor: is closed with this object."""
        self._descriptor = descriptor
        self._size = size

    def __len__(self) -> int:
        return self._size

    def pieces(self, size: int) -> Iterator[bytes]:
        """All of them, in pieces of at most ``size``. :raises OSError: the file lost some."""
        position = 0
        while position < self._size:
            piece = os.pread(self._descriptor, min(size, self._size - position), position)
            if not piece:
                raise OSError("the temporary file lost its octets")
            yield piece
            position += len(piece)

    def __del__(self) -> None:
        os.close(self._descriptor)


class Spool:
    """Octets written once and read any number of times. A context manager; closes itself.

    :param limit: most octets it takes. :param keep: how many of them, from the first one, can be
        read; those that follow are only counted. :param threshold: octets kept in memory.
    :param share: the message whose body this is; a room without limits if None.
    """

    def __init__(
        self,
        *,
        limit: int = _UNLIMITED,
        keep: int = _UNLIMITED,
        threshold: int = 65536,
        share: Share | None = None,
    ) -> None:
        self._limit = limit
        self._keep = keep
        self._threshold = threshold
        self._share = share or Room().share()
        self._memory = bytearray()
        self._file: IO[bytes] | None = None
        self._filed = 0
        self._closed = False
        self.size = 0
        """Octets written so far."""

    @property
    def kept(self) -> int:
        """Octets that can be read."""
        return min(self.size, self._keep)

    def write(self, data: Octets) -> None:
        """Append all of it or, when this raises, nothing that is counted.

        :raises TooBigError: the limit would be passed.
        :raises NoRoomError: there is no room for it. :raises OSError: it cannot be written.
        """
        self._check_open()
        if self.size + len(data) > self._limit:
            raise TooBigError(f"more than {self._limit} octets")
        view = memoryview(data).cast("B")[: max(self._keep - self.size, 0)]
        if view:
            self._share.take(len(view))
            self._append(view)
        self.size += len(data)

    def chunks(self, size: int = 65536, most: int = _UNLIMITED) -> Iterator[bytes]:
        """Everything kept so far, from the start, in pieces of at most ``size`` octets.

        :param most: where to stop at the latest.
        """
        self._check_open()
        position = 0
        while position < (end := min(self.kept, most)):
            piece = self._read(position, min(size, end - position))
            yield piece
            position += len(piece)

    def read(self, most: int = _UNLIMITED) -> bytes:
        """Everything kept at once, or the first ``most`` octets of it."""
        return b"".join(self.chunks(max(min(self.kept, most), 1), most))

    def lend(self, most: int = _UNLIMITED) -> bytes | Lent:
        """The same, as something that outlives this spool and is read by any thread.

        :raises OSError: there is no descriptor left for it.
        """
        size = min(self.kept, most)
        if self._file is None or size <= self._threshold:
            return self.read(most)
        return Lent(os.dup(self._file.fileno()), size)

    def close(self) -> None:
        """Forget the octets and free the file."""
        self._closed = True
        self._memory = bytearray()
        if self._file is not None:
            self._file.close()
            self._share.room.give_back(self._filed)
            self._filed = 0

    def _read(self, position: int, size: int) -> bytes:
        self._check_open()
        if self._file is None:
            return bytes(self._memory[position : position + size])
        self._file.seek(position)
        piece = self._file.read(size)
        if not piece:
            raise OSError("the temporary file lost its octets")
        return piece

    def _append(self, view: memoryview) -> None:
        if self._file is None:
            if len(self._memory) + len(view) <= self._threshold:
                self._memory += view
                return
            self._file = self._share.room.open()
            self._file_away(memoryview(self._memory))
            self._memory = bytearray()
        self._file_away(view)

    def _file_away(self, view: memoryview) -> None:
        assert self._file is not None
        self._share.room.take(len(view))
        self._filed += len(view)
        try:
            self._file.seek(0, 2)
            while view:
                view = view[self._file.write(view) :]
        except OSError as error:  # of itself it does not tell where
            place = os.fspath(self._share.room.directory)
            raise OSError(error.errno, error.strerror, place) from None

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
        self.close()
