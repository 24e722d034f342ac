"""Archives under examination: their containers one by one, and what was found of the files.

The rule: containers go to the judge in their order, from all archives in one stream, so that all
processors are busy; what stops an archive stops only this one. Encrypted archives are named and not
looked into. Sources: asic 3, messagelog trap 12.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Literal

import msgspec

from xgate.cli.container import Verdict, judge
from xgate.cli.output import path_text
from xgate.cli.refusal import Refusal, refusal_of, refusal_rows
from xgate.errors import Fault
from xgate.trust.anchors import Trust
from xgate.trust.archive_name import find_archive_name
from xgate.trust.archive_read import Archive, ArchiveReader
from xgate.trust.bundle import read_bundle
from xgate.trust.linking import Link, check_previous
from xgate.trust.zip_reader import ZipReader

__all__ = [
    "ArchiveVerdict",
    "ArchiveWalk",
    "Archived",
    "Found",
    "archive_rows",
    "is_archive",
    "judge_archived",
]

_NO_LINKS, _NOTHING = "archive_linkinginfo_not_found", "archive_no_containers"


class Archived(msgspec.Struct, frozen=True):
    """A container out of an archive, on its way to the judge; ``place`` is its first octet."""

    archive: str
    name: str
    place: int
    octets: bytes


class Found(msgspec.Struct, frozen=True):
    """A verdict, and where the container is: in which archive, from which octet on."""

    verdict: Verdict
    archive: str | None = None
    place: int | None = None


class ArchiveVerdict(msgspec.Struct, frozen=True):
    """What was found out about one archive.

    :param kind: ``bundle``: a zip of containers that nothing links.
    :param sound: the file and its chain hold; what its containers prove is counted besides.
    :param continues: name and link of the archive before it; None: it is the first, or unknown.
    :param last_link: lower-case hex.
    """

    file: str
    kind: Literal["archive", "bundle"]
    sound: bool
    valid: int
    invalid: int
    continues: Link | None = None
    last_link: str | None = None
    algorithm: str | None = None
    reason: Refusal | None = None


class ArchiveWalk:
    """The containers of several archives, and what becomes known of these.

    :ivar archives: those that are sound, by file. :ivar refused: those that are not.
    :ivar bundles: zips of containers that are no archives. :ivar encrypted: passed over.
    :ivar others: zips that just lay there and have nothing to do with this, passed over.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        previous: Link | Literal["any"] | None = "any",
        lying_there: Collection[Path] = (),
    ) -> None:
        """:param previous: what each archive must continue; None: nothing.
        :param lying_there: those that nobody named.
        """
        self._paths = [path for path in paths if path.suffix != ".gpg"]
        self._previous = previous
        self.encrypted = [path_text(path) for path in paths if path.suffix == ".gpg"]
        self.archives: dict[str, Archive] = {}
        self.refused: dict[str, Fault] = {}
        self.bundles: list[str] = []
        self.others: list[str] = []
        self._lying_there = frozenset(lying_there)

    def count(self) -> int:
        """How many containers there are, about; for a progress bar."""
        return sum(map(_count, self._paths))

    def containers(self) -> Iterator[Archived]:
        """All containers; raises nothing."""
        for path in self._paths:
            file_name = path_text(path)
            try:
                with path.open("rb") as file:
                    yield from self._containers(file, path)
            except Fault as fault:
                self.refused[file_name] = fault
            except OSError as error:
                text = error.strerror or "it cannot be read"
                self.refused[file_name] = Fault("io_error", f"Cannot read {file_name}: {text}")

    def verdicts(self, valid: Counter[str], invalid: Counter[str]) -> list[ArchiveVerdict]:
        """One for each file, in the order of reading.

        :param valid: how many containers of each file are valid; ``invalid`` likewise.
        """
        return [
            self._verdict(file, valid[file], invalid[file])
            for file in map(path_text, self._paths)
            if file in self.archives or file in self.refused or file in self.bundles
        ]

    def _containers(self, file: BinaryIO, path: Path) -> Iterator[Archived]:
        file_name = path_text(path)
        try:
            reader = ArchiveReader(file)
        except Fault as fault:
            if fault.code != _NO_LINKS or find_archive_name(path.name) is not None:
                raise
            yield from self._bundled(file, path)
            return
        if self._previous != "any":
            check_previous(reader.heading, self._previous)
        for container, octets in reader.containers():
            yield Archived(file_name, container, reader.place, octets)
        heading = reader.heading
        self.archives[file_name] = Archive(
            file_name, heading.previous, reader.last, heading.digest.name, reader.count, 0
        )

    def _bundled(self, file: BinaryIO, path: Path) -> Iterator[Archived]:
        file_name = path_text(path)
        try:
            for container, place, octets in read_bundle(file):
                yield Archived(file_name, container, place, octets)
        except Fault as fault:
            if fault.code != _NOTHING or path not in self._lying_there:
                raise
            self.others.append(file_name)
        else:
            self.bundles.append(file_name)

    def _verdict(self, file: str, valid: int, invalid: int) -> ArchiveVerdict:
        if file in self.refused:
            reason = refusal_of(self.refused[file])
            return ArchiveVerdict(file, "archive", False, valid, invalid, reason=reason)
        if file in self.bundles:
            return ArchiveVerdict(file, "bundle", True, valid, invalid)
        archive = self.archives[file]
        return ArchiveVerdict(
            file,
            "archive",
            True,
            valid,
            invalid,
            archive.previous,
            archive.last,
            archive.algorithm,
        )


def is_archive(path: Path) -> bool:
    """Whether a file is looked into as an archive: by its name, unless it begins as a container."""
    if path.name.endswith(".zip.gpg"):
        return True
    if path.suffix != ".zip":
        return False
    try:
        with path.open("rb") as file:
            return file.read(38)[30:] != b"mimetype"
    except OSError:
        return True


def judge_archived(trust: Trust, item: Archived) -> Found:
    """Prove a container out of an archive, or say why that fails."""
    verdict = judge(trust, f"{item.archive}: {item.name}", item.octets)
    return Found(verdict, item.archive, item.place)


def archive_rows(verdict: ArchiveVerdict) -> list[tuple[str, str]]:
    """The lines that show it to a person, below the one that names the file."""
    rows = [] if verdict.reason is None else refusal_rows(verdict.reason)
    rows.append(("containers", f"{verdict.valid} valid, {verdict.invalid} not valid"))
    if verdict.kind == "bundle":
        rows.append(("chain", "none: a zip of containers, of which some might be missing"))
    if verdict.last_link is not None:
        before = verdict.continues
        rows.append(
            ("continues", "nothing: it is the first" if before is None else before.file_name)
        )
        if before is not None:
            rows.append(("", before.digest))
        rows.append(("last link", verdict.last_link))
        rows.append(("algorithm", verdict.algorithm or ""))
    return rows


def _count(path: Path) -> int:
    try:
        with path.open("rb") as file:
            return ZipReader(file).count
    except (Fault, OSError):
        return 0
