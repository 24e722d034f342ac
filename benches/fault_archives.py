"""Whether the archives of a log hold all of it, once, in an unbroken chain.

The rule: names are counted and links followed, from the first archive to the last; what the
containers prove is seen where the log itself is proven, for they are made of its records.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from xgate.errors import Fault
from xgate.trust.archive_chain import judge_chains, list_archives
from xgate.trust.archive_read import Archive, ArchiveReader

__all__ = ["Archives", "read_archives"]


class Archives:
    """All archives of one log."""

    def __init__(self) -> None:
        self.containers: Counter[str] = Counter()
        """How often each is in them, by name."""
        self.broken: list[str] = []
        """What is wrong with them, in sentences."""

    def missing(self, names: Counter[str]) -> Iterator[str]:
        """Which of these containers are in no archive."""
        return (name for name in names if not self.containers[name])

    def doubled(self) -> Iterator[str]:
        """Which containers are there more than once."""
        return (name for name, count in self.containers.items() if count > 1)


def read_archives(folder: Path) -> Archives:
    """Read all archives in a folder."""
    archives = Archives()
    sound: list[Archive] = []
    for path in list_archives(folder):
        try:
            sound.append(_read(path, archives.containers))
        except Fault as fault:
            archives.broken.append(f"{path.name}: {fault}")
    archives.broken += [f"{found.file_name}: {found.text}" for found in judge_chains(sound)]
    return archives


def _read(path: Path, names: Counter[str]) -> Archive:
    with path.open("rb") as file:
        reader = ArchiveReader(file)
        for name, _ in reader.containers():
            names[name] += 1
        heading = reader.heading
        return Archive(
            file_name=path.name,
            previous=heading.previous,
            last=reader.last,
            algorithm=heading.digest.name,
            containers=reader.count,
            invalid=0,
        )
