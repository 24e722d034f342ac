"""Archives of the message log: read and proven container by container, whatever their size.

The rule: one container is in memory at a time, beside one line of ``linkinginfo`` that must name it
and its link. Nothing is believed that is not there twice: a file that is not in the chain, a line
without its file, two files of one name are refused. Source: asic 3.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO, NoReturn

import msgspec

from xgate.errors import Fault
from xgate.trust.anchors import Trust
from xgate.trust.linking import (
    LINKING_INFO,
    Chain,
    Heading,
    Link,
    read_heading,
    read_line,
    split_lines,
)
from xgate.trust.proof import ContainerProof
from xgate.trust.verify import verify_container
from xgate.trust.zip_reader import ZipReader, safe_name
from xgate.trust.zip_records import Entry, refuse

__all__ = ["Archive", "ArchiveReader", "Tell", "verify_archive"]

_MOST_OCTETS = 256 << 20  # one container, as trust.asic has it
_NAMES_AT_ONCE = 1 << 16

Tell = Callable[[str, ContainerProof | Fault], None]
"""Is told of each container by its name: what it proves, or why it proves nothing."""


class Archive(msgspec.Struct, frozen=True):
    """What an archive was found to be: sound as a file, its chain unbroken.

    :param previous: the link that it continues; None: it is the first.
    :param last: its last link, lower-case hex. :param invalid: containers that prove nothing.
    """

    file_name: str
    previous: Link | None
    last: str
    algorithm: str
    containers: int
    invalid: int


class ArchiveReader:
    """One archive, open for one reading.

    :ivar heading: what it continues and how it links. :ivar count: containers in it.
    :ivar last: the link reached; the archive's last one when ``containers`` has ended.
    :ivar place: the octet of the archive at which the container read last begins.
    """

    def __init__(self, file: BinaryIO, *, limit: int = _MOST_OCTETS) -> None:
        """:param file: seekable, and not used elsewhere meanwhile.
        :param limit: the largest container, in octets.
        :raises Fault: ``archive_invalid_zip``, ``archive_linkinginfo_not_found``,
            ``archive_no_containers``, and as ``linking.read_heading``.
        """
        self._file = file
        self._limit = limit
        with _archive_faults():
            self._reader = ZipReader(file)
            self._info = self._find_info()
        self.count = self._reader.count - 1
        if not self.count:
            raise Fault("archive_no_containers", "The archive has no containers in it")
        self.place = 0
        self._lines = self._read_lines()
        self.heading: Heading = read_heading(next(self._lines, b""))
        self.last = "" if self.heading.previous is None else self.heading.previous.digest

    def containers(self) -> Iterator[tuple[str, bytes]]:
        """Name and octets of each container, once its link has been checked.

        :raises Fault: ``archive_invalid_zip``, ``archive_digest_mismatch``,
            ``archive_file_names_differ``, ``archive_invalid_linkinginfo``: at the place where the
            archive cannot be followed any further.
        """
        chain = Chain(self.heading)
        with _archive_faults():
            for entry in self._reader.directory():
                name = safe_name(entry)
                if name == LINKING_INFO:
                    self._reader.skip(entry)
                    continue
                octets = self._content(entry, name)
                self._check_line(chain.add(octets), name, entry)
                self.last, self.place = chain.last, entry.offset
                yield name, octets
            self._reader.finish()
            line = next(self._lines, None)
        if line is not None:
            _, name = read_line(line, self.heading.digest)
            _differ(f"linkinginfo names '{name}', which is not in the archive")

    def _find_info(self) -> Entry:
        """Look through all names: each once, and ``linkinginfo`` among them.

        Not all at once, so that memory stays bounded: one share of them in each pass.
        """
        found = None
        shares = self._reader.count // _NAMES_AT_ONCE + 1
        for share in range(shares):
            seen: set[str] = set()
            for entry in self._reader.directory():
                name = safe_name(entry)
                if entry.name == LINKING_INFO.encode():
                    found = entry
                folded = name.casefold()
                if zlib.crc32(folded.encode()) % shares != share:
                    continue
                if folded in seen:
                    refuse(f"'{name}' is in it twice")
                if len(seen) > 4 * _NAMES_AT_ONCE:
                    refuse("its names are made to take memory")
                seen.add(folded)
        if found is None:
            raise Fault("archive_linkinginfo_not_found", "The archive has no linkinginfo")
        return found

    def _read_lines(self) -> Iterator[bytes]:
        reader = ZipReader(self._file)
        reader.begin_at(self._info)
        with _archive_faults():
            yield from split_lines(reader.content(self._info))

    def _content(self, entry: Entry, name: str) -> bytes:
        if max(entry.size, entry.packed) > self._limit:
            refuse(f"'{name}' is larger than {self._limit} bytes")
        return b"".join(self._reader.content(entry))

    def _check_line(self, link: str, name: str, entry: Entry) -> None:
        line = next(self._lines, None)
        if line is None:
            _differ(f"linkinginfo does not name '{name}', which is in the archive")
        told, told_name = read_line(line, self.heading.digest)
        if told_name != name:
            _differ(f"linkinginfo names '{told_name}' where the archive has '{name}'")
        if told != link:
            raise Fault(
                "archive_digest_mismatch",
                f"The link of '{name}' (at octet {entry.offset} of the archive) is not what "
                "linkinginfo tells: the container, or one before it, is another one",
            )


def verify_archive(trust: Trust, file: BinaryIO, file_name: str, tell: Tell) -> Archive:
    """Prove every container of an archive and follow its chain.

    A container that proves nothing is told of, and the chain is followed further.

    :raises Fault: as ``ArchiveReader``: the archive itself is not sound.
    """
    reader = ArchiveReader(file)
    invalid = 0
    for name, octets in reader.containers():
        try:
            tell(name, verify_container(trust, octets))
        except Fault as fault:
            invalid += 1
            tell(name, fault)
    heading = reader.heading
    return Archive(
        file_name, heading.previous, reader.last, heading.digest.name, reader.count, invalid
    )


@contextmanager
def _archive_faults() -> Iterator[None]:
    """A zip file's refusals in an archive's words."""
    try:
        yield
    except Fault as fault:
        if fault.code != "invalid_zip":
            raise
        cause = f"The archive is not a sound zip file: {fault.text}"
        raise Fault("archive_invalid_zip", cause) from fault


def _differ(cause: str) -> NoReturn:
    raise Fault("archive_file_names_differ", f"The archive is not whole: {cause}")
