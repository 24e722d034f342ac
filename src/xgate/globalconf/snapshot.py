"""Shared parameters as one block of octets that is mapped, not read: a country for nothing.

The rule: a block is whole or refused. Its digest covers everything behind it, so what passes was
written by ``snapshot_writer`` and is as it was then; another layout is another magic. Nothing in it
becomes a Python object before somebody asks for it. Numbers are in the machine's own order, for a
block never leaves the machine.
"""

from __future__ import annotations

import hashlib
import mmap
import sys
import zlib
from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from xgate._native.table import Table
from xgate.errors import Fault

__all__ = ["HEAD", "MAGIC", "Head", "Records", "Section", "Snapshot", "key_of"]

MAGIC: Final = b"xgate-5" + sys.byteorder[:1].encode()
HEAD: Final = len(MAGIC) + 32 + 8  # magic, digest, where the head begins

_PIECE = 64 * 1024

key_of: Final[Callable[[tuple[str | None, ...]], bytes]] = msgspec.msgpack.Encoder().encode
"""The key of a table for these parts; different parts never have the same."""


class Section(msgspec.Struct, frozen=True, array_like=True):
    """A place in the block: where it begins, how long it is, how many entries it has."""

    start: int
    size: int
    count: int


class Head(msgspec.Struct, frozen=True, array_like=True):
    """What is read of every block.

    :param digest: SHA-256 of the file it was made from. :param sha512: what directories list of it.
    :param size: octets of that file.
    :param small: the shared parameters without members, servers and groups.
    :param addresses: where each server answers, in their order; "": nowhere.
    """

    digest: bytes
    sha512: bytes
    size: int
    small: bytes
    warnings: tuple[str, ...]
    addresses: tuple[str, ...]
    sections: dict[str, Section]


_HEADS = msgspec.msgpack.Decoder(Head)


class Snapshot:
    """A block, mapped read-only; it is let go of when nobody refers to it.

    :raises Fault: ``malformed_global_conf``: it is cut, changed, or of another layout.
    """

    def __init__(self, descriptor: int) -> None:
        """:param descriptor: a regular file or memory; it may be closed afterwards.

        :raises OSError: it cannot be mapped.
        """
        try:
            self.octets: Final = mmap.mmap(descriptor, 0, prot=mmap.PROT_READ)
        except ValueError:  # an empty file
            raise _damaged() from None
        self.head: Final = self._check()

    def _check(self) -> Head:
        view = memoryview(self.octets)
        try:
            if view[: len(MAGIC)] != MAGIC or len(view) < HEAD:
                raise _damaged()
            body = len(MAGIC) + 32
            if hashlib.sha256(view[body:]).digest() != view[len(MAGIC) : body]:
                raise _damaged()
            return _HEADS.decode(view[int.from_bytes(view[body:HEAD], sys.byteorder) :])
        except msgspec.MsgspecError:
            raise _damaged() from None
        finally:
            view.release()

    def __eq__(self, other: object) -> bool:
        """Whether the other is made from the same file, or is that file's octets."""
        if isinstance(other, Snapshot):
            return self.head.digest == other.head.digest
        if isinstance(other, bytes) and len(other) == self.head.size:
            return hashlib.sha256(other).digest() == self.head.digest
        return False

    def __hash__(self) -> int:
        return hash(self.head.digest)

    def records(self, name: str) -> Records:
        """The list of this name."""
        return Records(self.octets, self.head.sections[name])

    def table(self, name: str) -> Table:
        """The table of this name."""
        place = self.head.sections[name]
        return Table(self.octets, place.start, place.count)

    def source(self) -> bytes:
        """The file that the block was made from; unpacked at each call."""
        with self._packed() as packed:
            # All its room at once: what grew in pieces is joined while other threads wait.
            return zlib.decompress(packed, bufsize=self.head.size)

    def pieces(self) -> Iterator[bytes]:
        """The same in pieces, which take little memory."""
        unpack = zlib.decompressobj()
        with self._packed() as packed:
            for start in range(0, len(packed), _PIECE):
                yield unpack.decompress(packed[start : start + _PIECE])
        yield unpack.flush()

    def _packed(self) -> memoryview:
        place = self.head.sections["source"]
        return memoryview(self.octets)[place.start : place.start + place.size]


class Records:
    """Octets by number."""

    def __init__(self, octets: mmap.mmap, place: Section) -> None:
        self._octets = octets
        self._count = place.count
        self._base = place.start + 4 * (place.count + 1)
        self._ends = _numbers(octets, place.start, place.count + 1)

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, number: int) -> bytes:
        """One of them. :raises IndexError: there is none of this number."""
        if not 0 <= number < self._count:
            raise IndexError(number)
        return self._octets[self._base + self._ends[number] : self._base + self._ends[number + 1]]

    def __iter__(self) -> Iterator[bytes]:
        return (self[number] for number in range(self._count))


def _numbers(octets: mmap.mmap, start: int, count: int) -> memoryview[int]:
    return memoryview(octets)[start : start + 4 * count].cast("I")


def _damaged() -> Fault:
    return Fault("malformed_global_conf", "a snapshot of the configuration is damaged or not ours")
