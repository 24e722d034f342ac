"""A whole folder of archives: do they continue each other, and is none missing?

The rule: what an archive continues is known by its digest, wherever the file lies and whatever it
is called now; names only help to say which file is missing. Every group of clients has a chain of
its own, with one beginning (asic 3, messagelog trap 12). Encrypted archives cannot be looked into:
they are named, and what continues them is believed only as far as their names go.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Protocol

import msgspec

from xgate.errors import Fault
from xgate.trust.anchors import Trust
from xgate.trust.archive_name import find_archive_name
from xgate.trust.archive_read import Archive, verify_archive
from xgate.trust.linking import Link
from xgate.trust.proof import ContainerProof

__all__ = ["ArchiveFolder", "Break", "TellFile", "judge_chains", "list_archives", "verify_folder"]


class Break(msgspec.Struct, frozen=True):
    """One place where the archives of a folder do not hold together.

    Codes: ``archive_chain_gap`` (what it continues is missing, or not sound),
    ``archive_chain_fork`` (another continues the same one), ``archive_chain_begins_again`` (a
    second beginning of one group), ``archive_group_mismatch`` (it continues another group's),
    ``archive_duplicate`` (the same archive twice), ``archive_name_mismatch`` (the file's name tells
    another digest).
    """

    code: str
    file_name: str
    text: str


class ArchiveFolder(msgspec.Struct, frozen=True):
    """What was found out about a folder; ``refused`` are archives that are not sound themselves."""

    archives: tuple[Archive, ...]
    refused: Mapping[str, Fault]
    encrypted: tuple[str, ...]
    breaks: tuple[Break, ...]

    @property
    def sound(self) -> bool:
        """Whether everything holds: containers, archives, chains. Encrypted ones do not count."""
        return not (self.refused or self.breaks or any(a.invalid for a in self.archives))


class TellFile(Protocol):
    """Is told of each container of each file, as ``archive_read.Tell`` is."""

    def __call__(self, file_name: str, container: str, found: ContainerProof | Fault) -> None:
        """Take note."""


def list_archives(folder: Path) -> tuple[Path, ...]:
    """The archives below a folder (``.zip``, ``.zip.gpg``), in the order of their paths."""
    found = (p for p in folder.rglob("*") if p.name.endswith((".zip", ".zip.gpg")) and p.is_file())
    return tuple(sorted(found))


def verify_folder(trust: Trust, folder: Path, tell: TellFile) -> ArchiveFolder:
    """Prove every archive below a folder, and that they continue each other.

    :raises OSError: a file cannot be read.
    """
    archives: list[Archive] = []
    refused: dict[str, Fault] = {}
    encrypted: list[str] = []
    for path in list_archives(folder):
        name = path.relative_to(folder).as_posix()
        if name.endswith(".gpg"):
            encrypted.append(name)
            continue

        def tell_one(container: str, found: ContainerProof | Fault, name: str = name) -> None:
            tell(name, container, found)

        try:
            with path.open("rb") as file:
                archives.append(verify_archive(trust, file, name, tell_one))
        except Fault as fault:
            refused[name] = fault
    breaks = judge_chains(archives, refused=refused, encrypted=encrypted)
    return ArchiveFolder(tuple(archives), refused, tuple(encrypted), breaks)


def judge_chains(
    archives: Sequence[Archive],
    *,
    refused: Iterable[str] = (),
    encrypted: Iterable[str] = (),
) -> tuple[Break, ...]:
    """Where sound archives do not hold together; nothing: they are unbroken chains.

    :param refused: names of archives that are not sound. :param encrypted: of encrypted ones.
    """
    first: dict[str, Archive] = {}
    breaks: list[Break] = []
    for archive in archives:
        if archive.last in first:
            text = f"It is the same archive as {first[archive.last].file_name}"
            breaks.append(Break("archive_duplicate", archive.file_name, text))
        first.setdefault(archive.last, archive)
        breaks += _misnamed(archive)
    breaks += _gaps(first, {_base(name) for name in refused}, {_base(name) for name in encrypted})
    breaks += _forks(first.values())
    return tuple(breaks)


def _misnamed(archive: Archive) -> Iterator[Break]:
    named = find_archive_name(_base(archive.file_name))
    if named is not None and not archive.last.startswith(named.digest):
        text = f"Its name tells the digest {named.digest}, and its last link is {archive.last}"
        yield Break("archive_name_mismatch", archive.file_name, text)


def _gaps(first: Mapping[str, Archive], refused: set[str], encrypted: set[str]) -> Iterator[Break]:
    for archive in first.values():
        previous = archive.previous
        if previous is None:
            continue
        before = first.get(previous.digest)
        if before is not None:
            yield from _other_group(archive, before)
        elif previous.file_name in refused:
            text = f"It continues '{previous.file_name}', which is not sound"
            yield Break("archive_chain_gap", archive.file_name, text)
        elif not _is_named(previous, encrypted):
            text = f"It continues '{previous.file_name}', which is missing"
            yield Break("archive_chain_gap", archive.file_name, text)


def _is_named(link: Link, encrypted: set[str]) -> bool:
    named = find_archive_name(link.file_name)
    return (
        link.file_name in encrypted and named is not None and link.digest.startswith(named.digest)
    )


def _other_group(archive: Archive, before: Archive) -> Iterator[Break]:
    names = [find_archive_name(_base(a.file_name)) for a in (before, archive)]
    groups = {name.group for name in names if name is not None}
    if len(groups) > 1:
        text = f"It continues {before.file_name}, which is of another group"
        yield Break("archive_group_mismatch", archive.file_name, text)


def _forks(archives: Iterable[Archive]) -> Iterator[Break]:
    following: dict[str, list[Archive]] = defaultdict(list)
    beginning: dict[str | None, list[Archive]] = defaultdict(list)
    for archive in archives:
        named = find_archive_name(_base(archive.file_name))
        if archive.previous is not None:
            following[archive.previous.digest].append(archive)
        elif named is not None:  # a file of another name does not tell its group
            beginning[named.group].append(archive)
    for one, *others in following.values():
        for other in others:
            text = f"It continues the same archive as {one.file_name}"
            yield Break("archive_chain_fork", other.file_name, text)
    for one, *others in beginning.values():
        for other in others:
            text = f"Its chain begins here, and in {one.file_name} as well"
            yield Break("archive_chain_begins_again", other.file_name, text)


def _base(name: str) -> str:
    return PurePath(name).name
